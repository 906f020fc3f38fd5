import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import https, { type RequestOptions } from "node:https";
import { setTimeout as pause } from "node:timers/promises";
import type { KubeConfig } from "@kubernetes/client-node";
import { workloadLabel } from "./names";

/** Selects what belongs to any stack. */
export const partOfKazoo = "app.kubernetes.io/part-of=kazoo";

/** The part of a watch's event that names the object. */
interface WatchEvent {
  readonly object: {
    readonly metadata?: {
      readonly namespace?: string;
      readonly name?: string;
      readonly labels?: Readonly<Record<string, string>>;
    };
  };
}

interface Waiter {
  readonly namespace: string;
  readonly name: string;
  /** Aborted to wake it. */
  bell: AbortController;
}

/**
 * Tells when objects of one kind change in a cluster, by one watch for all who wait. It runs only while someone waits, so that the process can
 * end. An event only wakes: whoever waits then reads the object itself, because a watch may lag behind the change that it waits for. Without a
 * watch, for example because a proxy cuts it, changes are seen late, but nothing is missed.
 */
export class Changes {
  private readonly waiters = new Set<Waiter>();
  /** Running watches, by namespace; the empty one is the whole cluster. */
  private readonly watches = new Map<string, AbortController>();
  private readonly refused = new Set<string>();

  /**
   * @param config how to reach the cluster
   * @param api the kind's group and version
   * @param plural its name in paths
   */
  constructor(
    private readonly config: () => Promise<KubeConfig>,
    private readonly api: string,
    private readonly plural: string,
  ) {}

  /**
   * Checks at once, and again after each change of an object.
   * @param name of the object, or of its workload
   * @param check resolves to the seconds after which to check again even without a change, or to `undefined` once there is nothing to wait for
   */
  async until(namespace: string, name: string, check: () => Promise<number | undefined>): Promise<void> {
    const waiter: Waiter = { namespace, name, bell: new AbortController() };
    this.waiters.add(waiter);
    try {
      for (;;) {
        // Before the check: a change during it must not be missed.
        waiter.bell = new AbortController();
        const seconds = await check();
        if (seconds === undefined) return;
        this.open(namespace);
        await pause(seconds * 1000, undefined, { signal: waiter.bell.signal }).catch(() => undefined);
      }
    } finally {
      this.waiters.delete(waiter);
      this.closeUnused();
    }
  }

  /** Starts the watch that covers a namespace: that of the whole cluster, unless the user's rights end at namespaces. */
  private open(namespace: string): void {
    const scope = this.refused.has("") ? namespace : "";
    if (this.watches.has(scope) || this.refused.has(scope)) return;
    const watch = new AbortController();
    this.watches.set(scope, watch);
    void this.watch(scope, watch.signal);
  }

  private closeUnused(): void {
    for (const [scope, watch] of this.watches) {
      if (this.waitersIn(scope).length > 0) continue;
      this.watches.delete(scope);
      watch.abort();
    }
  }

  private async watch(scope: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const status = await this.stream(scope, signal).catch(() => undefined);
      if (status === 403) {
        this.refused.add(scope);
        this.watches.delete(scope);
        // Each then opens the watch of its namespace.
        for (const { bell } of this.waitersIn(scope)) bell.abort();
        return;
      }
      await pause(1000, undefined, { signal }).catch(() => undefined);
    }
  }

  /**
   * One connection, until it ends. Without a resource version, the API server first sends all objects as they are: none can be too old for it
   * (410), and what changed since an earlier connection is not missed.
   * @returns the HTTP status
   */
  private async stream(scope: string, signal: AbortSignal): Promise<number | undefined> {
    const config = await this.config();
    const options: RequestOptions = { headers: { Accept: "application/json" }, signal };
    await config.applyToHTTPSOptions(options);
    const path = `${scope === "" ? "" : `namespaces/${scope}/`}${this.plural}`;
    const selector = encodeURIComponent(partOfKazoo);
    const url = `${config.getCurrentCluster()?.server}/apis/${this.api}/${path}?watch=true&labelSelector=${selector}`;
    const request = (url.startsWith("http:") ? http : https).get(url, options);
    request.on("error", () => undefined); // Aborting also causes one after the response.
    request.setSocketKeepAlive(true, 30_000);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    if (response.statusCode !== 200) {
      response.destroy();
      return response.statusCode;
    }
    let rest = "";
    for await (const part of response.setEncoding("utf8") as AsyncIterable<string>) {
      const lines = (rest + part).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.ring(JSON.parse(line) as WatchEvent, scope);
    }
    return response.statusCode;
  }

  private ring({ object: { metadata = {} } }: WatchEvent, scope: string): void {
    for (const { namespace, name, bell } of this.waitersIn(scope)) {
      const named = name === metadata.name || name === metadata.labels?.[workloadLabel];
      if (named && namespace === metadata.namespace) bell.abort();
    }
  }

  private waitersIn(scope: string): Waiter[] {
    return [...this.waiters].filter(({ namespace }) => scope === "" || scope === namespace);
  }
}
