import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Clone, cloneProject } from "../support/clone";
import { clusterApi } from "../support/clusterApi";
import { define } from "../support/definitions";
import { goModule } from "../support/goModule";

describe("the way in of a live datacenter", { concurrency: 1 }, () => {
  let clone: Clone;
  let api: Awaited<ReturnType<typeof clusterApi>>;
  const stackFile = (more: object) =>
    writeFileSync(
      join(clone.directory, "Pulumi.dev.yaml"),
      JSON.stringify({
        config: {
          "kazoo:protect": false,
          "kazoo:clusters": { local: { sandbox: true } },
          "kazoo:regions": { local: { cluster: "local", datacenters: { dev: {} } } },
          ...more,
        },
      }),
    );
  const succeeds = async (...args: string[]) => {
    const { code, stdout, stderr } = await clone.run(args);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const inNamespace = (group: string, resource: string) => api.list(`${group}/namespaces/local-dev/${resource}`);
  const podNames = async () =>
    (await inNamespace("/api/v1", "pods")).map(({ metadata }) => `${metadata?.name} ${metadata?.uid}`).sort();

  before(async () => {
    clone = await cloneProject();
    stackFile({});
    await succeeds("sandbox", "up", "local");
    await succeeds("up");
    api = await clusterApi(clone.directory, "local");
  });
  after(() => clone?.dispose());

  test("an ingress comes without restarting a pod, and closes Kazoo's ports to everyone else", async () => {
    const before = await podNames();
    stackFile({
      "kazoo:ingress": { host: "kazoo.example.com", class: "nginx", controllerNamespace: "ingress-nginx" },
    });
    await succeeds("up");
    assert.deepEqual(await podNames(), before);
    const ingresses = await inNamespace("/apis/networking.k8s.io/v1", "ingresses");
    const routes = ingresses.map(({ metadata, spec }) => {
      const [rule] = spec?.rules as { host: string; http: { paths: { path: string; backend: object }[] } }[];
      return [metadata?.name, rule?.host, rule?.http.paths.map(({ path, backend }) => [path, backend])];
    });
    const service = (number: number) => ({ service: { name: "kazoo", port: { number } } });
    assert.deepEqual(routes, [
      ["kazoo", "kazoo.example.com", [["/", service(8000)]]],
      ["kazoo-websockets", "kazoo.example.com", [["/websockets", service(5555)]]],
    ]);
    const policies = await inNamespace("/apis/networking.k8s.io/v1", "networkpolicies");
    const kazoo = policies.find(({ metadata }) => metadata?.name === "kazoo")?.spec;
    const [first] = (kazoo?.ingress ?? []) as { from?: object[]; ports: { port: number }[] }[];
    assert.deepEqual(first?.from, [
      { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ingress-nginx" } } },
    ]);
    assert.deepEqual(
      first.ports.map(({ port }) => port),
      [8000, 8443, 5555],
    );
  });

  test("node ports and the way of connections from outside reach the Service", async () => {
    stackFile({
      "kazoo:workloads": {
        kazoo: { service: { type: "NodePort", externalTrafficPolicy: "Local", nodePorts: { crossbar: 30800 } } },
      },
    });
    await succeeds("up");
    assert.deepEqual(await inNamespace("/apis/networking.k8s.io/v1", "ingresses"), []);
    const services = await inNamespace("/api/v1", "services");
    const spec = services.find(({ metadata }) => metadata?.name === "kazoo")?.spec;
    assert.deepEqual([spec?.type, spec?.externalTrafficPolicy], ["NodePort", "Local"]);
    const [crossbar] = spec?.ports as { nodePort: number }[];
    assert.equal(crossbar?.nodePort, 30800);
  });

  test("routes of a Gateway that exists pass the Gateway API's own definition", async () => {
    const module = await goModule("sigs.k8s.io/gateway-api@v1.2.1", "h1:fZZ/+RyRb+Y5tGkwxFKuYuSRQHu9dZtbjenblleOLHM=");
    await define(api, join(module, "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"));
    stackFile({ "kazoo:gateway": { host: "kazoo.example.com", name: "public", namespace: "gateways" } });
    await succeeds("up");
    const routes = await inNamespace("/apis/gateway.networking.k8s.io/v1", "httproutes");
    assert.deepEqual(
      routes.map(({ metadata, spec }) => [metadata?.name, spec?.hostnames]),
      [
        ["kazoo", ["kazoo.example.com"]],
        ["kazoo-websockets", ["kazoo.example.com"]],
      ],
    );
    const [parent] = routes[0]?.spec?.parentRefs as { name: string; namespace: string }[];
    assert.deepEqual([parent?.name, parent?.namespace], ["public", "gateways"]);
  });

  test("a second preview is empty, and destroy takes everything away", async () => {
    const preview = await succeeds("preview");
    assert.match(preview, /\d+ unchanged/);
    assert.doesNotMatch(preview, /to (create|update|replace|delete)/);
    await succeeds("destroy");
    assert.equal((await api.call("GET", "/api/v1/namespaces/local-dev")).status, 404);
  });
});
