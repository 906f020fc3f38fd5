# Lists the database nodes of a ring with one of them, each with its zone; the program appends the calls of wait_for and
# join. May run any number of times, and in several zones at once. The reason of a failure is the last line written, since
# Kubernetes keeps the end.
#
# DATABASE_USER, DATABASE_PASSWORD   the database's administrator
#
# Exit codes: 1 another try may succeed, 3 the database refuses user or password
set -eu

# The password goes through standard input: every process can read arguments.
request() {
  printf 'user = "%s:%s"\n' "$DATABASE_USER" "$DATABASE_PASSWORD" | sed 's/\\/\\\\/g' |
    curl --silent --show-error --max-time 20 --write-out '\n%{http_code}' --config - "$@"
}

# ask METHOD URL [DOCUMENT]: the answer's $code (000: none) and $body. CouchDB 3.4 and later locks out an address that has
# failed to log in five times, so a refusal is never tried again.
ask() {
  if [ $# -gt 2 ]; then
    answer=$(request --request "$1" --header 'Content-Type: application/json' --data "$3" "$2") || true
  else
    answer=$(request --request "$1" "$2") || true
  fi
  code=${answer##*"
"}
  body=${answer%"
"*}
  case "$code" in
    401 | 403)
      reason=$(printf '%s' "$body" | sed -n 's/.*"reason":"\([^"]*\)".*/\1/p')
      echo "the database refuses user $DATABASE_USER or the password in Secret bigcouch: HTTP status $code: $reason" >&2
      exit 3
      ;;
  esac
}

# wait_for URL: until the database answers there, for five minutes.
wait_for() {
  tries=0
  until
    ask GET "$1"
    [ "$code" = 200 ]
  do
    tries=$((tries + 1))
    if [ "$tries" -ge 60 ]; then
      echo "no answer from $1" >&2
      exit 1
    fi
    echo "waiting for $1"
    sleep 5
  done
}

# change WHAT METHOD URL [DOCUMENT]: ask, where a change that came too late (409) is no failure: the caller looks again.
change() {
  what=$1
  shift
  ask "$@"
  case "$1 $code" in
    *' 20'[012] | *' 409' | 'DELETE 404') ;;
    *)
      echo "$what failed with HTTP status $code" >&2
      exit 1
      ;;
  esac
}

# join LIST NODE ZONE
join() {
  rounds=0
  while [ "$rounds" -lt 20 ]; do
    rounds=$((rounds + 1))
    ask GET "$1/$2?conflicts=true"
    case "$code" in
      404)
        # The same revision that the node itself writes at its first start: whichever arrives later is no conflict.
        change "listing $2" PUT "$1/$2" '{}'
        continue
        ;;
      200) ;;
      *)
        echo "reading $2 failed with HTTP status $code" >&2
        exit 1
        ;;
    esac
    document=$body
    # Revisions that lost against another: each would bring a node back that is deleted later.
    for lost in $(printf '%s' "$document" | sed -n 's/.*"_conflicts":\[\([^]]*\)\].*/\1/p' | tr ',"' '  '); do
      change "deleting a revision of $2 that lost" DELETE "$1/$2?rev=$lost"
    done
    case "$document" in *'"zone":"'"$3"'"'*)
      echo "$2 is in zone $3"
      return
      ;;
    esac
    revision=$(printf '%s' "$document" | sed -n 's/.*"_rev":"\([^"]*\)".*/\1/p')
    change "joining $2" PUT "$1/$2" "{\"_rev\":\"$revision\",\"zone\":\"$3\"}"
    case "$code" in 201 | 202)
      echo "$2 joined in zone $3"
      return
      ;;
    esac
    sleep 1
  done
  echo "joining $2 failed: others kept changing it" >&2
  exit 1
}
