import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { stringify } from "yaml";
import type { KubernetesCluster } from "../../config/platform";

/**
 * An API server that answers these paths, 404 for any other, and 403 for those that are null.
 * @param onCommand called for a command in a pod, which then hangs. @default the command is refused
 */
export async function clusterWith(
  t: TestContext,
  answers: Readonly<Record<string, object | null>>,
  onCommand?: () => void,
) {
  const server = createServer((request, answer) => {
    const found = answers[(request.url ?? "").split("?")[0] ?? ""];
    const code = found === undefined ? 404 : found === null ? 403 : 200;
    answer.writeHead(code, { "content-type": "application/json" });
    answer.end(JSON.stringify(found ?? { kind: "Status", code }));
  }).listen(0, "127.0.0.1");
  if (onCommand !== undefined) {
    server.on("upgrade", (_, socket) => {
      t.after(() => socket.destroy());
      onCommand();
    });
  }
  await once(server, "listening");
  const directory = mkdtempSync(join(tmpdir(), "kazoo-strangers-"));
  t.after(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  const kubeconfig = join(directory, "config");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(
    kubeconfig,
    stringify({
      clusters: [{ name: "east", cluster: { server: url, "insecure-skip-tls-verify": true } }],
      users: [{ name: "east", user: {} }],
      contexts: [{ name: "east", context: { cluster: "east", user: "east" } }],
    }),
  );
  const cluster = { name: "east", kind: "kubernetes", context: "east", clusterDomain: "cluster.local", kubeconfig };
  return cluster as KubernetesCluster;
}
