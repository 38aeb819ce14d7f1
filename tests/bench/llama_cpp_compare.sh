#!/usr/bin/env bash
# Decode speed at batch 1 beside llama.cpp's, both from the same BF16 weights on the same threads, in turns.
#
#   tests/bench/llama_cpp_compare.sh MODEL_DIR SPARKMPI [-t THREADS] [-n TOKENS] [-r ROUNDS]
#
# MODEL_DIR: a Hugging Face directory of the Llama architecture (tests/tools/gguf_to_safetensors.py makes SmolLM2-135M's).
# SPARKMPI: the built program. The first run builds llama-cpp-python from source, for this machine's processor, into
# build/bench-venv: 10 minutes or more on 2 cores. A benchmark for people to read, not a test.
set -euo pipefail
case "${1:-}" in -h | --help | "") sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=$here/../../build/bench-venv
version=0.3.36
if [ "$(cat "$venv/llama-version" 2>/dev/null)" != "$version" ]; then
  echo "Building llama-cpp-python $version into build/bench-venv …" >&2
  python3 -m venv "$venv"
  CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF ${CMAKE_ARGS:-}" \
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    -r "$here/../requirements.txt" "llama-cpp-python==$version"
  echo "$version" >"$venv/llama-version"
fi
exec "$venv/bin/python" "$here/llama_cpp_compare.py" "$@"
