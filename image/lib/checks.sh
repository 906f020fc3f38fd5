# Checks of variables. Each takes the variable's name and records a problem; `report_problems` ends the run with all of
# them at once, so that nobody has to correct an environment one start at a time.

problems=()
warnings=()

# refuse NAME EXPECTED: records that the variable holds something else.
refuse() {
  problems+=("$1: expected $2; found $(shown "${!1-}")")
}

# A value for people to read, on one line, unless it looks like it contains credentials.
shown() {
  case $1 in
    '') echo nothing ;;
    *@* | *://*) echo 'what is not shown, since it may hold credentials' ;;
    *) printf '%q\n' "${1:0:100}" ;;
  esac
}

# refuse_secret NAME EXPECTED: the same for values that are never shown.
refuse_secret() {
  problems+=("$1: expected $2; its value is not shown")
}

report_problems() {
  if ((${#problems[@]} == 0)); then
    if ((${#warnings[@]})); then printf 'Warning: %s\n' "${warnings[@]}" >&2; fi
    return
  fi
  echo 'Kazoo was not started: its environment cannot be used.' >&2
  printf '  %s\n' "${problems[@]}" >&2
  exit 64
}

# in_range TEXT LOW HIGH: a plain decimal number, without sign, leading zeros or blanks.
in_range() {
  [[ $1 =~ ^(0|[1-9][0-9]{0,8})$ ]] && (($1 >= $2 && $1 <= $3))
}

is_ipv4() {
  local octet
  [[ $1 =~ ^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$ ]] || return 1
  for octet in ${1//./ }; do
    in_range "$octet" 0 255 || return 1
  done
}

# A host name or an IPv4 address, in lower case. Underscores are no part of DNS, but Docker's names have them.
# Numbers alone are an address: resolvers read 1.2.3 as 1.2.0.3, 010.0.0.1 as 8.0.0.1 and 0x7f.1 as 127.0.0.1.
is_host() {
  local label='[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?' number='(0x[0-9a-f]*|[0-9]+)'
  [[ ${#1} -le 253 && $1 =~ ^$label(\.$label)*$ ]] || return 1
  [[ ! $1 =~ ^$number(\.$number)*$ ]] || is_ipv4 "$1"
}

# normalize_host NAME: upper and lower case are the same host, and so is a dot at the end. To Kazoo, which compares brokers
# by their URIs, and to Erlang, which compares nodes by their names, they are not.
normalize_host() {
  local text=${!1,,}
  printf -v "$1" %s "${text%.}"
}

# Zones become Erlang atoms, queue names and parts of config.ini. Kazoo silently drops a zone called "undefined".
is_zone() {
  [[ ${#1} -le 128 && $1 =~ ^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$ && $1 != undefined ]]
}

check_host() {
  local given=${!1}
  normalize_host "$1"
  is_host "${!1}" || {
    printf -v "$1" %s "$given"
    refuse "$1" 'a host name or an IPv4 address'
  }
}

check_port() {
  in_range "${!1}" 1 65535 || refuse "$1" 'a port from 1 to 65535'
}

check_threads() {
  in_range "${!1}" 1 1024 || refuse "$1" 'a number of threads from 1 to 1024'
}

check_boolean() {
  [[ ${!1} == true || ${!1} == false ]] || refuse "$1" 'true or false'
}

check_zone() {
  if [[ ${!1} == undefined ]]; then
    refuse "$1" 'another name, since Kazoo silently drops a zone of this one'
  elif ! is_zone "${!1}"; then
    refuse "$1" "letters, digits, '.', '_' and '-', with a letter or digit first and last"
  fi
}

# It names the node's section in config.ini, and must not replace one of Kazoo's own sections.
# At least two characters: Kazoo's parser knows no section of one.
check_vm() {
  case ${!1} in
    amqp | bigcouch | data | log | zone | undefined)
      refuse "$1" "an Erlang application's name that is no section of Kazoo's config.ini, such as kazoo_apps or ecallmgr"
      ;;
    *)
      [[ ${!1} =~ ^[a-z][a-z0-9_]{0,61}[a-z0-9]$ ]] ||
        refuse "$1" "an Erlang application's name, such as kazoo_apps or ecallmgr: lower-case letters, digits and '_'"
      ;;
  esac
}

check_log_level() {
  case ${!1} in
    debug | info | notice | warning | error | critical | alert | emergency) ;;
    *) refuse "$1" 'one of debug, info, notice, warning, error, critical, alert, emergency' ;;
  esac
}

check_sasl_errlog_type() {
  case ${!1} in
    error | progress | all) ;;
    *) refuse "$1" 'one of error, progress, all' ;;
  esac
}

check_sasl_error_logger() {
  case ${!1} in
    tty | false) ;;
    *) refuse "$1" 'tty or false' ;;
  esac
}

# A user's name or password: config.ini cannot express a quote, a line break or a control character.
check_credential() {
  local value=${!1}
  if [[ -z $value || ${#value} -gt 255 || $value == *[[:cntrl:]\"]* ]]; then
    refuse_secret "$1" '1 to 255 bytes without a double quote, a line break or another control character'
    return 1
  fi
}

# The same for the database. From version 4.3.45 on Kazoo puts user and password as they are into the URL
# http://USER:PASS@HOST:PORT, and its HTTP client does not decode them. The other uses (the broker's URI, the Authorization
# header that the compactor sends) carry all that check_credential accepts.
# check_database_credential NAME ENDS: the characters that would end this part of the URL.
check_database_credential() {
  check_credential "$1" || return 0
  if [[ ${!1} == true || ${!1} == false ]]; then
    refuse_secret "$1" "a text other than true and false, which Kazoo reads as booleans"
  elif [[ ${!1} == *[$2]* ]]; then
    refuse_secret "$1" "a text without the characters $2, since Kazoo puts it into the database's URL without encoding"
  fi
}

# warn_if_weak NAME VALUE: weak secrets are accepted, since live systems have them.
warn_if_weak() {
  if ((${#2} < 12)) || [[ ${2,,} =~ change_?me|password|insecure ]]; then
    warnings+=("$1 is weak, since it is short or a well-known default: replace it with a long random one.")
  fi
}
