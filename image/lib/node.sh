# Runs the Erlang node of the release in /opt/kazoo, and talks to it.

kazoo_root=/opt/kazoo
kazoo_etc=$kazoo_root/etc
kazoo_log=$kazoo_root/log

# A container started as root, for example for volumes that belong to root, continues as the image's user.
drop_root() {
  ((EUID == 0)) || return 0
  chown kazoo:kazoo "$kazoo_etc" "$kazoo_log"
  exec gosu kazoo "$here/entrypoint"
}

# The variables that the release's own start script would set. The cookie is read from HOME, so no process list shows it.
release_environment() {
  local erts
  erts=$(echo "$kazoo_root"/erts-*)
  export ROOTDIR=$kazoo_root BINDIR=$erts/bin EMU=beam PROGNAME=erl
  export LD_LIBRARY_PATH=$kazoo_root/native${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  export HOME=$kazoo_etc KAZOO_CONFIG=$kazoo_etc/config.ini
  if [[ -r $kazoo_etc/inetrc ]]; then export ERL_INETRC=$kazoo_etc/inetrc; fi
}

# Runs the node in the foreground. SIGTERM and SIGINT stop it in order; its exit code is the container's.
# Erlang turns SIGTERM into an orderly stop only from version 20 on, and Kazoo 4 also runs on 18 and 19.
run_node() {
  local pid code=0 interrupted=0
  release_environment
  export ERL_CRASH_DUMP=$kazoo_log/erl_crash.dump KAZOO_ZONE
  # The cookie is in a file, and a list without an application would start none.
  unset KAZOO_COOKIE
  if [[ ! ${KAZOO_APPS-} =~ [a-z] ]]; then unset KAZOO_APPS; fi
  ulimit -n 65536 2>/dev/null || true

  echo "Starting $node in zone $KAZOO_ZONE"
  cd "$kazoo_root"
  open_log "$kazoo_etc"
  # Erlang makes its output non-blocking, for all who share it: it opens the pipes on its own.
  "$BINDIR/erlexec" -boot "$(echo releases/*/kazoo.boot | sed 's/\.boot$//')" -boot_var ERTS_LIB_DIR "$kazoo_root/lib" \
    -mode interactive -config "$kazoo_etc/sys.config" -args_file "$kazoo_etc/vm.args" \
    </dev/null >"${log_pipes[0]}" 2>"${log_pipes[1]}" {log_out}>&- {log_err}>&- &
  pid=$!
  trap 'interrupted=1; stop_node "$pid"' TERM INT
  wait "$pid" || code=$?
  # The signal only ended `wait`; the node's exit code follows.
  while ((interrupted)); do
    interrupted=0 code=0
    wait "$pid" || code=$?
  done
  trap '' TERM INT
  close_log
  echo "Stopped $node (exit code $code)"
  exit "$code"
}

# stop_node PID
stop_node() {
  echo "Stopping $node in order (init:stop)"
  # A `return` in a trap would restore the status from before the trap and end the script.
  if ! on_node "$node" init stop >/dev/null 2>&1; then
    # The node cannot be reached yet, or no longer.
    kill -TERM "$1" 2>/dev/null || true
  fi
}

# on_node NODE MODULE FUNCTION [ARGUMENT…]: calls a function on a running node from a hidden helper node and prints what
# it returns. Arguments arrive as binaries, as Kazoo's own `sup` passes them.
on_node() {
  local boot clean
  release_environment
  for boot in "$kazoo_root"/bin/start_clean.boot "$kazoo_root"/releases/*/start_clean.boot; do
    if [[ -e $boot ]]; then clean=${boot%.boot}; fi
  done
  "$BINDIR/erlexec" -boot "$clean" -boot_var ERTS_LIB_DIR "$kazoo_root/lib" -noinput -hidden \
    -name "call-$$@${1#*@}" -eval "file:eval(\"$here/lib/call.erl\"), halt(1)." -extra "$@" </dev/null
}
