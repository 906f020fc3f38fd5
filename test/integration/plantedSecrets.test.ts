import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Command } from "commander";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { docs, unwrapped } from "../../config/schema/fields";
import { schema } from "../../config/schema";
import { kazoo } from "../../tools/cli/commandLine";
import { type Clone, cloneProject } from "../support/clone";
import { clusterApi } from "../support/clusterApi";

/** A unique value for each secret of the config. The first test fails until a new secret key of the schema is listed here. */
const planted: Readonly<Record<string, string>> = {
  "credentials.*.cookie": "PlantedCookie-8Vq2rT5xW1",
  "credentials.*.rabbitmq": "PlantedBroker-3Lm9kD7zQ4",
  "credentials.*.database": "PlantedDatabase-6Jc4hN8sY2",
  "credentials.*.masterAccount": "PlantedMaster-5Fb7gP3wR9",
  "registries.*.password": "PlantedRegistry-2Xn6vK4tM8",
  registryPassword: "PlantedPush-9Gd1yH5bZ3",
};

/** Which stack has which of them, and under which name. Only a stack that builds an image has a `registryPassword`. */
const stacks = {
  dev: { ring: "main", without: ["registryPassword"] },
  images: { ring: "main", without: ["registries.*.password"] },
} as const;
type StackName = keyof typeof stacks;

const common = {
  "kazoo:protect": false,
  "kazoo:ring": "main",
  "kazoo:rings": {
    main: { masterAccount: { name: "example", realm: "sip.example.com", user: "admin" } },
  },
};
const configs: Readonly<Record<StackName, object>> = {
  dev: {
    ...common,
    "kazoo:clusters": { local: { sandbox: true } },
    "kazoo:registries": { "registry.example.com": { username: "ci" } },
    "kazoo:image": { prebuilt: "registry.example.com/kazoo:4.3" },
    "kazoo:regions": { local: { cluster: "local", datacenters: { dev: {} } } },
  },
  // Nothing listens there: test/image tests what a Docker Engine does with a password.
  images: {
    ...common,
    "kazoo:clusters": { engine: { docker: { host: "tcp://127.0.0.1:1" } } },
    "kazoo:image": { build: { registry: "registry.example.com", username: "ci" } },
    "kazoo:regions": { local: { cluster: "engine", datacenters: { docker: {} } } },
  },
};

type Arguments = readonly string[];
const dev = ["--stack", "dev"];
const onImages = ["--stack", "images"];
const oneWay = (...args: Arguments): readonly Arguments[] => [args];

/** How each command is run here, failing runs first, or why it is not. The second test fails until a new command is listed here. */
const runs: Readonly<Record<string, readonly Arguments[] | string>> = {
  init: oneWay(
    "--stack",
    "first",
    "--context",
    "nowhere",
    "--region",
    "a",
    "--datacenter",
    "b",
    "--image",
    "k:1",
    "--yes",
  ),
  up: [dev],
  preview: [dev, [...dev, "--", "--diff"], [...dev, "--", "--json"], onImages],
  "preview-report": [dev],
  drift: [dev],
  env: [dev, onImages],
  backup: oneWay(...dev, "--out", "backup.age", "--passphrase-file", "passphrase"),
  restore: oneWay(...dev, "--from", "backup.age", "--passphrase-file", "passphrase", "--yes"),
  status: [dev, [...dev, "--json"]],
  doctor: [dev, [...dev, "--json"]],
  topology: [dev, [...dev, "--live"]],
  logs: [dev],
  logsf: [dev],
  shell: oneWay(...dev, "--", "env"),
  "kube-logsf": [dev],
  "kube-logsft": [dev],
  "kube-shell": oneWay(...dev, "--", "env"),
  "kazoo-maint-nodes": [dev],
  "init-account": [dev],
  "init-apps": [dev],
  "get-master-account": [dev],
  "kube-delete-service": [dev],
  "kube-deploy-service": [dev],
  "kube-apply-service": [dev],
  "kube-delete-deployment": [dev],
  "kube-deploy": [dev],
  "kube-deploy-edit": [dev],
  "kube-deploy-rollback": [dev],
  "kube-rollout-status": [dev],
  "kube-rollout-history": [dev],
  drain: oneWay(...dev, "--dry-run"),
  return: oneWay(...dev, "--dry-run"),
  grow: oneWay(...dev, "--workload", "database", "--to", "200Gi", "--dry-run"),
  add: oneWay(...dev, "--region", "local", "--datacenter", "other", "--dry-run"),
  scale: oneWay(...dev, "--to", "2", "--dry-run"),
  remove: oneWay(...dev, "--dry-run"),
  rebalance: oneWay(...dev, "--dry-run"),
  rotate: oneWay("rabbitmq", ...dev, "--dry-run"),
  upgrade: oneWay("rabbitmq", ...dev, "--to", "4.0", "--dry-run"),
  split: oneWay(...dev, "--dry-run"),
  rename: oneWay(...dev, "--to", "renamed", "--dry-run"),
  join: oneWay(...dev, "--dry-run"),
  "move-images": oneWay(...dev, "--from", "registry.example.com", "--to", "127.0.0.1:1", "--dry-run"),
  "use-context": oneWay(...dev, "--context", "another", "--dry-run"),
  images: [dev, onImages],
  operator: oneWay(...dev, "--repository", "https://git.example.com/kazoo.git", "--branch", "main"),
  stacks: oneWay("dev", "images"),
  schema: oneWay("--out", "schema.json"),
  render: "renders the caller's environment, whose secrets it is asked to write",
  toolchain: oneWay("pulumi"),
  complete: [["bash"], ["--", "up", "--stack", ""]],
  ...Object.fromEntries(
    ["build", "rebuild", "tag", "push", "rmi", "run", "launch", "launch-net", "create-network", "launch-deps"]
      .concat(["kill-deps", "start", "stop", "kill", "rm"])
      .map((name) => [`docker ${name}`, [onImages]]),
  ),
  destroy: [dev],
  "sandbox up": "has run before all others, with an audit log",
  "sandbox status": [[], ["--json"]],
  "sandbox down": [[]],
};

describe("planted secrets", { concurrency: 1 }, () => {
  let clone: Clone;
  let temporary: string;
  const said: string[] = [];

  before(async () => {
    temporary = mkdtempSync(join(tmpdir(), "kazoo-planted-"));
    clone = await cloneProject();
  });
  after(async () => {
    await clone?.dispose();
    rmSync(temporary, { recursive: true, force: true });
  });

  test("each secret of the config's schema has a value", () => {
    assert.deepEqual(secretsIn(schema).sort(), Object.keys(planted).sort());
  });

  test("each command is run, or has a reason why it is not", () => {
    assert.deepEqual(leavesOf(kazoo()).sort(), Object.keys(runs).sort());
  });

  test("they are set, and a first up fails, and then succeeds", async () => {
    const { code, stderr } = await run("sandbox", ["up", "local", "--audit"]);
    assert.equal(code, 0, stderr);
    for (const stack of Object.keys(stacks) as StackName[]) {
      await plant(stack);
    }
    writeFileSync(join(clone.directory, "passphrase"), "a passphrase of the tests");
    const right = readFileSync(file("dev"), "utf8");
    edit("dev", (config) => (config["kazoo:environment"] = { KAZOO_LOG_LEVL: "debug" }));
    assert.notEqual((await run("up", dev)).code, 0);
    writeFileSync(file("dev"), right);
    const up = await run("up", dev);
    assert.equal(up.code, 0, up.stdout + up.stderr);

    // These values are deployed now.
    const api = await clusterApi(clone.directory, "local");
    const secrets = await api.list("/api/v1/namespaces/local-dev/secrets");
    const values = secrets.flatMap(({ data }) => Object.values(data ?? {})).map((text) => Buffer.from(text, "base64"));
    for (const [key, value] of Object.entries(planted)) {
      if (key === "registryPassword") continue;
      assert.ok(
        values.some((found) => found.includes(value)),
        `${key} is in the cluster`,
      );
    }
  });

  test("changing them, in the config and by hand, is previewed, reported and refused", async () => {
    const right = readFileSync(file("dev"), "utf8");
    edit("dev", (config) => delete config["kazoo:credentials"]);
    await run("preview", [...dev, "--", "--diff"]);
    await run("preview-report", dev);
    writeFileSync(file("dev"), right);

    const api = await clusterApi(clone.directory, "local");
    const path = "/api/v1/namespaces/local-dev/secrets/rabbitmq?fieldManager=by-hand";
    const data = { password: Buffer.from("another").toString("base64") };
    assert.equal((await api.call("PATCH", path, { data }, "application/merge-patch+json")).status, 200);
    await run("drift", dev);
    await run("up", [...dev, "--", "--refresh"]);
    const forced = await run("up", [...dev, "--force", "--yes"]);
    assert.equal(forced.code, 0, forced.stdout + forced.stderr);
  });

  test("no command prints one, or passes one to a program as an argument", async (t) => {
    let count = 0;
    for (const [command, ways] of Object.entries(runs)) {
      if (typeof ways === "string") continue;
      for (const args of ways) {
        const { code } = await run(command, args);
        assert.notEqual(code, 70, `${command}: an unexpected error`);
        count++;
      }
    }
    assert.ok(said.length > 0);
    t.diagnostic(`${count} runs of ${Object.values(runs).filter((ways) => typeof ways !== "string").length} commands`);
  });

  test("none is in a file that the commands wrote, including the state, the reports and the audit log", (t) => {
    // etcd stores Secrets as they are. This file itself is in the folder test.
    const files = filesBelow(clone.directory, ["node_modules", "test", "etcd"]);
    assert.ok(files.some((path) => path.endsWith("audit.log")));
    assert.ok(files.some((path) => path.endsWith("stacks/kazoo/dev.json")));
    assert.ok(files.some((path) => path.endsWith("report.md")));
    for (const path of files) holdsNone(readFileSync(path), relative(clone.directory, path));
    assert.deepEqual(readdirSync(temporary), [], "and temporary files are gone");
    t.diagnostic(`${files.length} files`);
  });

  test("none is in the arguments or environment of processes that keep running", () => {
    for (const pid of pids())
      for (const what of ["cmdline", "environ"]) holdsNone(readOf(pid, what), `/proc/${pid}/${what}`);
  });

  const file = (stack: StackName) => join(clone.directory, `Pulumi.${stack}.yaml`);

  function edit(stack: StackName, change: (config: Record<string, unknown>) => void): void {
    const content = parse(readFileSync(file(stack), "utf8")) as { config: Record<string, unknown> };
    change(content.config);
    writeFileSync(file(stack), stringify(content));
  }

  /** Runs a command, and searches its output and meanwhile the arguments of all programs. */
  async function run(command: string, args: Arguments) {
    const words = [...command.split(" "), ...args];
    const environment = { TMPDIR: temporary, EDITOR: "true", KUBE_EDITOR: "true" };
    // All programs' command lines, each time that the command prints something.
    const seen = new Set<string>();
    const look = () => pids().forEach((pid) => seen.add(readOf(pid, "cmdline").toString()));
    const result = await clone.watch(words, look, environment);
    for (const line of seen) holdsNone(Buffer.from(line), `the arguments of a program during ${words.join(" ")}`);
    said.push(words.join(" "));
    holdsNone(Buffer.from(result.stdout), `${words.join(" ")}, standard output`);
    holdsNone(Buffer.from(result.stderr), `${words.join(" ")}, standard error`);
    return result;
  }

  /** Sets a stack's secrets as the docs say, with plain pulumi. */
  async function plant(stack: StackName): Promise<void> {
    // A config that lacks a needed password is refused, so start with one that needs none.
    const image = { prebuilt: "registry.example.com/kazoo:4.3" };
    const bare = { ...configs[stack], "kazoo:registries": undefined, "kazoo:image": image };
    writeFileSync(file(stack), stringify({ config: bare }));
    const { stdout: variables, stderr } = await clone.run(["env", "--stack", stack]);
    assert.notEqual(variables, "", stderr);
    writeFileSync(file(stack), stringify({ config: configs[stack] }));
    const { ring, without } = stacks[stack];
    for (const [key, value] of Object.entries(planted)) {
      if ((without as readonly string[]).includes(key)) continue;
      const path = key
        .replace("credentials.*", `credentials.${ring}`)
        .replace("registries.*", 'registries["registry.example.com"]');
      const script = `${variables}\nexec pulumi config set --secret --path 'kazoo:${path}' --stack ${stack} --non-interactive`;
      const child = spawn("sh", ["-c", script], { cwd: clone.directory, stdio: ["pipe", "ignore", "pipe"] });
      let errors = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
      child.stdin.end(value);
      const [code] = (await once(child, "close")) as [number];
      assert.equal(code, 0, errors);
    }
  }
});

/** Paths of the secrets in a schema; names that the user chooses are `*`. */
function secretsIn(node: z.core.$ZodType, path: readonly string[] = []): string[] {
  const inner = unwrapped(node);
  if (inner instanceof z.ZodObject)
    return Object.entries(inner.shape as z.core.$ZodShape).flatMap(([key, value]) => secretsIn(value, [...path, key]));
  if (inner instanceof z.ZodRecord) return secretsIn(inner.valueType, [...path, "*"]);
  if (inner instanceof z.ZodArray) return secretsIn(inner.element, [...path, "*"]);
  return docs.get(inner)?.secret === true ? [path.join(".")] : [];
}

/** The commands with an action, with their parent commands' names. */
const leavesOf = (command: Command, path: readonly string[] = []): string[] =>
  command.commands.flatMap((child) => {
    const own = [...path, child.name()];
    return child.commands.length === 0 ? [own.join(" ")] : leavesOf(child, own);
  });

/** The forms in which a value could appear: plain, in a URL, and in base64 at each of the three offsets. */
const forms = (value: string): string[] => [
  value,
  encodeURIComponent(value),
  ...[0, 1, 2].map((offset) => {
    const encoded = Buffer.from(" ".repeat(offset) + value).toString("base64");
    // Without the characters that also encode bytes before and after the value.
    return encoded.slice(offset === 0 ? 0 : 4, -4);
  }),
];
const wanted = Object.entries(planted).flatMap(([key, value]) => forms(value).map((form) => ({ key, form })));

function holdsNone(content: Buffer, where: string): void {
  assert.deepEqual([...new Set(wanted.filter(({ form }) => content.includes(form)).map(({ key }) => key))], [], where);
}

const pids = (): string[] => readdirSync("/proc").filter((name) => /^\d+$/.test(name));

function readOf(pid: string, what: string): Buffer {
  try {
    return readFileSync(`/proc/${pid}/${what}`);
  } catch {
    return Buffer.from(""); // another user's process, or ended
  }
}

const filesBelow = (folder: string, without: readonly string[]): string[] =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const found = lstatSync(path);
    if (without.includes(name) || found.isSymbolicLink()) return [];
    return found.isDirectory() ? filesBelow(path, without) : found.isFile() ? [path] : [];
  });
