import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

interface Stored {
  readonly metadata: { readonly namespace: string; readonly name: string; readonly labels?: Record<string, string> };
}

interface OpenWatch {
  /** The watched path. */
  readonly path: string;
  readonly response: ServerResponse;
}

const under = (path: string, collection: string) => {
  const [, api, namespace, plural] = /^(\/apis\/[^/]+\/[^/]+)\/(?:namespaces\/([^/]+)\/)?([^/]+)$/.exec(path) ?? [];
  return [`${api}/${plural}`, `${api}/namespaces/${namespace}/${plural}`].includes(collection);
};

/** An API server with StatefulSets and Jobs that can be read, listed and watched. */
export async function watchedCluster(t: TestContext) {
  const objects = new Map<string, Stored>();
  const watches = new Set<OpenWatch>();
  const cluster = {
    context: "prod-east",
    kubeconfig: "",
    /** Paths of all requests so far. */
    requests: [] as string[],
    watches,
    /** Paths that the user may not watch. */
    refused: new Set<string>(),
    /** Whether watches are accepted, but never answered, as behind a proxy that waits for the end of each answer. */
    silent: false,
    /** Called after an object was read, and before it is sent. */
    beforeAnswer: () => undefined as void,
    watched: () => [...watches].map(({ path }) => path),
    /** Requests that are no watch. */
    reads: () => cluster.requests.filter((path) => !path.includes("watch=true")),
    send: (path: string, type: string, object: object) => {
      for (const watch of watches)
        if (watch.path === path) watch.response.write(`${JSON.stringify({ type, object })}\n`);
    },
    /** Stores an object, and tells those who watch its collection. */
    put: (collection: string, object: Stored) => {
      const path = `${collection.replace(/([^/]+)$/, `namespaces/${object.metadata.namespace}/$1`)}`;
      objects.set(`${path}/${object.metadata.name}`, object);
      for (const each of new Set([collection, path])) cluster.send(each, "MODIFIED", object);
    },
    /** Cuts all connections. */
    cut: () => server.closeAllConnections(),
  };
  const server = createServer((request, response) => {
    const { pathname: path, searchParams } = new URL(request.url ?? "", "http://127.0.0.1");
    cluster.requests.push(request.url ?? "");
    response.setHeader("Content-Type", "application/json");
    const found = [...objects].filter(([key]) => under(key.slice(0, key.lastIndexOf("/")), path));
    if (searchParams.get("watch") === "true") {
      if (cluster.refused.has(path)) return void response.writeHead(403).end("{}");
      const watch = { path, response };
      watches.add(watch);
      response.on("close", () => watches.delete(watch));
      if (cluster.silent) return;
      response.flushHeaders();
      for (const [, object] of found) cluster.send(path, "ADDED", object);
      return;
    }
    const object = objects.get(path);
    const isCollection = /\/(statefulsets|jobs)$/.test(path);
    if (object === undefined && !isCollection) return void response.writeHead(404).end("{}");
    const answer = JSON.stringify(object ?? { items: found.map(([, each]) => each) });
    cluster.beforeAnswer();
    response.end(answer);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const folder = mkdtempSync(join(tmpdir(), "kazoo-watched-"));
  t.after(() => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true });
  });
  cluster.kubeconfig = join(folder, "config");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(
    cluster.kubeconfig,
    JSON.stringify({
      clusters: [{ name: "east", cluster: { server: url, "insecure-skip-tls-verify": true } }],
      users: [{ name: "east", user: {} }],
      contexts: [{ name: cluster.context, context: { cluster: "east", user: "east" } }],
    }),
  );
  return cluster;
}
