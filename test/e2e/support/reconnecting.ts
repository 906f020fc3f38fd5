import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { join } from "node:path";
import { until } from "../../support/until";
import type { Cluster } from "./cluster";
import type { Store } from "./logIn";

/** Where the clients are to log in. */
export interface ClientOptions {
  readonly store: Store;
  /** Names of the stores' Services. */
  readonly hosts: readonly string[];
  /** Address of the cluster's DNS. */
  readonly dns: string;
  readonly kubeconfig: string;
  readonly context: string;
}

/** What a store told a user, while a pod had this user's password or was to get it. */
export interface Answers {
  readonly accepted: number;
  readonly refused: number;
  /** How often the store was away. */
  readonly away: number;
}

/** By host and user. */
type ByHost<T> = Readonly<Record<string, Readonly<Record<string, T>>>>;

export interface Seen {
  readonly answers: ByHost<Answers>;
  /** What the same users were told in the end, whoever has them. */
  readonly inTheEnd: ByHost<"accepted" | "refused">;
}

/**
 * Clients on the node, one for each store, that log in, leave, and log in again 100 ms later. They take the users that Kazoo's pods have at that
 * moment, in turns: that of each pod, whether it starts, runs or stops, and that of each Secret, which the next pod gets.
 * @returns once all stores have accepted a user; the function ends the clients
 */
export async function reconnecting(
  { onNode, nodeAddress, kubeconfig, context }: Cluster,
  store: Store,
  hosts: readonly string[],
): Promise<() => Promise<Seen>> {
  const options: ClientOptions = { store, hosts, dns: nodeAddress, kubeconfig, context };
  const program = join(__dirname, "reconnectingClient.ts");
  const command = [process.execPath, "--require", require.resolve("tsx/cjs"), program, JSON.stringify(options)];
  const [file, args] = onNode(command);
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  let started = false;
  const said = text(child.stdout.once("data", () => (started = true)));
  await until("a first login at all stores", () => {
    if (child.exitCode !== null) throw new Error("the client has ended");
    return started;
  });
  return async () => {
    child.stdin.end();
    return JSON.parse(await said) as Seen;
  };
}
