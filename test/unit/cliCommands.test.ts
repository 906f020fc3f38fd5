import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Command } from "commander";
import * as fc from "fast-check";
import { shellLines } from "../../tools/cli/commands/env";
import { kazoo } from "../../tools/cli/commandLine";
import { isOfThisMachine, isThrowAway, partsFor, readPlatform } from "../../tools/cli/stack/openStack";
import { table } from "../../tools/shared/table";
import { type ZoneView, summary } from "../../tools/cli/stack/zones";

const project = resolve(__dirname, "../..");
const run = (args: readonly string[], options: { env?: NodeJS.ProcessEnv; node?: readonly string[] } = {}) =>
  spawnSync(process.execPath, [...(options.node ?? []), join(project, "tools", "cli", "kazoo.js"), ...args], {
    encoding: "utf8",
    env: { ...process.env, ...options.env },
  });

describe("the kazoo command", () => {
  test("every command says what it does and what its options do", () => {
    const visit = (command: Command): void => {
      assert.ok(command.description().length > 10, `${command.name()} has a description`);
      for (const option of command.options) assert.ok(option.description !== "", `${command.name()} ${option.flags}`);
      command.commands.forEach(visit);
    };
    visit(kazoo());
    const names = kazoo().commands.map((command) => command.name());
    for (const name of ["up", "preview", "destroy", "status", "env", "sandbox", "toolchain"]) {
      assert.ok(names.includes(name), name);
    }
  });

  test("--help exits with 0, an unknown command with an error", () => {
    const help = run(["--help"]);
    assert.equal(help.status, 0);
    assert.match(help.stdout, /up .*\n.*preview/);
    const unknown = run(["upp"]);
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /unknown command 'upp'\n\(Did you mean up\?\)/);
    const incomplete = run(["grow", "--to", "1Gi"]);
    assert.match(incomplete.stderr, /^error: required option '--workload <name>' not specified\n\(kazoo grow --help/);
  });

  /** Modules that a command loads: the project's files, and the names of packages. */
  function loadedBy(args: readonly string[]): string[] {
    const directory = mkdtempSync(join(tmpdir(), "kazoo-loaded-"));
    try {
      const preload = join(directory, "list.js");
      const list = join(directory, "loaded");
      writeFileSync(
        preload,
        `process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(list)}, Object.keys(require.cache).join("\\n")));`,
      );
      run(args, { node: ["--require", preload] });
      const paths = readFileSync(list, "utf8").split("\n");
      const packaged = /node_modules\/((?:@[^/]+\/)?[^/]+)/;
      return [
        ...new Set(
          paths.filter((path) => path !== preload).map((path) => packaged.exec(path)?.[1] ?? relative(project, path)),
        ),
      ].sort();
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  test("--help loads no command's code, and no package beyond those that print it", () => {
    assert.deepEqual(loadedBy(["--help"]), [
      "commander",
      "esbuild",
      "picocolors",
      "tools/cli/commandLine.ts",
      "tools/cli/kazoo.js",
      "tools/cli/main.ts",
      "tools/cli/nodeVersion.js",
      "tools/cli/pulumi/program.ts",
      "tools/shared/beside.ts",
      "tools/shared/proxy.ts",
      "tools/shared/terminal.ts",
      "tools/shared/typescript.js",
      "tools/toolchain/parts.ts",
      "tsx",
    ]);
  });

  test("no command loads Pulumi's SDK or Kubernetes' client before it needs them", () => {
    const folder = join(project, "tools", "cli", "commands");
    const modules = readdirSync(folder).map((file) => join(folder, file));
    const script = `require("tsx/cjs");
      for (const path of ${JSON.stringify(modules)}) require(path);
      console.log(Object.keys(require.cache).filter((path) => /node_modules.(@pulumi|@kubernetes)/.test(path)).join());`;
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], { cwd: project, encoding: "utf8" });
    assert.equal(stderr, "");
    assert.equal(stdout, "\n");
  });

  test("an unknown stack gives one line that lists the stacks, in plain text if the output is not a terminal", () => {
    const { status, stderr, stdout } = run(["preview", "--stack", "nowhere"], { env: { FORCE_COLOR: undefined } });
    assert.equal(status, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /^error: there is no stack nowhere: Pulumi\.nowhere\.yaml is missing\nnext: .*dev.*\n$/);
  });

  test("an old Node.js gets one line, and make installs no packages with it", () => {
    const directory = mkdtempSync(join(tmpdir(), "kazoo-node-"));
    const line = "error: Node.js 18.20.0 is too old\nnext: install Node.js 20.19 or newer\n";
    try {
      const preload = join(directory, "old.js");
      writeFileSync(preload, `Object.defineProperty(process.versions, "node", { value: "18.20.0" });`);
      const { status, stderr } = run(["up"], { node: ["--require", preload] });
      assert.equal(status, 1);
      assert.equal(stderr, line);

      const clone = join(directory, "clone");
      mkdirSync(join(clone, "tools", "cli"), { recursive: true });
      for (const file of ["Makefile", "package-lock.json", "tools/cli/nodeVersion.js"])
        copyFileSync(join(project, file), join(clone, file));
      const node = `#!/bin/sh\nexec '${process.execPath}' --require '${preload}' "$@"\n`;
      writeFileSync(join(directory, "node"), node, { mode: 0o755 });
      writeFileSync(join(directory, "npm"), "#!/bin/sh\necho npm runs >&2\n", { mode: 0o755 });
      const env = { ...process.env, PATH: `${directory}:${process.env.PATH}` };
      const made = spawnSync("make", ["-C", clone, "up"], { encoding: "utf8", env });
      assert.equal(made.status, 2);
      assert.ok(made.stderr.startsWith(line), made.stderr);
      assert.doesNotMatch(made.stderr, /npm runs/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("if npm cannot install the packages, one more line says what to do next", () => {
    const clone = mkdtempSync(join(tmpdir(), "kazoo-make-"));
    try {
      mkdirSync(join(clone, "tools", "cli"), { recursive: true });
      for (const file of ["Makefile", "package-lock.json", "tools/cli/nodeVersion.js"])
        copyFileSync(join(project, file), join(clone, file));
      writeFileSync(join(clone, "npm"), "#!/bin/sh\necho ECONNREFUSED >&2\nexit 1\n", { mode: 0o755 });
      const env = { ...process.env, PATH: `${clone}:${process.env.PATH}` };
      const { status, stderr } = spawnSync("make", ["-C", clone, "up"], { encoding: "utf8", env });
      assert.equal(status, 2);
      assert.match(stderr, /^ECONNREFUSED\nerror: npm could not install the packages\nnext: .*proxy/);
    } finally {
      rmSync(clone, { recursive: true });
    }
  });

  test("without its packages it says how to get them", () => {
    const directory = mkdtempSync(join(tmpdir(), "kazoo-bare-"));
    try {
      // With preserved links, it looks for its packages next to the link.
      for (const file of ["kazoo.js", "nodeVersion.js"])
        symlinkSync(join(project, "tools", "cli", file), join(directory, file));
      const flags = ["--preserve-symlinks", "--preserve-symlinks-main", join(directory, "kazoo.js")];
      const { status, stderr } = spawnSync(process.execPath, flags, { encoding: "utf8" });
      assert.equal(status, 1);
      assert.match(stderr, /^error: the packages are not installed\nnext: npm ci/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("what a stack needs", () => {
  test("dev: the sandbox, without docker and kubelet", () => {
    const platform = readPlatform("dev");
    assert.equal(isThrowAway(platform), true);
    assert.deepEqual(partsFor(platform).sort(), [
      "etcd",
      "kube-apiserver",
      "kube-controller-manager",
      "kube-scheduler",
      "kubernetes",
      "kwok",
      "kwokctl",
      "language",
      "pulumi",
      "random",
    ]);
  });

  test("a protected stack is not throw-away, and a stack on a remote engine keeps its state in the user's backend", () => {
    for (const name of ["dev", "docker", "rehearsal"]) {
      const platform = readPlatform(name);
      assert.deepEqual([isThrowAway(platform), isOfThisMachine(platform)], [true, true], name);
      assert.equal(isThrowAway({ ...platform, protect: true }), false, name);
    }
    const docker = readPlatform("docker");
    const [box] = Object.values(docker.clusters);
    assert.ok(box?.kind === "docker");
    const at = (host: string) => isOfThisMachine({ ...docker, clusters: { box: { ...box, host } } });
    for (const host of ["unix:///run/d.sock", "tcp://127.0.0.1:2375", "tcp://localhost:2375", "tcp://[::1]:2375"])
      assert.equal(at(host), true, host);
    for (const host of [
      "tcp://docker-2.example.com:2376",
      "ssh://ci@box",
      "tcp://127.example.com:2376",
      "tcp://10.0.0.1:2375",
    ])
      assert.equal(at(host), false, host);
  });

  test("a stack with a real cluster is not throw-away, and needs no sandbox for it", () => {
    const dev = readPlatform("dev");
    const own = { name: "own", kind: "kubernetes", context: "prod", clusterDomain: "cluster.local" } as const;
    assert.equal(isThrowAway({ ...dev, clusters: { ...dev.clusters, own } }), false);
    assert.deepEqual(partsFor({ ...dev, clusters: { own } }).sort(), ["kubernetes", "language", "pulumi", "random"]);
  });
});

describe("what is printed", () => {
  test("exports survive a shell, whatever characters they contain", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary-ascii" }), (text) => {
        fc.pre(!text.includes("\0"));
        const lines = shellLines({ KAZOO_TEST: text, GONE: null });
        const script = `${lines}printf %s "$KAZOO_TEST\${GONE-.}"`;
        const env = { PATH: process.env.PATH, GONE: "still here" };
        assert.equal(execFileSync("/bin/sh", ["-c", script], { encoding: "utf8", env }), `${text}.`);
      }),
      { numRuns: 50 },
    );
  });

  test("a table's columns line up", () => {
    assert.equal(table([["A", "LONG", "C"], ["aaa", "b", ""], ["a"]]), "A    LONG  C\naaa  b\na\n");
  });

  test("the summary names zones, endpoints, how to look and how to stop", () => {
    const zone: ZoneView = {
      region: "local",
      datacenter: "dev",
      ring: "local-dev",
      cluster: "local",
      context: "sandbox-local",
      namespace: "local-dev",
      endpoints: {
        crossbar: "http://k:8000",
        websockets: "ws://k:5555",
        database: "http://d:5984",
        brokers: ["a", "b"],
      },
      nodes: { kazoo: [], database: [] },
      image: "kazoo:4",
    };
    const text = summary(
      "dev",
      { "local-dev": zone },
      { look: ["make status", "kubectl get pods"], stop: ["make destroy"] },
    );
    for (const part of [
      "1 zone",
      "local-dev",
      "sandbox-local",
      "http://k:8000",
      "ws://k:5555",
      "a, b",
      "http://d:5984",
    ]) {
      assert.ok(text.includes(part), part);
    }
    assert.match(text, /look +make status\n +kubectl get pods\nstop +make destroy\n$/);
  });
});

describe("make", () => {
  let bare: string;
  before(() => (bare = mkdtempSync(join(tmpdir(), "kazoo-make-"))));
  after(() => rmSync(bare, { recursive: true }));
  const make = (args: string[], path = process.env.PATH) =>
    spawnSync("make", ["-C", project, ...args], { encoding: "utf8", env: { ...process.env, PATH: path } });

  test("alone lists the targets", () => {
    const { status, stdout } = make(["--no-print-directory"]);
    assert.equal(status, 0);
    for (const target of ["up", "preview", "destroy", "status", "sandbox-up", "sandbox-down", "test"]) {
      assert.match(stdout, new RegExp(`^ +${target} +\\w`, "m"));
    }
  });

  test("passes the stack on", () => {
    assert.match(make(["-n", "up", "STACK=rehearsal"]).stdout, /kazoo\.js up --stack 'rehearsal' *\n/);
    assert.match(make(["-n", "preview"]).stdout, /kazoo\.js preview --stack 'dev'\n/);
  });

  test("without Node.js prints one line", () => {
    for (const tool of ["sh", "make"])
      symlinkSync(execFileSync("which", [tool], { encoding: "utf8" }).trim(), join(bare, tool));
    const { status, stderr } = make(["up"], bare);
    assert.equal(status, 2);
    assert.match(stderr, /Node\.js is missing: install Node\.js 20\.19 or newer/);
  });
});
