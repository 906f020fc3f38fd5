import { createHash } from "node:crypto";
import { kazooPorts } from "../../../components/names";
import { quoted } from "../../shared/shell";

/** The administrator of a master account. */
export interface Account {
  readonly name: string;
  readonly realm: string;
  readonly user: string;
  readonly password: string;
}

/**
 * Scripts for a Kazoo node's container that ask its Crossbar. They write one word about the result to standard output, and fail if Crossbar
 * does not answer, or answers with an unexpected status.
 */

/** Tries an account's password: `accepted`, `second factor` (the password is right) or `refused`. */
export const tryPassword = (account: Account): string => `${crossbar}
log_in ${login(account, account.password)}
echo "$said"
exit 0
`;

/**
 * Gives the administrator an account's password instead of another one: `set`; `was set` if it has it already; `refused` if it has neither;
 * `second factor` if it still has the other one, and Kazoo asks for more than that.
 */
export const changePassword = (account: Account, from: string): string => `${crossbar}
log_in ${login(account, from)}
case "$said" in
  'second factor') echo 'second factor'; exit 0 ;;
  refused)
    log_in ${login(account, account.password)}
    [ "$said" = refused ] && echo refused || echo 'was set'
    exit 0
    ;;
esac
ask PATCH "/accounts/$account/users/$user" ${data({ password: account.password })}
[ "$status" != 401 ] || fail PATCH
# Each node of the database answers from its own copy, which may be a moment behind.
for try in 1 2 3 4 5 6; do
  log_in ${login(account, account.password)}
  changed=$said
  log_in ${login(account, from)}
  [ "$changed $said" = 'accepted refused' ] && echo set && exit 0
  sleep 5
done
echo "Crossbar took the new password, but logging in with it is $changed, and with the old one $said" >&2
exit 1
`;

/**
 * `ask METHOD PATH DATA` sets status and answer, and waits while Crossbar is busy or away: it allows an address few logins at once.
 * `log_in DATA` sets said, token, account and user. Data goes through standard input, because every process can read arguments.
 */
const crossbar = `token=
ask() {
  tries=0
  while :; do
    answer=$(
      printf 'header = "Content-Type: application/json"\\nheader = "X-Auth-Token: %s"\\ndata = %s\\n' "$token" "$3" |
        curl --silent --noproxy 127.0.0.1 --max-time 20 --config - --request "$1" --write-out '\\n%{http_code}' "http://127.0.0.1:${kazooPorts.crossbar}/v2$2"
    ) || true
    status=$(printf '%s\\n' "$answer" | tail -n 1)
    case "$status" in
      2?? | 401) return 0 ;;
      '' | 000 | 429 | 5??) ;;
      *) fail "$1" ;;
    esac
    tries=$((tries + 1))
    [ "$tries" -lt 12 ] || fail "$1"
    sleep 5
  done
}
fail() {
  case "$status" in
    '' | 000) echo "Crossbar does not answer" >&2 ;;
    *) echo "Crossbar answers $1 with status $status" >&2 ;;
  esac
  exit 1
}
first() { printf '%s\\n' "$answer" | grep -o "\\"$1\\": *\\"[^\\"]*\\"" | head -n 1 | cut -d '"' -f 4; }
log_in() {
  token=
  ask PUT /user_auth "$1"
  case "$status" in
    2??) said=accepted token=$(first auth_token) account=$(first account_id) user=$(first owner_id) ;;
    *) case "$answer" in *multi_factor_request*) said='second factor' ;; *) said=refused ;; esac ;;
  esac
}`;

/** A login as `ask` takes it. Kazoo stores names of users in lower case. The realm counts; the name is for an account whose realm has changed. */
const login = ({ name, realm, user }: Account, password: string): string =>
  data({
    credentials: createHash("md5").update(`${user.toLowerCase()}:${password}`).digest("hex"),
    method: "md5",
    account_realm: realm,
    account_name: name,
  });

/** A request's data as a string of curl's configuration, in one word of a script. */
const data = (value: object): string => quoted(JSON.stringify(JSON.stringify({ data: value })));
