# What a variable may hold. Each check takes the variable's name and notes a problem; `report_problems` ends the run
# with all of them at once, so that nobody has to mend an environment one start at a time.

problems=()

# refuse NAME EXPECTED: the variable holds something else.
refuse() {
  problems+=("$1: expected $2; found $(shown "${!1-}")")
}

# A value for people to read, on one line, unless it looks as if credentials had slipped into it.
shown() {
  case $1 in
    '') echo nothing ;;
    *@* | *://*) echo 'what is not shown, since it may hold credentials' ;;
    *) printf '%q\n' "${1:0:100}" ;;
  esac
}

# refuse_secret NAME EXPECTED: the same for what is never shown.
refuse_secret() {
  problems+=("$1: expected $2; its value is not shown")
}

report_problems() {
  ((${#problems[@]})) || return 0
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

# A host name or an IPv4 address. Underscores are no part of DNS, but Docker's names have them.
is_host() {
  local label='[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'
  [[ ${#1} -le 253 && $1 =~ ^$label(\.$label)*$ ]] || return 1
  [[ ! $1 =~ ^[0-9.]+$ ]] || is_ipv4 "$1"
}

# Zones become Erlang atoms, queue names and parts of config.ini.
is_zone() {
  [[ ${#1} -le 128 && $1 =~ ^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$ ]]
}

check_host() {
  is_host "${!1}" || refuse "$1" 'a host name or an IPv4 address'
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
  is_zone "${!1}" || refuse "$1" "letters, digits, '.', '_' and '-', with a letter or digit first and last"
}

# At least two characters: Kazoo's parser knows no section of one.
check_vm() {
  [[ ${!1} =~ ^[a-z][a-z0-9_]{0,61}[a-z0-9]$ ]] ||
    refuse "$1" "an Erlang application's name, such as kazoo_apps or ecallmgr: lower-case letters, digits and '_'"
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

# A user's name or password: config.ini has no way to write a quote, a line's end or a control character.
check_credential() {
  local value=${!1}
  if [[ -z $value || ${#value} -gt 255 || $value == *[[:cntrl:]\"]* ]]; then
    refuse_secret "$1" '1 to 255 bytes without a double quote, a line break or another control character'
  fi
}

# The same for the database, whose credentials stand in config.ini as they are. Kazoo takes these two words for booleans.
check_database_credential() {
  check_credential "$1"
  if [[ ${!1} == true || ${!1} == false ]]; then
    refuse_secret "$1" "a text other than true and false, which Kazoo reads as booleans"
  fi
}
