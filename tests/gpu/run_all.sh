#!/usr/bin/env bash
# Everything that needs a GPU, in one command: parity with transformers, compute-sanitizer, and the table of speeds.
#
#   tests/gpu/run_all.sh [BUILD] [OUT] [PART…]     parts: units fixtures members live real sanitizer speed (all)
#
# BUILD holds bin/ and lib/ (build/default), OUT gets the result files. python3 needs numpy; torch and transformers 5 for `live`.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$root/build/default} out=${2:-$root/gpu-results}
shift $(($# < 2 ? $# : 2))
parts=${*:-units fixtures members live real sanitizer speed}
mkdir -p "$out"
failed=0
check() { # what command…
  local what=$1
  shift
  if "$@"; then echo "ok: $what"; else
    echo "FAILED: $what"
    failed=1
  fi
}

units() {
  local test
  for test in test_linear_cuda test_attention_cuda test_inference_gpu; do
    check "$test" timeout 120 "$build/bin/$test"
  done
}

fixtures() {
  check "fixtures of transformers" python3 "$root/tests/e2e/hf_engine.py" --engine-logits "$build/bin/engine_logits" \
    --fixtures "$root/tests/fixtures/hf" --device cuda
}

# Models divided between ranks: on one GPU, and on two where there are two, by each way of adding up.
members() {
  check "exchanges between members" timeout 60 "$build/bin/test_members_cuda"
  divided "2 ranks on one GPU" --device cuda:0
  [ "$(nvidia-smi --list-gpus | wc -l)" -ge 2 ] || { echo "one GPU: sums by NCCL and by peer memory are left out"; return; }
  divided "2 GPUs, NCCL" --device cuda --all-reduce nccl
  divided "2 GPUs, peer memory" --device cuda --all-reduce peer
}

divided() { # what options…
  local what=$1
  shift
  check "fixtures of transformers, $what" python3 "$root/tests/e2e/hf_engine.py" --engine-logits "$build/bin/engine_logits" \
    --fixtures "$root/tests/fixtures/hf" --ranks 2 "$@"
}

live() {
  check "live parity" python3 "$root/tests/gpu/live_parity.py" --engine-logits "$build/bin/engine_logits"
  check "live parity, FP8 KV" python3 "$root/tests/gpu/live_parity.py" --engine-logits "$build/bin/engine_logits" \
    --family llama,mistral,gemma --kv-dtype fp8
}

real() { # needs the network once, and the packages gguf, h5py and tokenizers
  check "SmolLM2-135M, GPU and host" python3 "$root/tests/e2e/real_weights.py" --engine-logits "$build/bin/engine_logits" \
    --cache "$out/real-weights" --device cuda
}

sanitizer() {
  local prompts=$out/prompts.jsonl model tool options
  printf '%s\n' '{"input_ids": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]}' '{"input_ids": [5]}' >"$prompts"
  for model in "$root"/tests/fixtures/hf/*/; do
    for tool in memcheck racecheck; do
      # One lane hands a stage back for its warp: racecheck follows that only when told to.
      options=(--error-exitcode 1 --print-limit 3)
      [ $tool = memcheck ] || options+=(--racecheck-indirect-barrier-dependency)
      check "$tool, $(basename "$model")" compute-sanitizer --tool $tool "${options[@]}" \
        "$build/bin/engine_logits" "$model" "$prompts" "$out/logits.bin" 3 --device cuda
    done
  done
}

measure() { # name arguments…
  local file=$out/$1.h5
  shift
  check "$*" "$build/bin/sparkmpi" inference --device cuda "$@" -o "$file" --force
  "$build/bin/sparkmpi" show "$file" --format csv | grep -E 'decode_tokens_per_s|prefill_tokens_per_s|mbu_|read_bandwidth|weights_load_s|verification'
}

speed() {
  check "read bandwidth" "$build/bin/sparkmpi" stream --device cuda --footprint 4G --operation read -o "$out/stream.h5" --force
  measure llama-8b-b1 -m Meta-Llama-3-8B -p 128 -n 128 -b 1
  measure llama-8b-b8 -m Meta-Llama-3-8B -p 128 -n 128 -b 8
  # The same shape with room for 32k positions, which the model itself does not have.
  mkdir -p "$out/Llama-3-8B-32k"
  sed 's/"max_position_embeddings": [0-9]*/"max_position_embeddings": 40960/' "$root/models/Meta-Llama-3-8B/config.json" \
    >"$out/Llama-3-8B-32k/config.json"
  measure llama-8b-32k -m "$out/Llama-3-8B-32k" -p 16 -n 128 -b 1 -d 32000 --prefill-chunk 2048
  measure llama-8b-prefill -m Meta-Llama-3-8B -p 2048 -n 1 -b 1 --prefill-chunk 2048
  measure qwen2-1.5b-b1 -m Qwen2-1.5B -p 128 -n 128 -b 1
  measure llama-70b-awq-b1 -m Meta-Llama-3-70B-AWQ -p 64 -n 48 -b 1
  measure mixtral-fp8-b1 -m Mixtral-8x7B --weights fp8 -p 64 -n 64 -b 1
  measure gpt-oss-120b-b1 -m gpt-oss-120b -p 64 -n 64 -b 1
}

for part in $parts; do
  case $part in
    units) units ;;
    fixtures) fixtures ;;
    live) live ;;
    members) members ;;
    real) real ;;
    sanitizer) sanitizer ;;
    speed) speed ;;
    *)
      echo "there is no part '$part'" >&2
      exit 2
      ;;
  esac
done
exit $failed
