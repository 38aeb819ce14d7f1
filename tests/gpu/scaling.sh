#!/usr/bin/env bash
# Scaling over the GPUs of this machine, however many there are, in one command: runs the plans for at most so long, prints the tables
# of tensor parallelism and of replicas, what gather and commit took, and whether N GPUs give one GPU's tokens; keeps the result files.
#
#   tests/gpu/scaling.sh [-t SECONDS] [-b BUILD] [-o OUT] [PLAN…]
#
# Default: 150 s of launchers/studies/scaling-short.ini, programs of build/default, results in ./scaling. Not short:
#   tests/gpu/scaling.sh -t 36000 launchers/studies/scaling-tp.ini launchers/studies/scaling-replicas.ini
# Started again it goes on where it stopped. OUT/scaling.tar.gz holds all that is worth keeping. Exit status 1: a trial failed, or tokens
# differ. python3 compares the tokens.
set -u
seconds=150 out=scaling
# shellcheck source=tests/gpu/study_options.sh
source "$(dirname "$0")/study_options.sh"
[ $# -gt 0 ] || set -- "$root/launchers/studies/scaling-short.ini"

for plan in "$@"; do
  left=$((end - SECONDS))
  [ $left -gt 0 ] || { echo "scaling.sh: no time left for $plan"; continue; }
  # A study that is told to stop ends its trial, and can be gone on with.
  timeout --kill-after=20 "$left" "$sparkmpi" study "$plan" -o "$out/$(basename "$plan" .ini)" 2>&1 | tee -a "$out/study.log"
  status=${PIPESTATUS[0]}
  case $status in
    0) ;;
    124 | 137 | 143) echo "scaling.sh: $plan was stopped after $left s; the tables hold what was done by then" ;;
    *) failed=1 ;;
  esac
done

shopt -s nullglob
table() { # title options… -- files…
  local title=$1 options=()
  shift
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  [ $# -gt 0 ] || return 0
  printf '\n== %s\n' "$title"
  "$sparkmpi" scale "${options[@]}" "$@" || failed=1
}
tables() {
  table "tensor parallel: one model on N GPUs" --strong --metric decode_tokens_per_s,prefill_tokens_per_s,output_tokens_per_s -- \
    "$out"/*/results/*-tp-*.h5
  table "replicas: N models on N GPUs" --metric decode_tokens_per_s,prefill_tokens_per_s,output_tokens_per_s -- \
    "$out"/*/results/*-replicas-*.h5
  table "memory bandwidth, all GPUs at once" -- "$out"/*/results/*-stream-ranks*.h5
  local charge=("$out"/*/results/*-charge-ranks*.h5)
  if [ ${#charge[@]} -gt 0 ]; then
    printf '\n== who is charged for memory (each GPU in turn)\n'
    "$sparkmpi" show "${charge[-1]}" || failed=1
  fi
  printf '\n== gather and commit, medians of all points\n'
  cat "$out"/*/trials/*/attempt-*/log.txt | awk '
    match($0, /gather [0-9.]+ ms, commit [0-9.]+ ms, [0-9]+ ranks?/) {
      split(substr($0, RSTART, RLENGTH), word, " ")
      n = ++count[word[7]]; gather[word[7], n] = word[2]; commit[word[7], n] = word[5]
    }
    function median(of, ranks, n,    i, j, swap) {
      for (i = 2; i <= n; ++i)
        for (j = i; j > 1 && of[ranks, j - 1] + 0 > of[ranks, j] + 0; --j) { swap = of[ranks, j]; of[ranks, j] = of[ranks, j - 1]; of[ranks, j - 1] = swap }
      return n % 2 ? of[ranks, (n + 1) / 2] : (of[ranks, n / 2] + of[ranks, n / 2 + 1]) / 2
    }
    END {
      for (ranks = 1; ranks <= 4096; ++ranks)
        if (ranks in count)
          printf "%4d ranks: gather %.1f ms, commit %.1f ms (%d commits)\n", ranks, median(gather, ranks, count[ranks]), median(commit, ranks, count[ranks]), count[ranks]
    }'
}
tables > >(tee "$out/scale.txt") 2>&1
wait $! || true
if tokens=$(python3 "$root/tests/gpu/same_tokens.py" --sparkmpi "$sparkmpi" "$out"/*/results/*-tokens-*.h5 2>&1); then :; else failed=1; fi
printf '\n== tokens of N GPUs and of one\n%s\n' "$tokens" | tee -a "$out/scale.txt"
# The results, the logs and the exact commands; not the file systems that a plan may have made.
(cd "$out" && find . -path ./scaling.tar.gz -prune -o \( -name '*.h5' -o -name '*.txt' -o -name '*.json' -o -name '*.log' -o -name plan.ini -o \
  -name schedule.csv \) -type f -print0 | tar --null -czf scaling.tar.gz -T -)
echo "results: $out/scaling.tar.gz"
exit $failed
