#!/usr/bin/env bash
# renderMany.sh LIB: renders many environments in one process, which takes milliseconds for each. Each one is a subshell, so
# that nothing stays of it.
#
# Standard input, all ended by NULs: a count, that many NAME=VALUE, the next count, …
# Standard output, likewise: config.ini, vm.args, sys.config and the cookie (none where refused), "code N microseconds", the
# messages.
set -euo pipefail
export LC_ALL=C
here=$1
for part in checks host settings render; do . "$here/lib/$part.sh"; done
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
set +e

while IFS= read -r -d '' count; do
  environment=()
  for ((i = 0; i < count; i++)); do
    IFS= read -r -d '' pair
    environment+=("$pair")
  done
  started=${EPOCHREALTIME/./}
  (
    set -e
    for pair in ${environment[@]+"${environment[@]}"}; do export "${pair?}"; done
    unset pair environment errors count i started
    read_settings
    for file in config_ini vm_args sys_config erlang_cookie; do
      "$file"
      printf '\0'
    done
  ) 2>"$errors"
  printf 'code %s %s\0' "$?" "$((${EPOCHREALTIME/./} - started))"
  cat "$errors"
  printf '\0'
done
