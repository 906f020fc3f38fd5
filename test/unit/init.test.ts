import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import * as fc from "fast-check";
import { platformOfBytes } from "../../config/stackFile";
import { type ClusterFacts, type ClusterFinding, clusterFindings } from "../../tools/cli/cluster/clusterFindings";
import { type InitOptions, init } from "../../tools/cli/commands/init";
import { firstStackText } from "../../tools/cli/stackFile/firstStack";
import type { UserError } from "../../tools/shared/terminal";
import { project } from "../support/workplace";
import { patience, until } from "../support/until";

const answers = {
  context: "prod-east",
  region: "us-east",
  datacenter: "nyc",
  image: { registry: "registry.example.com" },
} as const;

describe("the file of a first stack", () => {
  const read = (text: string) => platformOfBytes(Buffer.from(text), "Pulumi.first.yaml");

  test("equals the smallest example, with at most ten lines, and names the JSON Schema", () => {
    const text = firstStackText(answers);
    const example = readFileSync(join(project, "examples/smallest.yaml"), "utf8");
    assert.deepEqual(read(text), read(example.replace("{ east:", "{ main:").replace("cluster: east", "cluster: main")));
    const withClass = firstStackText({ ...answers, storageClass: "fast" });
    for (const shown of [text, withClass]) {
      assert.ok(shown.trimEnd().split("\n").length <= 10);
      const schema = /^# yaml-language-server: \$schema=(\S+)\n/.exec(shown)?.[1];
      assert.ok(schema !== undefined && existsSync(join(project, schema)));
    }
  });

  test("can name a prebuilt image and a StorageClass for all volumes", () => {
    const image = { prebuilt: "registry.example.com/kazoo:4.3" };
    const platform = read(firstStackText({ ...answers, image, storageClass: "fast" }));
    assert.deepEqual(platform.image, { kind: "prebuilt", reference: "registry.example.com/kazoo:4.3" });
    assert.deepEqual(
      platform.zones.map(({ rabbitmq, database }) => [rabbitmq.storageClass, database.storageClass]),
      [["fast", "fast"]],
    );
  });

  test("quotes every answer that YAML would change", () => {
    const odd = [
      "arn:aws:eks:us-east-1:1:cluster/a",
      "admin@b",
      "yes",
      "on",
      "010",
      "1_0",
      "1e3",
      "0x1f",
      "~",
      "a: b",
      "x:",
    ];
    const printable = fc.string({ unit: "grapheme-ascii", minLength: 1 });
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(...odd), printable), (context) => {
        const { main } = read(firstStackText({ ...answers, context })).clusters;
        assert.equal(main?.kind === "kubernetes" && main.context, context);
      }),
    );
    for (const label of ["no", "010", "1e3", "true", "null", "2026-01-01"]) {
      const [zone] = read(firstStackText({ ...answers, region: label, datacenter: label })).zones;
      assert.deepEqual([zone?.region, zone?.datacenter], [label, label]);
    }
  });
});

const ready: ClusterFacts = {
  version: { major: "1", minor: "34", gitVersion: "v1.34.4" },
  storageClasses: [
    { name: "slow", isDefault: false },
    { name: "standard", isDefault: true },
  ],
  daemonSets: [{ name: "cilium", args: [] }],
  apiGroups: ["apps"],
  namespace: null,
  podSecurity: true,
  forbidden: [],
};

describe("the check of a cluster", () => {
  const wanted = { context: "prod-east", namespace: "us-east-nyc" };
  const findings = (facts: Partial<ClusterFacts>, storageClass?: string) =>
    clusterFindings({ ...ready, ...facts }, { ...wanted, storageClass });
  const finds = (found: readonly ClusterFinding[], kind: ClusterFinding["kind"], message: RegExp, next: RegExp) => {
    assert.equal(found.length, 1, JSON.stringify(found));
    assert.equal(found[0]?.kind, kind);
    assert.match(found[0].message, message);
    assert.match(found[0].next, next);
  };

  test("finds nothing wrong with a suitable cluster", () => {
    assert.deepEqual(findings({}), []);
    assert.deepEqual(findings({}, "slow"), []);
  });

  test("lists everything that is missing at once, with next steps", () => {
    const found = findings({
      version: { major: "1", minor: "26+", gitVersion: "v1.26.9-eks" },
      storageClasses: [],
      daemonSets: [],
      namespace: { stack: undefined },
      podSecurity: false,
      forbidden: ["jobs"],
    });
    assert.deepEqual(
      found.map(({ kind }) => kind),
      ["error", "error", "error", "error", "warning", "warning"],
    );
    assert.ok(found.every(({ next }) => next.length > 20));
  });

  test("an old version is found by its minor number", () => {
    const of = (minor: string, major = "1") =>
      findings({ version: { major, minor, gitVersion: `v${major}.${minor}.0` } });
    finds(of("26"), "error", /v1\.26\.0; 1\.27 or newer/, /upgrade the cluster/);
    assert.deepEqual([of("27+"), of("100"), of("0", "2")], [[], [], []]);
  });

  test("a namespace that is taken is named, with the stack that has it", () => {
    finds(findings({ namespace: { stack: undefined } }), "error", /us-east-nyc exists already$/, /another region/);
    finds(findings({ namespace: { stack: "prod" } }), "error", /belongs to the stack prod$/, /another region/);
    finds(findings({ namespace: undefined }), "warning", /unknown whether us-east-nyc is free/, /administrator/);
  });

  test("StorageClasses: none, no default, not the named one, not readable", () => {
    const storageClasses = [{ name: "fast", isDefault: false }];
    finds(findings({ storageClasses: [] }), "error", /no StorageClass/, /provisioner/);
    finds(findings({ storageClasses }), "error", /there is no default StorageClass$/, /--storage-class: fast$/);
    assert.deepEqual(findings({ storageClasses }, "fast"), []);
    finds(findings({ storageClasses }, "quick"), "error", /no StorageClass quick$/, /--storage-class: fast$/);
    finds(findings({ storageClasses: undefined }), "warning", /not allowed to list StorageClasses/, /--storage-class/);
    assert.deepEqual(findings({ storageClasses: undefined }, "fast"), []);
  });

  test("network plugins that enforce policies are recognised; for others it says that it does not know", () => {
    const plugin = (name: string, args: readonly string[] = []) => findings({ daemonSets: [{ name, args }] });
    for (const name of ["calico-node", "rke2-canal", "cilium", "kube-router", "antrea-agent", "weave-net", "anetd"])
      assert.deepEqual(plugin(name), [], name);
    assert.deepEqual(plugin("aws-node", ["--enable-network-policy=true"]), []);
    assert.deepEqual(findings({ daemonSets: [], version: { ...ready.version, gitVersion: "v1.34.1+k3s1" } }), []);
    assert.deepEqual(findings({ daemonSets: undefined, apiGroups: ["crd.projectcalico.org"] }), []);
    for (const found of [
      plugin("kube-flannel-ds"),
      plugin("cilium-envoy"),
      plugin("aws-node", ["--enable-network-policy=false"]),
      findings({ daemonSets: undefined }),
      findings({ daemonSets: [], apiGroups: ["cilium.io"] }),
    ])
      finds(found, "warning", /no network plugin that is known to enforce NetworkPolicies/, /docs\/networking\.md/);
  });

  test("Pod Security admission that is off, or cannot be checked for a reason other than missing rights", () => {
    finds(findings({ podSecurity: false }), "warning", /is disabled/, /PodSecurity/);
    finds(findings({ podSecurity: undefined }), "warning", /is unknown/, /PodSecurity/);
    finds(
      findings({ podSecurity: undefined, forbidden: ["namespaces", "jobs"] }),
      "error",
      /not allowed to create namespaces, jobs$/,
      /--context prod-east .*auth can-i create namespaces/,
    );
  });
});

type Routes = Record<string, (body: string) => readonly [status: number, body: object]>;

/** The answers of an API server that has everything a stack needs. */
const routes: Routes = {
  "GET /version": () => [200, ready.version],
  "GET /apis": () => [200, { groups: [{ name: "apps", versions: [] }] }],
  "GET /apis/storage.k8s.io/v1/storageclasses": () => [
    200,
    {
      items: [
        { metadata: { name: "std", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } } },
        { metadata: { name: "slow" } },
      ],
    },
  ],
  "GET /apis/apps/v1/daemonsets": () => [200, { items: [{ metadata: { name: "calico-node" } }] }],
  "GET /api/v1/namespaces/us-east-nyc": () => [404, { message: 'namespaces "us-east-nyc" not found' }],
  "POST /api/v1/namespaces?dryRun=All": (body) => {
    const level = "pod-security.kubernetes.io/enforce";
    assert.ok(body.includes(`"${level}":"none"`));
    return [422, { message: `metadata.labels[${level}]: Invalid value` }];
  },
  "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews": () => [201, { status: { allowed: true } }],
};

/** A kubeconfig for an API server with only these answers, and an empty folder for the stack's file. */
async function cluster(context: TestContext, changed: Routes = {}) {
  const folder = mkdtempSync(join(tmpdir(), "kazoo-init-"));
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const call = `${request.method} ${request.url}`;
      const route = changed[call] ?? routes[call];
      // An unexpected request makes the command fail.
      const [status, answer] = route?.(body) ?? [500, { message: `unexpected: ${call}` }];
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const kubeconfig = join(folder, "kubeconfig");
  const { port } = server.address() as AddressInfo;
  writeFileSync(kubeconfig, kubeconfigOf(`http://127.0.0.1:${port}`));
  const before = process.env.KUBECONFIG;
  process.env.KUBECONFIG = kubeconfig;
  context.after(() => {
    if (before === undefined) delete process.env.KUBECONFIG;
    else process.env.KUBECONFIG = before;
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return folder;
}

const kubeconfigOf = (server: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: {} }],
    contexts: ["prod-east", "prod-west"].map((name) => ({ name, context: { cluster: "c", user: "u" } })),
  });

const options: InitOptions = {
  ...{ stack: "first", context: "prod-east", region: "us-east", datacenter: "nyc" },
  ...{ registry: "registry.example.com", yes: true },
};

const files = (folder: string) => readdirSync(folder).filter((name) => name.startsWith("Pulumi."));

describe("kazoo init", () => {
  /** Runs the command and captures its output. */
  async function run(context: TestContext, folder: string, given: InitOptions = options) {
    const stderr = context.mock.method(process.stderr, "write", () => true);
    const result = await init(given, folder).catch((error: unknown) => error as UserError);
    stderr.mock.restore();
    return { result, said: stderr.mock.calls.map((call) => String(call.arguments[0])).join("") };
  }

  test("writes the file for a cluster that has everything, once", async (context) => {
    const folder = await cluster(context);
    const { result, said } = await run(context, folder);
    assert.equal(result, 0, String(result));
    assert.doesNotMatch(said, /error|warning/);
    assert.match(said, /pulumi stack init first\n.*make up STACK=first/);
    assert.equal(readFileSync(join(folder, "Pulumi.first.yaml"), "utf8"), firstStackText(answers));

    writeFileSync(join(folder, "Pulumi.first.yaml"), "mine");
    const again = await run(context, folder);
    assert.match(String(again.result), /Pulumi\.first\.yaml exists already, and is not overwritten/);
    assert.equal(readFileSync(join(folder, "Pulumi.first.yaml"), "utf8"), "mine");
  });

  test("writes nothing if the cluster lacks something, and reports everything missing at once", async (context) => {
    const folder = await cluster(context, {
      "GET /apis/storage.k8s.io/v1/storageclasses": () => [403, { message: "forbidden" }],
      "GET /apis/apps/v1/daemonsets": () => [403, { message: "forbidden" }],
      "GET /api/v1/namespaces/us-east-nyc": () => [200, { metadata: { labels: { "kazoo/stack": "other" } } }],
      "POST /api/v1/namespaces?dryRun=All": () => [201, { metadata: {} }],
      "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews": (body) => {
        assert.match(body, /"resource":"namespaces"|"namespace":"us-east-nyc"/);
        return [201, { status: { allowed: !body.includes('"statefulsets"') } }];
      },
    });
    const { result, said } = await run(context, folder);
    assert.match(String(result), /Pulumi\.first\.yaml was not written/);
    assert.deepEqual(files(folder), []);
    for (const part of [
      /error: you are not allowed to create statefulsets\nnext: /,
      /error: .*belongs to the stack other\nnext: /,
      /warning: you are not allowed to list StorageClasses/,
      /warning: found no network plugin/,
      /warning: Pod Security admission is disabled/,
    ])
      assert.match(said, part);
  });

  test("a cluster that refuses or a context that does not exist is one clear error", async (context) => {
    const folder = await cluster(context, { "GET /version": () => [401, { message: "Unauthorized" }] });
    const refused = await run(context, folder);
    assert.match(String(refused.result), /cluster prod-east answers 401/);
    assert.match((refused.result as UserError).next ?? "", /auth whoami/);
    const { result } = await run(context, folder, { ...options, context: "nowhere" });
    assert.match(String(result), /there is no context nowhere/);
    assert.match((result as UserError).next ?? "", /prod-east, prod-west/);
    assert.deepEqual(files(folder), []);
  });

  test("invalid answers are refused before the cluster is asked", async (context) => {
    const folder = await cluster(context, { "GET /version": () => assert.fail("asked") });
    for (const [wrong, message] of [
      [{ region: "US East" }, /kazoo:regions\.US East: found "US East"/],
      [{ registry: "https://registry.example.com" }, /kazoo:image\.build\.registry: found "https/],
      [{ storageClass: "Fast!" }, /storageClass: found "Fast!"/],
      [{ stack: "../first" }, /--stack: found "\.\.\/first"/],
    ] as const) {
      assert.match(String((await run(context, folder, { ...options, ...wrong })).result), message);
    }
    assert.deepEqual(files(folder), []);
  });

  const program = join(project, "tools/cli/kazoo.js");

  test("without a terminal, it lists all missing options", () => {
    const given = ["init", "--region", "us-east", "--image", "registry.example.com/kazoo:4.3"];
    const { status, stderr } = spawnSync(process.execPath, [program, ...given], { encoding: "utf8", input: "" });
    assert.equal(status, 1);
    assert.match(stderr, /^error: .*needs --stack, --context, --datacenter, --yes\nnext: npx kazoo init --stack .*\n$/);
  });

  test("Ctrl-C at a question leaves nothing behind", async (context) => {
    const folder = await cluster(context);
    const env = { ...process.env, TERM: "dumb" };
    const child = spawn("script", ["-qec", `'${process.execPath}' '${program}' init`, "/dev/null"], { env });
    context.after(() => child.kill());
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    await until("the first question", () => said.includes("Name of the stack"), patience);
    child.stdin.write("interrupted\r");
    await until("the list of contexts", () => said.includes("which context?"), patience);
    child.stdin.write("\x03");
    assert.equal(await ended, 130, said);
    assert.match(said, /interrupted[\s\S]*nothing was changed/);
    assert.ok(!existsSync(join(project, "Pulumi.interrupted.yaml")));
    assert.deepEqual(files(folder), []);
  });
});
