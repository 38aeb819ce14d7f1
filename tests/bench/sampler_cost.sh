#!/usr/bin/env bash
# What the ledger sampler costs: decode throughput with 10 samples a second and with none, alternating, so that drift hits both alike.
#
#   tests/bench/sampler_cost.sh [SPARKMPI] [PAIRS]          default: build/default/bin/sparkmpi, 8 pairs
set -euo pipefail
sparkmpi=${1:-build/default/bin/sparkmpi}
pairs=${2:-8}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for ((i = 0; i < pairs; ++i)); do
  for rate in $((i % 2 * 10)) $(((i + 1) % 2 * 10)); do
    "$sparkmpi" inference -p 16 -n 128 -r 3 -q --sample-rate "$rate" -o "$folder/$i-$rate.h5"
    "$sparkmpi" show "$folder/$i-$rate.h5" --format csv |
      awk -F, -v rate="$rate" '$4 == "decode_tokens_per_s" || /,decode_tokens_per_s,/ { print rate, $(NF - 1) }'
  done
done | awk '
  { sum[$1] += $2; ++count[$1] }
  $1 == 10 { ten = $2 } $1 == 0 { none = $2 }
  NR % 2 == 0 { d = 100 * (none - ten) / none; n++; mean += d; square += d * d }
  END {
    mean /= n; sd = sqrt((square - n * mean * mean) / (n - 1))
    printf "decode tokens/s: %.1f with the sampler, %.1f without; cost %.2f %% +- %.2f %% (standard error of %d pairs)\n",
      sum[10] / count[10], sum[0] / count[0], mean, sd / sqrt(n), n
  }'
