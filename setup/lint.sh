#!/usr/bin/env bash
# Formatting, static analysis and shell checks over the files git knows.
#
#   setup/lint.sh            check; exits 1 when something is to be done
#   setup/lint.sh --fix      let clang-format rewrite what it can
#   setup/lint.sh --format   formatting and shell only (seconds; clang-tidy takes minutes)
#
# clang-format 14 decides (Debian 12's; also packaged by Ubuntu 24.04): other releases lay out some code differently.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=${1:-all}
case "$mode" in all | --fix | --format) ;; *) printf 'lint.sh: unknown argument %s; see the head of the file\n' "$mode" >&2; exit 2 ;; esac
format=$(command -v clang-format-14 || true)
[ -n "$format" ] || { echo "lint.sh: clang-format-14 is missing (apt-get install clang-format-14)" >&2; exit 77; }

mapfile -t sources < <(git ls-files '*.cpp' '*.hpp' '*.cu' '*.cuh')
if [ "$mode" = --fix ]; then
  "$format" -i "${sources[@]}"
else
  "$format" --dry-run -Werror "${sources[@]}"
fi

if command -v shellcheck >/dev/null; then
  mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
  shellcheck -x "${scripts[@]}"
fi

[ "$mode" = all ] || exit 0
tidy=$(command -v clang-tidy-14 || true)
[ -n "$tidy" ] || { echo "lint.sh: clang-tidy-14 is missing (apt-get install clang-tidy-14)" >&2; exit 77; }
database=build/default/compile_commands.json
[ -e "$database" ] || { echo "lint.sh: $database is missing; configure first: cmake --preset default" >&2; exit 2; }
mapfile -t units < <(git ls-files 'base/*.cpp' 'ledger/*.cpp' 'results/*.cpp' 'kernels/**/*.cpp' 'mpi/*.cpp' 'analysis/**.cpp' 'cli/*.cpp')
printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -n 4 "$tidy" -p build/default --quiet
