# The node's log on its way out. Kazoo writes its settings at the start, every password and the cookie included, and more of
# them at the level "debug": a filter takes out what the entrypoint knows.
#
# Node and filter are joined by named pipes, whose two ends this shell keeps open. So the filter may end at any time without
# the node noticing; it is started again.

# open_log DIR: makes the pipes in a folder of this user's and starts the filter. Sets $log_pipes, the files to write to for
# standard output and standard error.
open_log() {
  log_pipes=("$1/stdout" "$1/stderr")
  log_end="end of the log $(</proc/sys/kernel/random/uuid)"
  rm -f "${log_pipes[@]}"
  mkfifo -m 600 "${log_pipes[@]}"
  exec {log_out}<>"${log_pipes[0]}" {log_err}<>"${log_pipes[1]}"
  filter_log &
  log_filter=$!
}

filter_log() {
  trap '' HUP INT TERM
  exec {log_out}>&- {log_err}>&-
  until secrets | perl "$here/lib/mask.pl" "${log_pipes[@]}"; do
    echo 'The filter of the log has failed and is started again.' >&2
    sleep 0.2
  done
}

# What no log may hold, each ended by a NUL, after the mark that ends the log. No process list shows what a pipe carries.
secrets() {
  printf '%s\0' "$log_end" "$cookie" "$RABBITMQ_PASS" "${COUCHDB_PASS-}" \
    "$(printf %s "$RABBITMQ_USER:$RABBITMQ_PASS" | base64 -w 0)" "$(printf %s "${COUCHDB_USER-}:${COUCHDB_PASS-}" | base64 -w 0)"
}

# Waits until everything that was written is out.
close_log() {
  printf %s "$log_end" >&"$log_out"
  printf %s "$log_end" >&"$log_err"
  wait "$log_filter" || true
  exec {log_out}>&- {log_err}>&-
  rm -f "${log_pipes[@]}"
}
