import { createHash } from "node:crypto";
import { jsonServer } from "./jsonServer";

/** A user of Crossbar, Kazoo's API, as its documentation describes users and logins. */
export interface CrossbarUser {
  readonly realm: string;
  readonly accountName: string;
  /** In lower case, as Kazoo stores it. */
  readonly username: string;
  password: string;
  /** `user` may not change users. */
  readonly privilege?: "admin" | "user";
}

export interface CrossbarOptions {
  /** Whether each other login is answered with 429 first. */
  readonly busy?: boolean;
  /** How many logins after a change of the password still go by the old one. */
  readonly lag?: number;
  /** Whether a login needs a second factor. */
  readonly secondFactor?: boolean;
  /** Called before each request is answered; a status is the answer. */
  readonly meanwhile?: (request: string) => number | void;
}

type Answer = { readonly status: number; readonly body: object };

const refusal = (status: number, message: string, data: object = { message }): Answer => ({
  status,
  body: { data, error: String(status), message, status: "error", request_id: "4f2e" },
});

const accountId = "4b1f8e2c";
const userId = "9a77d0c3";
const token = "eyJhbGciOiJSUzI1NiJ9.eyJtZXRob2QiOiJjYl91c2VyX2F1dGgifQ.c2lnbmF0dXJl";

/** A Crossbar with one user on a free port of this machine: `PUT /v2/user_auth` and `PATCH /v2/accounts/ID/users/ID`. */
export async function startCrossbar(user: CrossbarUser, options: CrossbarOptions = {}) {
  const requests: string[] = [];
  let [logins, behind, previous] = [0, 0, user.password];
  const hash = (password: string, method: string) =>
    createHash(method === "sha" ? "sha1" : "md5")
      .update(`${user.username}:${password}`)
      .digest("hex");

  const logIn = (data: Readonly<Record<string, string>>): Answer => {
    if (options.busy === true && ++logins % 2 === 0) return refusal(429, "too_many_requests");
    if (typeof data.credentials !== "string") return refusal(400, "invalid data");
    const isAccount = data.account_realm === user.realm || data.account_name === user.accountName;
    const stored = behind-- > 0 ? previous : user.password;
    if (!isAccount || data.credentials !== hash(stored, data.method ?? "md5"))
      return refusal(401, "invalid_credentials");
    if (options.secondFactor === true) {
      const multi_factor_request = { provider_name: "duo", settings: {} };
      return refusal(401, "invalid_credentials", { message: "second factor", multi_factor_request });
    }
    const apps = [{ id: "8bda62bf", name: "accounts", api_url: "http://192.0.2.1:8000/v2/", label: "Accounts" }];
    const body = { apps, account_id: accountId, owner_id: userId, is_master_account: true, reseller_id: accountId };
    return { status: 201, body: { page_size: 1, data: body, auth_token: token, status: "success" } };
  };

  const patch = (given: string | undefined, data: Readonly<Record<string, string>>): Answer => {
    if (given !== token) return refusal(401, "invalid_credentials");
    if (user.privilege === "user") return refusal(403, "forbidden");
    [previous, behind] = [user.password, options.lag ?? 0];
    user.password = data.password ?? user.password;
    return {
      status: 200,
      body: { data: { id: userId, username: user.username }, auth_token: given, status: "success" },
    };
  };

  const server = await jsonServer((request, text) => {
    const line = `${request.method} ${request.url}`;
    requests.push(line);
    const status = options.meanwhile?.(line);
    if (typeof status === "number") return refusal(status, "unavailable");
    if (request.headers["content-type"] !== "application/json") return refusal(415, "unsupported_media_type");
    const { data } = JSON.parse(text) as { data: Readonly<Record<string, string>> };
    if (line === "PUT /v2/user_auth") return logIn(data);
    if (line === `PATCH /v2/accounts/${accountId}/users/${userId}`)
      return patch(request.headers["x-auth-token"] as string | undefined, data);
    return refusal(404, "bad identifier");
  });
  return { ...server, requests, token };
}
