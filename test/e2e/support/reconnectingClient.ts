import { Resolver } from "node:dns/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { credentialAnnotations, workloadLabel, workloads } from "../../../components/names";
import { storeUser } from "../../../config/credentials";
import { secrets } from "../../../config/hosts";
import { until } from "../../support/until";
import { type Account, type Login, logIn } from "./logIn";
import type { Answers, ClientOptions, Seen } from "./reconnecting";

/** The program of {@link reconnecting}. It ends when its standard input does. */

const { store, hosts, dns, kubeconfig, context } = JSON.parse(process.argv[2] ?? "") as ClientOptions;
const config = new KubeConfig();
config.loadFromFile(kubeconfig);
config.setCurrentContext(context);
const api = config.makeApiClient(CoreV1Api);
const resolver = new Resolver();
resolver.setServers([dns]);

/** Passwords of all users so far. */
const passwords = new Map<string, string>();
const annotation = { rabbitmq: credentialAnnotations.broker, database: credentialAnnotations.database }[store];

/** The users that Kazoo's pods have, or would get if they started now. */
async function usersOfPods(): Promise<string[]> {
  const [pods, given] = await Promise.all([
    api.listPodForAllNamespaces({ labelSelector: `${workloadLabel}=${workloads.kazoo}` }),
    api.listSecretForAllNamespaces({ fieldSelector: `metadata.name=${secrets[store]}` }),
  ]);
  const next = given.items.map(({ data = {} }) => {
    const [user = "", password = ""] = ["username", "password"].map((key) => atob(data[key] ?? ""));
    passwords.set(user, password);
    return user;
  });
  const had = pods.items.map(({ metadata }) => metadata?.annotations?.[annotation] ?? storeUser(1));
  return [...new Set([...next, ...had])].sort();
}

async function tryAt(host: string, user: string): Promise<Login> {
  const account: Account = { user, password: passwords.get(user) ?? "" };
  // Without a ready pod there is no address.
  const [address] = await resolver.resolve4(host).catch(() => []);
  return address === undefined ? "away" : await logIn(store, address, account);
}

let users: readonly string[] = [];
let ended = false;

async function keepUsers(): Promise<void> {
  while (!ended) {
    users = await usersOfPods();
    await sleep(500);
  }
}

async function reconnect(host: string): Promise<Record<string, Answers>> {
  const answers: Record<string, Answers> = {};
  for (let turn = 0; !ended; turn += 1) {
    const user = users[turn % users.length] ?? "";
    const answer = await tryAt(host, user);
    // No pod may have it any more: the list is half a second old.
    if (answer !== "refused" || (await usersOfPods()).includes(user)) {
      const before = answers[user] ?? { accepted: 0, refused: 0, away: 0 };
      answers[user] = { ...before, [answer]: before[answer] + 1 };
    }
    await sleep(100);
  }
  return answers;
}

const toEach = async <T>(all: readonly string[], what: (one: string) => Promise<T>): Promise<Record<string, T>> =>
  Object.fromEntries(await Promise.all(all.map(async (one) => [one, await what(one)] as const)));

const lastAnswer = (host: string, user: string): Promise<"accepted" | "refused"> =>
  until(`an answer of ${host} to ${user}`, async () => {
    const answer = await tryAt(host, user);
    return answer !== "away" && answer;
  });

async function main(): Promise<void> {
  process.stdin.resume().once("end", () => (ended = true));
  users = await usersOfPods();
  await toEach(hosts, (host) => lastAnswer(host, users[0] ?? ""));
  process.stdout.write("\n");
  const [answers] = await Promise.all([toEach(hosts, reconnect), keepUsers()]);
  const inTheEnd = await toEach(hosts, (host) => toEach([...passwords.keys()], (user) => lastAnswer(host, user)));
  process.stdout.write(JSON.stringify({ answers, inTheEnd } satisfies Seen));
  process.stdin.destroy();
}

void main();
