import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { defineGatewayApi } from "../support/definitions";
import { type SandboxStack, sandboxStack } from "../support/sandboxStack";

describe("access to a live datacenter", { concurrency: 1 }, () => {
  let stack: SandboxStack;
  const inNamespace = (group: string, resource: string) => stack.api.list(`${group}/namespaces/local-dev/${resource}`);
  const podNames = async () =>
    (await inNamespace("/api/v1", "pods")).map(({ metadata }) => `${metadata?.name} ${metadata?.uid}`).sort();

  before(async () => {
    stack = await sandboxStack();
    stack.configure({});
    await stack.succeeds("up");
  });
  after(() => stack?.clone.dispose());

  test("adding an ingress restarts no pod, and closes Kazoo's ports to everyone else", async () => {
    const before = await podNames();
    stack.configure({
      "kazoo:ingress": { host: "kazoo.example.com", class: "nginx", controllerNamespace: "ingress-nginx" },
    });
    await stack.succeeds("up");
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

  test("the Service gets node ports and the traffic policy", async () => {
    stack.configure({
      "kazoo:workloads": {
        kazoo: { service: { type: "NodePort", externalTrafficPolicy: "Local", nodePorts: { crossbar: 30800 } } },
      },
    });
    await stack.succeeds("up");
    assert.deepEqual(await inNamespace("/apis/networking.k8s.io/v1", "ingresses"), []);
    const services = await inNamespace("/api/v1", "services");
    const spec = services.find(({ metadata }) => metadata?.name === "kazoo")?.spec;
    assert.deepEqual([spec?.type, spec?.externalTrafficPolicy], ["NodePort", "Local"]);
    const [crossbar] = spec?.ports as { nodePort: number }[];
    assert.equal(crossbar?.nodePort, 30800);
  });

  test("routes of an existing Gateway pass the Gateway API's own definition", async () => {
    await defineGatewayApi(stack.api);
    stack.configure({ "kazoo:gateway": { host: "kazoo.example.com", name: "public", namespace: "gateways" } });
    await stack.succeeds("up");
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

  test("a second preview is empty, and destroy removes everything", async () => {
    await stack.isUnchanged();
    await stack.succeeds("destroy");
    assert.equal((await stack.api.call("GET", "/api/v1/namespaces/local-dev")).status, 404);
  });
});
