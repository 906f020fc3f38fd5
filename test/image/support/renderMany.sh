#!/usr/bin/env bash
# renderMany.sh LIB FILE: renders many environments in one process, which takes milliseconds for each. Each one is a subshell, so
# that nothing stays of it.
#
# In FILE, all ended by NULs: a count, that many NAME=VALUE, the next count, …
# Standard output, likewise: config.ini, vm.args, sys.config and the cookie (none where refused), "code N USER SYSTEM" with the
# processor's time in seconds, the messages.
set -euo pipefail
export LC_ALL=C
here=$1
for part in checks host settings render; do . "$here/lib/$part.sh"; done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
TIMEFORMAT='%3U %3S'
set +e

render_one() (
  set -e
  for pair in ${environment[@]+"${environment[@]}"}; do export "${pair?}"; done
  unset pair environment scratch count i TIMEFORMAT
  read_settings
  for file in config_ini vm_args sys_config erlang_cookie; do
    "$file"
    printf '\0'
  done
)

while IFS= read -r -d '' count; do
  environment=()
  for ((i = 0; i < count; i++)); do
    IFS= read -r -d '' pair
    environment+=("$pair")
  done
  # Without its own input, ERLANG_COOKIE_FILE=- would read the environments that follow.
  { time render_one </dev/null 2>"$scratch/errors"; } 2>"$scratch/time"
  code=$?
  IFS= read -r -d '' seconds <"$scratch/time"
  IFS= read -r -d '' errors <"$scratch/errors"
  printf 'code %s %s\0%s\0' "$code" "${seconds%$'\n'}" "$errors"
done <"$2"
