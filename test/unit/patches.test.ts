import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { patchedParts } from "../../components/patches";
import { ConfigError } from "../../config/problem";
import { subjectOf } from "../../tools/report/subject";
import { deployWithMocks, objects, platformFrom } from "../support/mocks";

const aliases = [{ ip: "192.0.2.7", hostnames: ["sbc"] }];
const hostAliases = [{ op: "add", path: "/spec/template/spec/hostAliases", value: aliases }];

const platform = (patches: object, config: object = {}) =>
  platformFrom({
    image: { prebuilt: "registry.example.com/kazoo:4.3" },
    clusters: { east: { context: "east" } },
    regions: { "us-east": { cluster: "east", datacenters: { nyc: {}, bos: {} } } },
    patches,
    ...config,
  });

const deployed = async (patches: object) => (await deployWithMocks(platform(patches))).resources;

const problemsOf = (patches: object, config: object = {}): string[] => {
  try {
    platform(patches, config);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems.map(({ key, found, expected }) => `${key}: ${found}; ${expected}`);
  }
  return [];
};

describe("a patch", () => {
  test("changes and annotates the objects that its target names; all others stay", async () => {
    const target = { kind: "StatefulSet", name: "kazoo", zone: "us-east-nyc" };
    const sets = objects(await deployed({ sbc: { target, operations: hostAliases } }), "StatefulSet");
    const plain = objects(await deployed({}), "StatefulSet");
    const changed = "us-east-nyc/kazoo";
    const { metadata, spec } = sets[changed] as {
      metadata: { annotations: object; labels: object };
      spec: { template: { spec: { hostAliases: object } } };
    };
    assert.deepEqual(spec.template.spec.hostAliases, aliases);
    assert.deepEqual(metadata.annotations, { "kazoo/patches": "sbc" });
    assert.deepEqual(metadata.labels, (plain[changed] as { metadata: { labels: object } }).metadata.labels);
    for (const name of Object.keys(plain).filter((other) => other !== changed))
      assert.deepEqual(sets[name], plain[name], name);
  });

  test("finds a zone's Namespace by its name", async () => {
    const target = { kind: "Namespace", name: "us-east-nyc" };
    const operations = [{ op: "add", path: "/metadata/labels/team", value: "voice" }];
    const labelled = (await deployed({ team: { target, operations } })).filter(
      ({ inputs }) => (inputs as { metadata?: { labels?: { team?: string } } }).metadata?.labels?.team === "voice",
    );
    assert.deepEqual(
      labelled.map(({ name }) => name),
      ["us-east-nyc-namespace"],
    );
  });

  test("finds objects by their labels, and several patches apply in the order of their names", async () => {
    const target = { kind: "StatefulSet", labels: { "app.kubernetes.io/name": "rabbitmq" } };
    const path = "/spec/template/spec/priorityClassName";
    const sets = objects(
      await deployed({
        b: { target, operations: [{ op: "test", path, value: "calls" }] },
        a: { target, operations: [{ op: "add", path, value: "calls" }] },
      }),
      "StatefulSet",
    );
    const patched = Object.entries(sets).flatMap(([name, { metadata }]) => {
      const { annotations } = metadata as { annotations?: Record<string, string> };
      return annotations?.["kazoo/patches"] === "a,b" ? [name] : [];
    });
    assert.deepEqual(
      patched.sort(),
      ["bos", "nyc"].flatMap((zone) => [`us-east-${zone}/rabbitmq-alpha`, `us-east-${zone}/rabbitmq-beta`]),
    );
  });

  test("that matches nothing is refused, with all others like it in the same error", async () => {
    await assert.rejects(
      deployed({
        one: { target: { kind: "StatefulSet", name: "kazo" }, operations: hostAliases },
        two: { target: { kind: "Service", labels: { app: "x" } }, operations: [{ op: "remove", path: "/spec/type" }] },
      }),
      /2 problems[^]*kazoo:patches\.one\.target: found \{"kind":"StatefulSet","name":"kazo"[^]*kazoo:patches\.two\.target/,
    );
  });

  test("that does not fit is refused with the operation, the object and the reason", () => {
    const patch = {
      name: "sbc",
      target: { kind: "Service" as const },
      operations: [{ op: "remove" as const, path: "/spec/none" }],
    };
    assert.throws(
      () => patchedParts({ spec: {} }, [patch], "Service of us-east-nyc"),
      /kazoo:patches\.sbc\.operations: remove \/spec\/none does not fit Service of us-east-nyc: operation path unresolvable/,
    );
  });

  test("must not break names, selectors, security or Secrets; a container can be added", () => {
    const on = (kind: string, ...operations: object[]) => ({ p: { target: { kind }, operations } });
    const add = (path: string) => ({ op: "add", path, value: {} });
    for (const [kind, path, why] of [
      ["Service", "/metadata/name", "other objects refer to it"],
      ["Service", "/metadata", "other objects refer to it"],
      ["Service", "/metadata/labels/kazoo~1stack", "the stack finds its objects by its own labels"],
      ["Namespace", "/metadata/labels/pod-security.kubernetes.io~1enforce", "the stack finds its objects"],
      ["Secret", "/data/cookie", "secrets come from kazoo:credentials"],
      ["Service", "/spec/selector/app", "it says which pods"],
      ["NetworkPolicy", "/spec", "it says which pods"],
      ["StatefulSet", "/spec/volumeClaimTemplates/0/spec", "Kubernetes cannot change it"],
      ["StatefulSet", "/spec/template/spec/containers/0/securityContext/runAsUser", "security level"],
      ["StatefulSet", "/spec/template/spec/containers/0", "security level"],
      ["Job", "/spec/template/spec/hostNetwork", "security level"],
    ] as const) {
      const [found, ...others] = problemsOf(on(kind, add(path)));
      assert.match(
        found ?? "",
        new RegExp(`^kazoo:patches\\.p\\.operations: add ${path.replaceAll("/", "\\/")} of a ${kind};.*${why}`),
      );
      assert.deepEqual(others, []);
    }
    assert.match(
      problemsOf(on("Service", { op: "move", from: "/metadata/name", path: "/spec/x" }))[0] ?? "",
      /other objects/,
    );
    assert.deepEqual(
      problemsOf(
        on("StatefulSet", add("/spec/template/spec/containers/-"), {
          op: "test",
          path: "/spec/serviceName",
          value: "kazoo",
        }),
      ),
      [],
    );
  });

  test("is refused for an unknown zone, or for one that is not on Kubernetes", () => {
    const patches = {
      p: { target: { kind: "Service", zone: "us-east-lax" }, operations: [{ op: "remove", path: "/spec/type" }] },
    };
    assert.match(
      problemsOf(patches)[0] ?? "",
      /target\.zone: "us-east-lax"; a zone on Kubernetes: us-east-bos, us-east-nyc/,
    );
    const onDocker = {
      clusters: { local: { docker: {} } },
      regions: { local: { cluster: "local", datacenters: { dev: {} } } },
    };
    assert.ok(
      problemsOf({ p: { ...patches.p, target: { kind: "Service" } } }, onDocker).some((line) =>
        line.includes("the stack has none"),
      ),
    );
  });

  test("of the wrong form gives one clear error", () => {
    assert.deepEqual(
      problemsOf({ p: { target: { kind: "Service" }, operations: [{ op: "append", path: "spec" }] } }).map(
        (line) => line.split(";")[0],
      ),
      ['kazoo:patches.p.operations: [{"op":"append","path":"spec"}]'],
    );
  });

  test("is named in the title of what it changed", () => {
    const inputs = { metadata: { name: "kazoo", annotations: { "kazoo/patches": "a,b" } } };
    const type = "kubernetes:apps/v1:StatefulSet";
    assert.equal(
      subjectOf(type, "kazoo-nodes", { type, inputs }, undefined).title,
      "StatefulSet kazoo (patched by a, b)",
    );
  });
});
