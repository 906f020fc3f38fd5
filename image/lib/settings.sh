# Reads the run environment: defaults, checks, and the few values that combine several variables.
# Besides the variables themselves, sets: $host, $cookie, $node, $brokers and $other_zones with $brokers_of.

# setting NAME DEFAULT CHECK: an empty variable counts as absent.
setting() {
  [[ -n ${!1-} ]] || printf -v "$1" %s "$2"
  "$3" "$1"
}

read_settings() {
  setting ERLANG_VM kazoo_apps check_vm
  setting ERLANG_THREADS 25 check_threads

  KAZOO_LOG_LEVEL=${KAZOO_LOG_LEVEL-}
  KAZOO_LOG_LEVEL=${KAZOO_LOG_LEVEL,,}
  setting KAZOO_LOG_LEVEL info check_log_level
  setting KAZOO_LOG_COLOR true check_boolean
  setting KAZOO_SASL_ERRLOG_TYPE error check_sasl_errlog_type
  setting KAZOO_SASL_ERROR_LOGGER tty check_sasl_error_logger

  read_zone
  read_database
  read_brokers
  read_other_zones
  read_cookie
  check_kazoo_own

  setting KUBERNETES_HOSTNAME_FIX false check_boolean
  read_host
  node=$ERLANG_VM@$host
  # Erlang keeps a node's name in an atom.
  if ((${#node} > 255)); then refuse ERLANG_HOSTNAME 'a host short enough for a node name of 255 characters'; fi

  report_problems
}

read_zone() {
  setting DATACENTER dev check_zone
  setting REGION local check_zone
  if [[ -z ${KAZOO_ZONE-} ]]; then
    KAZOO_ZONE=$REGION-$DATACENTER
  else
    check_zone KAZOO_ZONE
  fi
}

read_database() {
  setting BIGCOUCH_HOST bigcouchbal check_host
  setting BIGCOUCH_DATA_PORT 5984 check_port
  setting BIGCOUCH_ADMIN_PORT 5986 check_port
  setting BIGCOUCH_COMPACT_AUTOMATICALLY true check_boolean
  both_or_neither COUCHDB_USER COUCHDB_PASS
  if [[ -n ${COUCHDB_USER-} && -n ${COUCHDB_PASS-} ]]; then
    check_database_credential COUCHDB_USER ':@/'
    check_database_credential COUCHDB_PASS '@/'
    warn_if_weak COUCHDB_PASS "$COUCHDB_PASS"
  fi
  check_data_port
}

# Kazoo makes the URL of the admin port from the other one by replacing the first occurrence of the data port's digits,
# wherever they are.
check_data_port() {
  local name why
  [[ $BIGCOUCH_DATA_PORT =~ ^[0-9]+$ && $BIGCOUCH_DATA_PORT != "$BIGCOUCH_ADMIN_PORT" ]] || return 0
  why="without the digits of BIGCOUCH_DATA_PORT in it, since Kazoo would replace them by those of BIGCOUCH_ADMIN_PORT"
  if is_host "$BIGCOUCH_HOST" && [[ $BIGCOUCH_HOST == *"$BIGCOUCH_DATA_PORT"* ]]; then
    refuse BIGCOUCH_HOST "a host $why"
  fi
  for name in COUCHDB_USER COUCHDB_PASS; do
    if [[ ${!name-} == *"$BIGCOUCH_DATA_PORT"* ]]; then refuse_secret "$name" "a text $why"; fi
  done
}

# The original project's README spells the brokers' variables in two ways; the spelling in its list wins.
read_brokers() {
  broker_host KAZOO_AMQP_HOST RABBITMQ_AMQP_HOST rabbitmq-alpha
  broker_host KAZOO_SECONDARY_AMQP_HOST RABBITMQ_SECONDARY_AMQP_HOST rabbitmq-beta
  both_or_neither RABBITMQ_USER RABBITMQ_PASS
  if [[ -n ${RABBITMQ_PASS-} ]]; then warn_if_weak RABBITMQ_PASS "$RABBITMQ_PASS"; fi
  setting RABBITMQ_USER guest check_credential || true
  setting RABBITMQ_PASS guest check_credential || true

  brokers=("$KAZOO_AMQP_HOST")
  # Kazoo identifies brokers by URI, so the same host twice is one broker.
  [[ $KAZOO_SECONDARY_AMQP_HOST == "$KAZOO_AMQP_HOST" ]] || brokers+=("$KAZOO_SECONDARY_AMQP_HOST")
}

# broker_host NAME OTHER_SPELLING DEFAULT
broker_host() {
  local name=$1
  if [[ -z ${!1-} && -n ${!2-} ]]; then name=$2; fi
  setting "$name" "$3" check_host
  printf -v "$1" %s "${!name}"
}

both_or_neither() {
  if [[ -n ${!1-} && -z ${!2-} ]]; then refuse "$2" "a value, since $1 has one"; fi
  if [[ -z ${!1-} && -n ${!2-} ]]; then refuse "$1" "a value, since $2 has one"; fi
}

# KAZOO_OTHER_ZONES: "ZONE=BROKER[,BROKER…] ZONE=…", the other zones of the ring.
read_other_zones() {
  local text=${KAZOO_OTHER_ZONES-} form entry zone broker
  local -A zone_of_broker=()
  other_zones=()
  declare -gA brokers_of=()
  form='zones such as us-east-bos=alpha.example.org,beta.example.org, separated by blanks'

  for broker in "${brokers[@]}"; do zone_of_broker[$broker]=$KAZOO_ZONE; done
  if [[ $text =~ [^A-Za-z0-9_.,=\ -] ]]; then
    refuse KAZOO_OTHER_ZONES "$form"
    return
  fi
  # Safe to split at blanks: there are no pattern characters left.
  for entry in $text; do
    zone=${entry%%=*}
    if [[ ! $entry =~ ^[^=]+=[^=,]+(,[^=,]+)*$ ]] || ! is_zone "$zone"; then
      refuse KAZOO_OTHER_ZONES "$form"
      return
    fi
    # Kazoo calls its own zone "local" internally, and adds up zones of one name.
    if [[ $zone == local || $zone == "$KAZOO_ZONE" || -n ${brokers_of[$zone]-} ]]; then
      refuse KAZOO_OTHER_ZONES "each other zone once, without \"local\" and this node's own, $(shown "$KAZOO_ZONE")"
      return
    fi
    other_zones+=("$zone")
    entry=${entry#*=}
    for broker in ${entry//,/ }; do
      normalize_host broker
      if ! is_host "$broker"; then
        refuse KAZOO_OTHER_ZONES "$form"
        return
      fi
      # Kazoo identifies a broker by its URI: in two zones, it would silently belong to one.
      if [[ -n ${zone_of_broker[$broker]-} ]]; then
        refuse KAZOO_OTHER_ZONES "each broker once: $broker is named for $(shown "${zone_of_broker[$broker]}") and $zone"
        return
      fi
      zone_of_broker[$broker]=$zone
      brokers_of[$zone]+=${brokers_of[$zone]:+ }$broker
    done
  done
}

# Whoever has the cookie can run code on the node.
read_cookie() {
  local file=${ERLANG_COOKIE_FILE:-/etc/secrets/erlang/cookie} source
  setting ALLOW_INSECURE_COOKIE false check_boolean
  cookie=''
  if [[ -e $file || -n ${ERLANG_COOKIE_FILE-} ]]; then
    # Who gives the cookie itself in place of its file shall not read it in the log.
    if [[ $file == /* ]]; then source="ERLANG_COOKIE ($(shown "$file"))"; else source=ERLANG_COOKIE_FILE; fi
    cookie=$(cat "$file" 2>/dev/null) || cookie=''
  elif [[ -n ${ERLANG_COOKIE-} ]]; then
    source=ERLANG_COOKIE
    cookie=$ERLANG_COOKIE
  elif [[ $ALLOW_INSECURE_COOKIE == true ]]; then
    cookie=insecure-cookie
    return
  else
    refuse ERLANG_COOKIE "a cookie here or in $file, or ALLOW_INSECURE_COOKIE=true for local play"
    return
  fi
  if [[ ! $cookie =~ ^[!-~]{1,255}$ || $cookie == *\"* ]]; then
    refuse_secret "$source" '1 to 255 printable ASCII characters without blanks and double quotes, readable by this user'
    return
  fi
  warn_if_weak "$source" "$cookie"
}

# Variables that Kazoo and Erlang read on their own, and that could contradict the rendered files. Two more, KAZOO_CONFIG and
# KAZOO_ZONE, are always set for the node.
check_kazoo_own() {
  local name
  # Kazoo 4.2 and 4.3 prefer it to the cookie in config.ini.
  if [[ -n ${KAZOO_COOKIE-} && -n $cookie && $KAZOO_COOKIE != "$cookie" ]]; then
    refuse_secret KAZOO_COOKIE 'nothing, or the same as ERLANG_COOKIE, since Kazoo would use it for a second cookie'
  fi
  # Its value is a list of applications. An empty one would start none.
  if [[ ! ${KAZOO_APPS-} =~ ^[a-z0-9_,\ ]*$ ]]; then
    refuse KAZOO_APPS "applications' names, such as crossbar,callflow: lower-case letters, digits and '_', separated by commas"
  fi
  for name in ERL_FLAGS ERL_AFLAGS ERL_ZFLAGS; do
    if [[ " ${!name-}" =~ [[:space:]\"\']-(name|sname|setcookie) ]]; then
      refuse_secret "$name" 'flags without -name, -sname and -setcookie, since ERLANG_VM, ERLANG_HOSTNAME and ERLANG_COOKIE say these'
    fi
  done
}

# Kazoo finds its zone by this name, and Erlang's long node names need a dot.
read_host() {
  local found_by
  if [[ -n ${ERLANG_HOSTNAME-} ]]; then
    host=$ERLANG_HOSTNAME found_by='as given'
  elif [[ $KUBERNETES_HOSTNAME_FIX == true ]]; then
    pod_host
    return
  else
    host=$(hostname -f 2>/dev/null) || host=''
    found_by='as `hostname -f` gives it'
  fi
  normalize_host host
  if ! is_host "$host" || is_ipv4 "$host" || [[ $host != *.* ]]; then
    problems+=("ERLANG_HOSTNAME: expected a full host name with a dot, such as kazoo.local, since Erlang's long node names need a domain; found $(shown "$host") $found_by")
  fi
}
