# Writes Kazoo's four files from the settings.
#
# Kazoo's parser of config.ini is easily misled and silent about errors: Kazoo would start on defaults. So every text is
# quoted, no section is empty, and comments are on separate lines.

# render DIR: replaces each file as a whole; only the owner can read files with credentials.
render() {
  mkdir -p "$1"
  write "$1/config.ini" 600 config_ini
  write "$1/vm.args" 644 vm_args
  write "$1/sys.config" 644 sys_config
  write "$1/.erlang.cookie" 400 erlang_cookie
}

# write FILE MODE FUNCTION
write() {
  local next=$1.next
  rm -f "$next"
  (umask 077 && "$3" >"$next")
  chmod "$2" "$next"
  mv -f "$next" "$1"
}

config_ini() {
  local zone section broker sections=(kazoo_apps ecallmgr) login
  login=$(percent_encode "$RABBITMQ_USER"):$(percent_encode "$RABBITMQ_PASS")

  echo '; Written by the entrypoint from its environment: edits are lost at the next start.'
  # Kazoo takes the brokers from the block with its zone's name, and falls back to the section [amqp].
  zone_block "$KAZOO_ZONE" "${brokers[@]}"
  for zone in ${other_zones[@]+"${other_zones[@]}"}; do
    # shellcheck disable=SC2086 # host names have no blanks
    zone_block "$zone" ${brokers_of[$zone]}
  done

  echo
  echo '[amqp]'
  for broker in "${brokers[@]}"; do echo "uri = \"amqp://$login@$broker:5672\""; done

  # No zone and no host here: a [bigcouch] section with either reads as empty.
  echo
  echo '[bigcouch]'
  echo "ip = \"$BIGCOUCH_HOST\""
  echo "port = $BIGCOUCH_DATA_PORT"
  echo "admin_port = $BIGCOUCH_ADMIN_PORT"
  if [[ -n ${COUCHDB_USER-} ]]; then
    printf '%s = "%s"\n' username "$COUCHDB_USER" password "$COUCHDB_PASS"
    printf '%s = "%s"\n' admin_username "$COUCHDB_USER" admin_password "$COUCHDB_PASS"
  fi
  # Kazoo 4.0 compacts for any value of this key, even false, so the key is omitted instead.
  if [[ $BIGCOUCH_COMPACT_AUTOMATICALLY == true ]]; then echo 'compact_automatically = true'; fi

  # A node finds itself in the section with its short name, by its host.
  [[ " ${sections[*]} " == *" $ERLANG_VM "* ]] || sections+=("$ERLANG_VM")
  for section in "${sections[@]}"; do
    echo
    echo "[$section]"
    echo "host = \"$host\""
    echo "zone = \"$KAZOO_ZONE\""
    echo "cookie = \"$cookie\""
  done

  echo
  echo '[log]'
  echo "console = \"$KAZOO_LOG_LEVEL\""
}

# zone_block ZONE BROKER…
zone_block() {
  local broker
  echo
  echo '[zone]'
  echo "name = \"$1\""
  for broker in "${@:2}"; do echo "amqp_uri = \"amqp://$login@$broker:5672\""; done
}

percent_encode() {
  local text=$1 encoded='' character code i
  for ((i = 0; i < ${#text}; i++)); do
    character=${text:i:1}
    case $character in
      [A-Za-z0-9._~-]) encoded+=$character ;;
      *)
        # A byte above 127 is a negative number to printf.
        printf -v code %d "'$character"
        printf -v character %%%02X "$((code & 255))"
        encoded+=$character
        ;;
    esac
  done
  printf %s "$encoded"
}

vm_args() {
  cat <<VM_ARGS
-name $node
-kernel inet_dist_listen_min 11500 inet_dist_listen_max 11999
-sasl errlog_type $KAZOO_SASL_ERRLOG_TYPE
-sasl sasl_error_logger $KAZOO_SASL_ERROR_LOGGER
-env ERL_MAX_PORTS 65536
+K true
+A $ERLANG_THREADS
+W w
+Bd
-noinput
-s ${ERLANG_VM}_app
VM_ARGS
}

sys_config() {
  cat <<SYS_CONFIG
[
  {lager, [
    {handlers, [
      {lager_console_backend, [$KAZOO_LOG_LEVEL, {lager_default_formatter,
        [time, " [", severity, "] |", {callid, <<"0000000000">>}, "|", module, ":", line, " (", pid, ") ", message, "\n"]}]}
    ]},
    {colored, $KAZOO_LOG_COLOR},
    {error_logger_hwm, 500}
  ]}
].
SYS_CONFIG
}

erlang_cookie() {
  printf %s "$cookie"
}
