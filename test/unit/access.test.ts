import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deployWithMocks, objects, platformFrom } from "../support/mocks";

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

  test("is a load balancer for some networks only, of a class, that keeps the client's address", async () => {
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

  test("has the node ports that it is given, and leaves the others to Kubernetes", async () => {
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
