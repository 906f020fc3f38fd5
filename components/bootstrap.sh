# First boot of a ring: the database's own databases, the security of those that are there, then the master account with its
# apps and prompts. May run any number of times: it changes nothing that is in place. The reason of a failure is the last
# line written, since Kubernetes keeps the end.
#
# DATABASE_URL, DATABASE_USER, DATABASE_PASSWORD   the database
# SYSTEM_DATABASES                                 names, separated by blanks; may be empty
# CLOSE_DATABASES                                  yes: databases that let everyone in are closed to all but administrators
# KAZOO_ENTRYPOINT                                 the image's entrypoint, which writes what sup reads, for a container in which no Kazoo
#                                                  runs; sup then asks the node ERLANG_VM@ERLANG_HOSTNAME
# STEPS                                            which of the steps databases security account apps prompts; by default all for which
#                                                  there are settings
# ACCOUNT_NAME, _REALM, _USER, _PASSWORD           the master account
# APPS_PATH, APPS_URL                              Monster UI's apps on the Kazoo node, and the API that they are to call
# PROMPTS_PATH, PROMPTS_LANGUAGE                   recordings on the Kazoo node
#
# Exit codes: 1 another try may succeed, 3 the database refuses user or password
set -eu

fail() {
  echo "bootstrap failed: $1" >&2
  exit 1
}

# The password goes through standard input: every process can read arguments. So do the addresses of many requests.
settings() { printf 'user = "%s:%s"\n' "$DATABASE_USER" "$DATABASE_PASSWORD" | sed 's/\\/\\\\/g'; }
request() { settings | curl --silent --show-error --max-time 20 --config - "$@"; }

status() { request --output /dev/null --write-out '%{http_code}' "$@" 2>/dev/null || true; }

# until_works TRIES WHAT COMMAND…: every 5 seconds, until the command succeeds.
until_works() {
  tries=$1 what=$2 count=0
  shift 2
  until "$@"; do
    count=$((count + 1))
    [ "$count" -lt "$tries" ] || fail "no answer from $what"
    [ "$count" -ne 1 ] || echo "waiting for $what"
    sleep 5
  done
}

# CouchDB 3.4 and later locks out an address that has failed to log in five times, so a refusal is never tried again.
database_answers() {
  answer=$(request --write-out '\n%{http_code}' "$DATABASE_URL/" 2>/dev/null) || true
  case "$answer" in
    *'
200') return 0 ;;
    *'
401' | *'
403')
      reason=$(printf '%s' "$answer" | sed -n 's/.*"reason":"\([^"]*\)".*/\1/p')
      echo "bootstrap failed: the database refuses user $DATABASE_USER or the password in Secret bigcouch: $reason" >&2
      exit 3
      ;;
  esac
  return 1
}

make_database() {
  code=$(status --request PUT "$DATABASE_URL/$1")
  case "$code" in
    201 | 202) echo "database $1: made" ;;
    412) echo "database $1: is there" ;;
    *) fail "making database $1 ended with HTTP status $code" ;;
  esac
}

# each METHOD [CURL ARGUMENT…]: a request to each address on standard input, over one connection; a line CODE ADDRESS BODY for each.
each() {
  method=$1
  shift
  { settings && sed 's/.*/url = "&"/'; } |
    curl --silent --show-error --max-time 20 --config - --request "$method" --write-out '\n%{http_code} %{url_effective}\n' "$@" |
    awk '/^[0-9][0-9][0-9] http/ { print $0, body; body = ""; next } { body = body $0 }'
}

# Of lines CODE ADDRESS SECURITY those that let everyone in, as ADDRESS ADMINISTRATORS; what cannot be read as `failed CODE ADDRESS`.
open_databases='
$1 == "404" { next } # deleted meanwhile
$1 != "200" { print "failed", $1, $2; next }
/"(members|readers)":[{][^}]*\["/ { next }
{
  administrators = "{\"roles\":[\"_admin\"]}"
  if (match($0, /"admins":[{][^}]*\["[^}]*[}]/)) administrators = substr($0, RSTART + 9, RLENGTH - 9)
  print $2, administrators
}'

# Databases that were made while the database let everyone in, as CouchDB 2 does by default, stay open until their security is set. A
# database's own administrators are kept. CouchDB itself protects _users, and from 3.0 on refuses to change its security.
close_databases() {
  all=$(request --fail "$DATABASE_URL/_all_dbs") || fail "the list of databases cannot be read"
  addresses=$(
    printf '%s' "$all" | tr -d '[]" \n\r' | tr ',' '\n' | sed -e '/^_users$/d' -e 's|/|%2F|g' -e 's|+|%2B|g' -e "s|.*|$DATABASE_URL/&/_security|"
  )
  [ -n "$addresses" ] || return 0
  open=$(printf '%s\n' "$addresses" | each GET | awk "$open_databases")
  case "$open" in *'failed '*) fail "the security of databases cannot be read: $(printf '%s\n' "$open" | grep '^failed ' | head -n 1)" ;; esac
  printf '%s\n' "$open" | cut -d ' ' -f 2- | sort -u | while read -r administrators; do
    [ -n "$administrators" ] || continue
    failed=$(
      printf '%s\n' "$open" | same="$administrators" awk '{ address = $1; sub(/^[^ ]* /, "") } $0 == ENVIRON["same"] { print address }' |
        each PUT --header 'Content-Type: application/json' --data "{\"admins\":$administrators,\"members\":{\"roles\":[\"_admin\"]}}" |
        grep -v '^20[012] ' | head -n 1
    ) || true
    [ -z "$failed" ] || fail "the security of a database cannot be set: $failed"
  done || exit 1
  echo "databases: $(printf '%s\n' "$open" | grep -c .) were open to everyone; all are for administrators alone"
}

# documents DATABASE [CURL ARGUMENT…]: ids of a database's documents, without design documents; none where there is no database.
documents() {
  name=$1
  shift
  code=$(status "$DATABASE_URL/$name")
  case "$code" in
    404) return ;;
    200) ;;
    *) fail "reading database $name ended with HTTP status $code" ;;
  esac
  rows=$(request --fail --get "$@" "$DATABASE_URL/$name/_all_docs") || fail "database $name cannot be read"
  printf '%s\n' "$rows" | tr ',{' '\n\n' | sed -n 's/^"id": *"\([^"]*\)".*/\1/p' | sed '/^_design\//d'
}

# Failures of sup may repeat what they were given.
masked() {
  text=$1
  while [ -n "${ACCOUNT_PASSWORD-}" ]; do
    case "$text" in
      *"$ACCOUNT_PASSWORD"*) text="${text%%"$ACCOUNT_PASSWORD"*}[secret]${text#*"$ACCOUNT_PASSWORD"}" ;;
      *) break ;;
    esac
  done
  printf '%s\n' "$text"
}

# maintain MODULE FUNCTION ARGUMENT…: what sup prints, in $said. Its exit code is 0 for most failures: callers read the text.
maintain() {
  said=$(sup "$@" 2>&1 </dev/null) && return
  [ "$1" != -e ] || shift 2
  fail "sup $1 $2: $(masked "$said")"
}

node_answers() { sup erlang node >/dev/null 2>&1 </dev/null; }

make_account() {
  # The first account of a system becomes its master account, and no later one does.
  accounts=$(documents accounts)
  if [ -z "$accounts" ]; then
    set -- crossbar_maintenance create_account "$ACCOUNT_NAME" "$ACCOUNT_REALM" "$ACCOUNT_USER"
    # The password stays out of the process list, except with an image that is older than this script.
    case "$(sup 2>&1 </dev/null)" in
      *'[-e VARIABLE]'*) maintain -e ACCOUNT_PASSWORD "$@" ;;
      *) maintain "$@" "$ACCOUNT_PASSWORD" ;;
    esac
    [ "$(printf '%s\n' "$said" | tail -n 1)" = ok ] || fail "sup create_account: $(masked "$said")"
    echo "master account $ACCOUNT_NAME: made"
    return
  fi
  maintain crossbar_maintenance find_account_by_name "$ACCOUNT_NAME"
  case "$said" in
    *'System Admin: true'*) echo "master account $ACCOUNT_NAME: is there" ;;
    *'Account ID: '*) fail "account $ACCOUNT_NAME is there, but is no master account; sup crossbar_maintenance promote_account makes it one" ;;
    *)
      echo "the ring has accounts already, but none named $ACCOUNT_NAME: left alone"
      exit 0
      ;;
  esac
}

init_apps() {
  maintain crossbar_maintenance init_apps "$APPS_PATH" "$APPS_URL"
  # A missing icon or screenshot is told as a failure too, and is none.
  problems=$(printf '%s\n' "$said" | grep -E 'failed to (find (metadata|app)|incorporate|validate|save app)|error updating') || true
  [ -z "$problems" ] || fail "sup init_apps: $(masked "$problems")"
  count=$(printf '%s\n' "$said" | grep -c -E 'saved app|saved to master|already loaded') || true
  [ "$count" -gt 0 ] || fail "sup init_apps: no app in $APPS_PATH on the Kazoo node"
  echo "apps: $count known to call $APPS_URL"
}

import_prompts() {
  files=$(find "$PROMPTS_PATH" -maxdepth 1 \( -name '*.wav' -o -name '*.mp3' \) 2>/dev/null | wc -l)
  [ "$files" -gt 0 ] || fail "no recordings (*.wav, *.mp3) in $PROMPTS_PATH of the Kazoo image"
  # Ids are LANGUAGE/PROMPT; importing again would overwrite recordings that were changed since.
  present=$(documents system_media --data-urlencode "startkey=\"$PROMPTS_LANGUAGE\"" --data-urlencode "endkey=\"$PROMPTS_LANGUAGE~\"")
  if [ "$(printf '%s' "$present" | grep -c .)" -ge "$files" ]; then
    echo "prompts in $PROMPTS_LANGUAGE: are there"
    return
  fi
  maintain kazoo_media_maintenance import_prompts "$PROMPTS_PATH" "$PROMPTS_LANGUAGE"
  case "$said" in
    *'importing went successfully'*) echo "prompts in $PROMPTS_LANGUAGE: $files imported" ;;
    *) fail "sup import_prompts: $(masked "$said" | tail -n 5)" ;;
  esac
}

step() {
  case "$1" in
    databases) for name in $SYSTEM_DATABASES; do make_database "$name"; done ;;
    security) [ -z "${CLOSE_DATABASES-}" ] || close_databases ;;
    account) [ -z "${ACCOUNT_NAME-}" ] || make_account ;;
    apps) [ -z "${APPS_PATH-}" ] || init_apps ;;
    prompts) [ -z "${PROMPTS_PATH-}" ] || import_prompts ;;
    *) fail "there is no step $1" ;;
  esac
}

until_works 36 "the database at $DATABASE_URL" database_answers
if [ -n "${KAZOO_ENTRYPOINT-}" ]; then
  "$KAZOO_ENTRYPOINT" render /opt/kazoo/etc
  until_works 36 "Kazoo at $ERLANG_HOSTNAME" node_answers
fi
for step in ${STEPS:-databases security account apps prompts}; do step "$step"; done
exit 0
