#!/usr/bin/env bash
# Decode at batch 1 as a part of the read bandwidth that is measured in the same run: the best of five repetitions, 2 threads.
#
#   tests/bench/decode_bandwidth.sh [SPARKMPI] [MODEL]      default: build/default/bin/sparkmpi, SmolLM2-135M
set -euo pipefail
sparkmpi=${1:-build/default/bin/sparkmpi}
model=${2:-SmolLM2-135M}
file=$(mktemp -u "${TMPDIR:-/tmp}/decode-XXXXXX.h5")
trap 'rm -f "$file"' EXIT
"$sparkmpi" inference -m "$model" -p 16 -n 128 -b 1 -t 2 -r 5 -q -o "$file"
"$sparkmpi" show "$file" | grep -E "weights_source|metric|decode_|mbu|read_bandwidth"
