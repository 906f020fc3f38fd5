import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GatewayRoutes, Ingress } from "../../components";
import { networkPolicies } from "../../components/networkPolicies";
import { deployWithMocks, objects, platformFrom, withMocks } from "../support/mocks";

type Tree = Record<string, unknown>;

const stack = (more: Tree): Tree => ({
  image: { prebuilt: "registry.example.com/kazoo:4.3" },
  clusters: { east: { context: "prod-east" } },
  regions: { "us-east": { cluster: "east", datacenters: { nyc: {} } } },
  ...more,
});

const deploy = async (more: Tree) => (await deployWithMocks(platformFrom(stack(more)))).resources;

describe("the Service kazoo", () => {
  const serviceOf = async (service: Tree) => {
    const found = objects(await deploy({ workloads: { kazoo: { service } } }), "Service")["us-east-nyc/kazoo"];
    assert.ok(found);
    return found.spec as Tree & { ports: Tree[] };
  };

  test("can be a load balancer with a class, limited to some networks, that keeps the client's address", async () => {
    const asked = {
      type: "LoadBalancer",
      externalTrafficPolicy: "Local",
      loadBalancerSourceRanges: ["198.51.100.0/24", "2001:db8::/32"],
      loadBalancerClass: "example.com/internal",
    };
    const { selector, ports, ...spec } = await serviceOf(asked);
    assert.deepEqual(spec, asked);
    assert.deepEqual(selector, { "app.kubernetes.io/name": "kazoo", "app.kubernetes.io/instance": "kazoo" });
    assert.deepEqual(
      ports.map(({ nodePort }) => nodePort),
      [undefined, undefined],
    );
  });

  test("uses the configured node ports, and lets Kubernetes choose the others", async () => {
    const { ports } = await serviceOf({ type: "NodePort", nodePorts: { websockets: 30555 } });
    assert.deepEqual(
      ports.map(({ name, nodePort }) => [name, nodePort]),
      [
        ["crossbar", undefined],
        ["websockets", 30555],
      ],
    );
  });
});

describe("the Ingress alone", () => {
  const ingressOf = async (args: Omit<ConstructorParameters<typeof Ingress>[1], "namespace">) => {
    const { resources, outputs } = await withMocks(() => new Ingress("in", { namespace: "nyc", ...args }).urls);
    const [crossbar, websockets] = ["nyc/kazoo", "nyc/kazoo-websockets"].map(
      (name) => objects(resources, "Ingress")[name] as { metadata: { annotations: Tree }; spec: Tree },
    );
    assert.ok(crossbar && websockets);
    return { crossbar, websockets, urls: outputs };
  };
  const rule = (host: string, path: string, pathType: string, number: number) => [
    { host, http: { paths: [{ path, pathType, backend: { service: { name: "kazoo", port: { number } } } }] } },
  ];

  test("routes to Crossbar, and one path to websockets that stay open", async () => {
    const { crossbar, websockets, urls } = await ingressOf({ host: "kazoo.example.com" });
    assert.deepEqual(crossbar.spec, { rules: rule("kazoo.example.com", "/", "Prefix", 8000) });
    assert.deepEqual(websockets.spec, { rules: rule("kazoo.example.com", "/websockets", "Exact", 5555) });
    assert.deepEqual(urls, {
      crossbar: "http://kazoo.example.com",
      websockets: "ws://kazoo.example.com/websockets",
    });
    const { annotations } = websockets.metadata;
    assert.equal(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"], "3600");
    assert.equal(annotations["nginx.ingress.kubernetes.io/rewrite-target"], "/");
    assert.equal(crossbar.metadata.annotations["nginx.ingress.kubernetes.io/rewrite-target"], undefined);
  });

  test("takes a class and annotations, which override its own", async () => {
    const name = "nginx.ingress.kubernetes.io/proxy-read-timeout";
    const { crossbar, websockets } = await ingressOf({ host: "a.b", class: "nginx", annotations: { [name]: "60" } });
    assert.deepEqual([crossbar.spec.ingressClassName, websockets.spec.ingressClassName], ["nginx", "nginx"]);
    assert.equal(websockets.metadata.annotations[name], "60");
  });

  test("requests one certificate for both hosts", async () => {
    const { crossbar, websockets, urls } = await ingressOf({
      host: "kazoo.example.com",
      websockets: { host: "ws.example.com", path: "/" },
      tls: { secretName: "kazoo-tls", clusterIssuer: "letsencrypt" },
    });
    assert.deepEqual(crossbar.spec.tls, [{ hosts: ["kazoo.example.com", "ws.example.com"], secretName: "kazoo-tls" }]);
    assert.deepEqual(websockets.spec.tls, [{ hosts: ["ws.example.com"], secretName: "kazoo-tls" }]);
    const issuer = "cert-manager.io/cluster-issuer";
    assert.equal(crossbar.metadata.annotations[issuer], "letsencrypt");
    assert.equal(websockets.metadata.annotations[issuer], undefined);
    assert.equal(websockets.metadata.annotations["nginx.ingress.kubernetes.io/rewrite-target"], undefined);
    assert.deepEqual(urls, { crossbar: "https://kazoo.example.com", websockets: "wss://ws.example.com/" });
  });
});

test("a Gateway's routes lead to Crossbar and, without the path's prefix, to the websockets", async () => {
  const { resources, outputs } = await withMocks(() => {
    const gateway = { name: "public", namespace: "gateways", sectionName: "https" };
    return new GatewayRoutes("in", { namespace: "nyc", host: "kazoo.example.com", gateway }).urls;
  });
  const routes = objects(resources, "HTTPRoute");
  const common = {
    parentRefs: [{ name: "public", namespace: "gateways", sectionName: "https" }],
    hostnames: ["kazoo.example.com"],
  };
  assert.deepEqual(routes["nyc/kazoo"]?.spec, {
    ...common,
    rules: [{ matches: [{ path: { type: "PathPrefix", value: "/" } }], backendRefs: [{ name: "kazoo", port: 8000 }] }],
  });
  const toRoot = { type: "URLRewrite", urlRewrite: { path: { type: "ReplaceFullPath", replaceFullPath: "/" } } };
  assert.deepEqual(routes["nyc/kazoo-websockets"]?.spec, {
    ...common,
    rules: [
      {
        matches: [{ path: { type: "Exact", value: "/websockets" } }],
        filters: [toRoot],
        backendRefs: [{ name: "kazoo", port: 5555 }],
      },
    ],
  });
  assert.deepEqual(outputs, {
    crossbar: "https://kazoo.example.com",
    websockets: "wss://kazoo.example.com/websockets",
  });
});

test("if the Ingress controller's namespace is configured, clients reach Kazoo from there only", () => {
  const rulesFor = (port: number, more: object = {}) =>
    (
      networkPolicies({ stack: "live", ring: "main", mediaNetworks: ["192.0.2.0/24"], ...more }).kazoo as unknown as {
        ingress: { from?: Tree[]; ports: Tree[] }[];
      }
    ).ingress
      .filter(({ ports }) => ports.some((found) => found.port === port))
      .map(({ from }) => from);
  const controller = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ingress-nginx" } } };
  const given = { clientNamespace: "ingress-nginx" };
  assert.deepEqual(rulesFor(5555), [undefined]);
  assert.deepEqual(rulesFor(5555, given), [[controller]]);
  assert.deepEqual(rulesFor(8443, given), [[controller]]);
  const ownZone = { podSelector: { matchLabels: { "app.kubernetes.io/name": "kazoo" } } };
  assert.deepEqual(rulesFor(8000, given), [[controller], [ownZone]], "a node that starts waits for the first one");
  assert.deepEqual(rulesFor(24517, given), rulesFor(24517), "media servers are let in as before");
});

test("the outputs include a datacenter's URLs and the apps' address", async () => {
  const { outputs } = await deployWithMocks(
    platformFrom(stack({ ingress: { host: "kazoo.example.com", tls: { secretName: "theirs" } } })),
  );
  const { zones } = outputs as unknown as { zones: Record<string, { urls?: Tree }> };
  assert.deepEqual(zones["us-east-nyc"]?.urls, {
    crossbar: "https://kazoo.example.com",
    websockets: "wss://kazoo.example.com/websockets",
  });
  const none = (await deployWithMocks(platformFrom(stack({})))).outputs as unknown as typeof outputs;
  assert.equal("urls" in (none.zones["us-east-nyc"] as object), false);
});
