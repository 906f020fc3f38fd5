import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { versions } from "../../tools/toolchain/parts";
import { type Clone, cloneProject } from "../support/clone";
import { patience, until } from "../support/until";

/**
 * The targets as whole commands, on a user's own stack: Pulumi, Docker and the API server are stand-ins that record
 * their calls and answer as configured.
 */

let clone: Clone;
let fake: string;
let server: Server;
let environment: NodeJS.ProcessEnv;

/** The API server's answers, by path. */
let answers: Record<string, (response: ServerResponse) => void>;

before(async () => {
  clone = await cloneProject();
  fake = mkdtempSync(join(tmpdir(), "kazoo-fake-"));
  mkdirSync(join(fake, "bin"));
  const command = (name: string, script: string) =>
    writeFileSync(join(fake, "bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  command(
    "pulumi",
    `echo "$*" >>"$FAKE/calls"
    [ "$1" = --non-interactive ] && shift
    case "$1 $2" in
      version*) [ ! -e "$FAKE/version.sh" ] || . "$FAKE/version.sh"; echo v${versions.pulumi} ;;
      "stack output") . "$FAKE/output.sh" ;;
      "stack export") echo "{}" ;;
      "stack history") cat "$FAKE/history.json" ;;
      preview*) . "$FAKE/preview.sh" ;;
      up*) . "$FAKE/up.sh" ;;
    esac`,
  );
  command("pulumi-language-nodejs", "");
  command("docker", `echo "$*" >>"$FAKE/calls"; cat >"$FAKE/stdin"`);
  for (const plugin of ["kubernetes", "random", "docker"] as const) {
    const folder = join(fake, "home", "plugins", `resource-${plugin}-v${versions[plugin]}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `pulumi-resource-${plugin}`), "");
  }
  environment = {
    FAKE: fake,
    PATH: `${join(fake, "bin")}:${process.env.PATH}`,
    PULUMI_HOME: join(fake, "home"),
    TOOLCHAIN: "system",
    KUBE_EDITOR: "sed -i 's/^environment: {}/environment: { ERLANG_THREADS: 40 }/'",
  };
  server = createServer((request, response) => {
    const answer = answers[(request.url ?? "").split("?")[0] ?? ""];
    if (answer === undefined) response.writeHead(404).end("{}");
    else answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  writeFileSync(
    join(clone.directory, "kubeconfig"),
    stringify({
      clusters: [{ name: "fake", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } }],
      users: [{ name: "fake", user: {} }],
      contexts: ["prod-east", "prod-west"].map((name) => ({ name, context: { cluster: "fake", user: "fake" } })),
    }),
  );
});
after(async () => {
  server?.closeAllConnections();
  server?.close();
  await clone?.dispose();
  if (fake !== undefined) rmSync(fake, { recursive: true });
});

const nyc = "us-east-nyc";
const outputs = (names: readonly string[]) => ({
  zones: Object.fromEntries(
    names.map((name) => [
      name,
      {
        cluster: "east",
        ring: name,
        namespace: name,
        image: "kazoo:5",
        endpoints: { brokers: [], database: "http://bigcouchbal:5984" },
        nodes: { kazoo: [`kazoo_apps@kazoo-0.kazoo-nodes.${name}.svc.cluster.local`], database: [] },
      },
    ]),
  ),
});
const says = (name: string, script: string) => writeFileSync(join(fake, `${name}.sh`), script);
const stackPath = () => join(clone.directory, "Pulumi.own.yaml");
const written = () => readFileSync(stackPath(), "utf8");
const writeStack = (config: object = {}) =>
  writeFileSync(
    stackPath(),
    stringify({
      config: {
        "kazoo:clusters": { east: { context: "prod-east", kubeconfig: "kubeconfig" } },
        "kazoo:image": { prebuilt: "kazoo:5" },
        "kazoo:regions": { "us-east": { cluster: "east", datacenters: { nyc: {}, bos: {} } } },
        ...config,
      },
    }),
  );
beforeEach(() => {
  answers = {};
  for (const name of ["calls", "stdin", "version.sh"]) rmSync(join(fake, name), { force: true });
  says("output", `echo '${JSON.stringify(outputs([nyc, "us-east-bos"]))}'`);
  says("preview", "exit 0");
  says("up", "exit 0");
  writeStack();
});

const calls = () => (existsSync(join(fake, "calls")) ? readFileSync(join(fake, "calls"), "utf8") : "");
const kazoo = (...args: string[]) => clone.run([...args, "--stack", "own"], environment);
async function refused(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await kazoo(...args);
  assert.notEqual(code, 0, stdout);
  assert.doesNotMatch(stderr, /\n\s+at \S+/, "no stack trace");
  return stderr;
}

/** Starts a command on its own terminal, created by script(1). */
const onTerminal = (args: string): ChildProcess =>
  spawn("script", ["-qec", `${process.execPath} tools/cli/kazoo.js ${args} --stack own`, "/dev/null"], {
    cwd: clone.directory,
    env: { ...process.env, ...environment, TERM: "xterm" },
    stdio: ["pipe", "pipe", "pipe"],
  });

/** Types keys on a terminal whenever the screen matches. Returns the output and the exit code. */
async function play(args: string, when: RegExp, keys: string): Promise<{ shown: string; code: unknown }> {
  const child = onTerminal(args);
  let shown = "";
  let pressed = false;
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
    if (!pressed && when.test(shown)) pressed = child.stdin?.write(keys) ?? false;
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), patience);
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearTimeout(timer);
  return { shown, code };
}

describe("kube-deploy", () => {
  test("refreshes, in the preview and in the update", async () => {
    const { code, stderr } = await kazoo("kube-deploy", "--zone", nyc, "--yes");
    assert.equal(code, 0, stderr);
    for (const command of ["preview", "up"]) {
      assert.match(
        calls(),
        new RegExp(`^${command} --stack own --target \\*\\*::${nyc}-kazoo-\\* --refresh( |$)`, "m"),
      );
    }
  });
});

describe("a drain", () => {
  const drain = ["drain", "--zone", nyc];
  const set = (name: string, replicas: number) => ({
    metadata: { name },
    spec: { replicas },
    status: { replicas },
  });
  const setsAre = (...replicas: readonly number[]) => {
    const items = ["kazoo", "rabbitmq-alpha", "rabbitmq-beta", "bigcouch"].map((name, i) =>
      set(name, replicas[i] ?? 1),
    );
    answers[`/apis/apps/v1/namespaces/${nyc}/statefulsets`] = (response) =>
      response.setHeader("Content-Type", "application/json").end(JSON.stringify({ items }));
  };
  const targets = ["kazoo", "rabbitmq-alpha", "rabbitmq-beta", "bigcouch"]
    .flatMap((name) => [name, `${name}-nodes`])
    .map((name) => `--target **::${nyc}-${name}`)
    .join(" ");

  test("asks first, and a dry run changes nothing", async () => {
    setsAre(1, 1, 1, 1);
    const before = written();
    assert.match(await refused(...drain), /drain zone us-east-nyc\? there is no terminal to ask on/);
    const { code, stdout } = await kazoo(...drain, "--dry-run");
    assert.equal(code, 0);
    assert.match(
      stdout,
      /no other zone of its ring is in service[^]*1\. Kazoo's nodes stop[^]*2\. Kazoo and the brokers stop/,
    );
    assert.equal(written(), before);
    assert.doesNotMatch(calls(), /^(preview|up)/m);
  });

  test("continues if Kazoo does not answer, and updates only the zone's StatefulSets, with the file's current content", async () => {
    setsAre(1, 1, 1, 1);
    const { code, stderr } = await kazoo(...drain, "--yes");
    assert.equal(code, 0, stderr);
    assert.match(stderr, /there is no pod kazoo-0 .*; continuing/);
    assert.match(written(), /nyc: \{ drained: \[ kazoo, rabbitmq \] \}/);
    for (const command of ["preview", "up"])
      assert.ok(calls().includes(`${command} --stack own ${targets} --refresh`), calls());
  });

  test("whose update failed continues, and one that is done does nothing", async () => {
    setsAre(0, 1, 1, 1);
    says("up", "exit 255");
    assert.match(
      await refused(...drain, "--yes"),
      /step 2, Kazoo and the brokers stop, in this order: pulumi up ended with exit code 255\nnext: Pulumi\.own\.yaml keeps the change: make drain STACK=own ZONE=us-east-nyc continues/,
    );
    says("up", "exit 0");
    const again = await kazoo(...drain, "--yes");
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, /\[1\/2\] Kazoo's nodes stop taking calls: already done/);
    setsAre(0, 0, 0, 1);
    assert.match((await kazoo(...drain, "--yes")).stderr, /nothing is left to do/);
  });

  test("is undone in the file if its preview fails; a return removes the key", async () => {
    setsAre(1, 1, 1, 1);
    says("preview", "exit 255");
    const before = written();
    assert.match(await refused(...drain, "--yes"), /the preview ended with exit code 255/);
    assert.equal(written(), before);
    says("preview", "exit 0");
    assert.equal((await kazoo(...drain, "--yes")).code, 0);
    const back = await kazoo("return", "--zone", nyc, "--yes");
    assert.equal(back.code, 0, back.stderr);
    assert.doesNotMatch(written(), /drained/);
  });

  test("keeps the database if it has the only copies, or if the copies cannot be checked", async () => {
    const ring = { ...outputs([nyc, "us-east-bos"]) };
    for (const zone of Object.values(ring.zones)) zone.ring = "main";
    const zones = ring.zones as Record<string, { nodes: { database: string[] } }>;
    (zones[nyc] ?? assert.fail()).nodes.database = [`couchdb@bigcouch-0.bigcouch.${nyc}.svc.cluster.local`];
    says("output", `echo '${JSON.stringify(ring)}'`);
    writeStack({ "kazoo:rings": { main: {} }, "kazoo:ring": "main" });
    setsAre(1, 1, 1, 1);
    const empty = (response: ServerResponse) =>
      response.setHeader("Content-Type", "application/json").end('{"items":[]}');
    for (const path of [
      "/apis/apps/v1/namespaces/us-east-bos/statefulsets",
      "/apis/batch/v1/namespaces/us-east-bos/jobs",
    ])
      answers[path] = empty;
    answers["/api/v1/namespaces/us-east-bos/pods"] = empty;
    // The other zone's only Kazoo node is unavailable.
    assert.match(await refused(...drain, "--dry-run"), /not everything in us-east-bos is ready/);
    answers["/apis/apps/v1/namespaces/us-east-bos/statefulsets"] = (response) =>
      response.setHeader("Content-Type", "application/json").end(
        JSON.stringify({
          items: ["kazoo", "rabbitmq", "bigcouch"].map((name) => ({
            metadata: { name, labels: { "app.kubernetes.io/name": name } },
            spec: { replicas: 1 },
            status: { readyReplicas: 1 },
          })),
        }),
      );
    const { code, stdout, stderr } = await kazoo(...drain, "--dry-run");
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /new calls go to us-east-bos\n.*the database nodes keep running: could not find out where the copies are: there is no pod kazoo-0/,
    );
  });
});

describe("an edit", () => {
  const edit = ["kube-deploy-edit", "--zone", nyc, "--yes"];

  test("stays in the stack's file once applied", async () => {
    const { code, stderr } = await kazoo(...edit);
    assert.equal(code, 0, stderr);
    assert.match(written(), /ERLANG_THREADS: 40/);
    assert.match(stderr, /the change is in Pulumi\.own\.yaml/);
  });

  test("is undone if its preview fails", async () => {
    const before = written();
    says("preview", "exit 255");
    assert.match(await refused(...edit), /the preview ended with exit code 255/);
    assert.equal(written(), before);
    assert.doesNotMatch(calls(), /^up/m);
  });

  test("stays if its update fails, with the next step, because the cluster may have a part of it", async () => {
    says("up", "exit 255");
    assert.match(
      await refused(...edit),
      /pulumi up ended with exit code 255\nnext: Pulumi\.own\.yaml keeps the change: make kube-deploy STACK=own ZONE=us-east-nyc continues/,
    );
    assert.match(written(), /ERLANG_THREADS: 40/);
  });

  test("keeps what others have changed in the file in the meantime", async () => {
    const editor = `sed -i 's/kazoo:5/kazoo:6/' '${stackPath()}' && ${environment.KUBE_EDITOR}`;
    const run = await clone.run([...edit, "--stack", "own"], { ...environment, KUBE_EDITOR: editor });
    assert.equal(run.code, 0, run.stderr);
    assert.match(written(), /prebuilt: kazoo:6/);
    assert.match(written(), /ERLANG_THREADS: 40/);
    const same = `sed -i 's/ERLANG_THREADS: 40/ERLANG_THREADS: 50/' '${stackPath()}'; sed -i 's/40/60/'`;
    const conflict = await clone.run([...edit, "--stack", "own"], { ...environment, KUBE_EDITOR: same });
    assert.match(conflict.stderr, /the variables of zone us-east-nyc were changed in Pulumi\.own\.yaml while/);
    assert.match(written(), /ERLANG_THREADS: 50/);
  });

  const wait = `touch "$FAKE/waits"; while [ -e "$FAKE/waits" ]; do sleep 0.05; done`;
  /** Runs it, sends a signal once Pulumi waits, and then lets Pulumi continue. */
  async function interrupt(signal: NodeJS.Signals): Promise<number | null> {
    const child = spawn(process.execPath, ["tools/cli/kazoo.js", ...edit, "--stack", "own"], {
      cwd: clone.directory,
      env: { ...process.env, ...environment },
      stdio: "ignore",
    });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    await until("pulumi waits", () => existsSync(join(fake, "waits")));
    child.kill(signal);
    // Node then sees this signal before the end of the waiting program, which is reported by a signal, too.
    const status = `/proc/${child.pid}/status`;
    await until(
      "the signal to be taken",
      () => !existsSync(status) || /^ShdPnd:\s+0+$/m.test(readFileSync(status, "utf8")),
    );
    rmSync(join(fake, "waits"));
    return ended;
  }

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    test(`that ${signal} interrupts before its update is undone`, async () => {
      const before = written();
      says("version", wait);
      assert.equal(await interrupt(signal), { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal]);
      assert.equal(written(), before);
    });

    test(`that ${signal} interrupts in its preview is undone, even if the preview succeeds`, async () => {
      const before = written();
      says("preview", `trap '' INT TERM; ${wait}; exit 0`);
      assert.notEqual(await interrupt(signal), 0);
      assert.equal(written(), before);
      assert.doesNotMatch(calls(), /^up/m);
    });
  }

  test("stays if it is interrupted in its update", async () => {
    says("up", `trap '' INT TERM; ${wait}; exit 1`);
    assert.equal(await interrupt("SIGTERM"), 1);
    assert.match(written(), /ERLANG_THREADS: 40/);
  });
});

describe("a rollback of the image", () => {
  const history = (...images: object[]) =>
    writeFileSync(
      join(fake, "history.json"),
      JSON.stringify(
        images.map((image) => {
          const clusters = { east: { context: "prod-east", kubeconfig: "kubeconfig" } };
          const regions = { "us-east": { cluster: "east", datacenters: { nyc: {}, bos: {} } } };
          const config = Object.fromEntries(
            Object.entries({ clusters, regions, image }).map(([key, objectValue]) => [
              `kazoo:${key}`,
              { objectValue, value: JSON.stringify(objectValue), secret: false },
            ]),
          );
          return { kind: "update", result: "succeeded", startTime: "", message: "", config };
        }),
      ),
    );

  test("names the zones that get it with the next up, before anything changes", async () => {
    history({ prebuilt: "kazoo:5" }, { prebuilt: "kazoo:4" });
    const said = await refused("kube-deploy-rollback", "--zone", nyc);
    assert.match(
      said,
      /a stack has one image: the next make up changes us-east-bos too[\s\S]*there is no terminal to ask on/,
    );
    assert.match(written(), /kazoo:5/);
  });

  test("from a built image to one that was not built keeps the build as a comment, and says so", async () => {
    const build = { build: { registry: "registry.example.com", repository: "kazoo" } };
    writeStack({ "kazoo:image": build });
    history(build, { prebuilt: "kazoo:4" });
    says("output", `echo '${JSON.stringify(outputs([nyc])).replace("kazoo:5", `r/kazoo@sha256:${"a".repeat(64)}`)}'`);
    const { code, stderr } = await kazoo("kube-deploy-rollback", "--zone", nyc, "--yes");
    assert.equal(code, 0, stderr);
    assert.match(stderr, /its build settings stay as a comment/);
    assert.match(written(), /^ +prebuilt: kazoo:4$/m);
    assert.match(written(), /^ +# build:\n +# {3}registry: registry\.example\.com\n +# {3}repository: kazoo$/m);
  });
});

describe("the error about something missing", () => {
  test("the stack in the backend: how to create it", async () => {
    says("output", `echo "error: no stack named 'own' found" >&2; exit 255`);
    for (const target of ["status", "kube-deploy", "get-master-account"]) {
      assert.match(
        await refused(target),
        /^error: pulumi stack output: no stack named 'own' found\nnext: .*pulumi stack init own\n$/,
        target,
      );
    }
  });

  test("the context in the kubeconfig: the key, what was found, and the existing contexts", async () => {
    writeStack({ "kazoo:clusters": { east: { context: "prod-eats", kubeconfig: "kubeconfig" } } });
    assert.match(
      await refused("kube-rollout-status", "--zone", nyc),
      /^error: kazoo:clusters\.east\.context: found "prod-eats", which is not in \S*kubeconfig\nnext: .*: prod-east, prod-west\n$/,
    );
  });

  test("an answer of the API server has a next step", async () => {
    const forbidden = (response: ServerResponse) =>
      response.writeHead(403, { "Content-Type": "application/json" }).end('{"message":"not yours"}');
    answers[`/apis/apps/v1/namespaces/${nyc}/statefulsets/kazoo`] = forbidden;
    assert.match(
      await refused("kube-rollout-status", "--zone", nyc),
      /cluster east answers 403: not yours\nnext: kubectl --context prod-east auth whoami/,
    );
    assert.match(
      await refused("kube-rollout-status", "--zone", "us-east-bos"),
      /zone us-east-bos has no StatefulSet kazoo\nnext: make kube-deploy STACK=own ZONE=us-east-bos/,
    );
  });
});

/** Kazoo's pod in a state, and the behaviour of its log. */
function pod(state: object, log?: (response: ServerResponse) => void): void {
  const path = `/api/v1/namespaces/${nyc}/pods/kazoo-0`;
  const status = { phase: "Pending", containerStatuses: [{ name: "kazoo", state }] };
  answers[path] = (response) =>
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ status }));
  if (log !== undefined) answers[`${path}/log`] = log;
}

describe("a pod's log", () => {
  test("ends with a broken connection, and says so", async () => {
    pod({ running: {} }, (response) => {
      response.write("first line\n");
      setTimeout(() => response.socket?.destroy(), 200);
    });
    const { code, stdout, stderr } = await kazoo("logsf", "--zone", nyc);
    assert.equal(stdout, "first line\n");
    assert.match(
      stderr,
      /^error: the connection to the log of pod kazoo-0 broke: .*\nnext: run the same command again/,
    );
    assert.equal(code, 1);
  });

  test("is complete if it simply ends", async () => {
    pod({ running: {} }, (response) => response.end("first line\nlast line\n"));
    assert.deepEqual(await kazoo("logsf", "--zone", nyc), { code: 0, stdout: "first line\nlast line\n", stderr: "" });
  });

  test("of a container that is still starting: what it waits for", async () => {
    pod({ waiting: { reason: "ContainerCreating" } }, (response) => response.writeHead(400).end("{}"));
    assert.match(
      await refused("kube-logsf", "--zone", nyc),
      /^error: pod kazoo-0 has no log yet: its container is waiting: ContainerCreating\nnext: try again later/,
    );
  });

  test("ends silently if its reader closes the pipe", async () => {
    pod({ running: {} }, (response) => response.end("a line of a long log\n".repeat(100_000)));
    const command = `"$0" tools/cli/kazoo.js logs --stack own --zone ${nyc} | head -n 2`;
    const run = await promisify(execFile)("bash", ["-o", "pipefail", "-c", command, process.execPath], {
      cwd: clone.directory,
      env: { ...process.env, ...environment },
    });
    assert.deepEqual([run.stdout, run.stderr], ["a line of a long log\n".repeat(2), ""]);
  });
});

describe("a stack with zones on Docker and on Kubernetes", () => {
  const mixed = () =>
    writeStack({
      "kazoo:clusters": {
        east: { context: "prod-east", kubeconfig: "kubeconfig" },
        box: { docker: {} },
      },
      "kazoo:regions": {
        "us-east": { cluster: "east", datacenters: { nyc: {} } },
        local: { cluster: "box", datacenters: { dev: {} } },
      },
    });

  test("has its targets for both: the chosen zone decides", async () => {
    mixed();
    pod({ running: {} }, (response) => response.end("of the pod\n"));
    for (const target of ["logs", "kube-logsf"])
      assert.equal((await kazoo(target, "--zone", nyc)).stdout, "of the pod\n");
    // The only possible one.
    assert.equal((await kazoo("kube-logsf")).stdout, "of the pod\n");
    assert.equal((await kazoo("logs", "--zone", "local-dev")).code, 0);
    assert.match(calls(), /^--host unix:\/\/\/var\/run\/docker\.sock logs kazoo$/m);
    assert.match(await refused("logs"), /there is more than one zone: (us-east-nyc, local-dev|local-dev, us-east-nyc)/);
  });

  test("refuses Kubernetes targets for a zone on Docker", async () => {
    mixed();
    for (const target of ["kube-logsf", "kube-deploy", "kube-shell"]) {
      assert.match(
        await refused(target, "--zone", "local-dev"),
        new RegExp(`^error: ${target} is for Kubernetes, and zone local-dev is on Docker\nnext: make `),
      );
    }
  });
});

test("a stack on Docker needs confirmation only if it is protected", async (context) => {
  const engine = createServer().listen(0, "127.0.0.1");
  context.after(() => engine.close());
  await once(engine, "listening");
  const host = `tcp://127.0.0.1:${(engine.address() as AddressInfo).port}`;
  for (const protect of [true, false]) {
    writeStack({
      "kazoo:protect": protect,
      "kazoo:clusters": { box: { docker: { host } } },
      "kazoo:regions": { local: { cluster: "box", datacenters: { dev: {} } } },
    });
    for (const command of ["up", "destroy"]) {
      rmSync(join(fake, "calls"), { force: true });
      const { code, stderr } = await kazoo(command);
      assert.equal(code, 0, stderr);
      assert.match(
        calls(),
        new RegExp(
          `^${command} --stack own --config-file \\S+${protect ? "( --event-log \\S+ --client \\S+)?" : " --yes .*"}$`,
          "m",
        ),
      );
    }
  }
});

test("kazoo-maint-nodes does not read its standard input", async () => {
  writeStack({
    "kazoo:clusters": { box: { docker: {} } },
    "kazoo:regions": { local: { cluster: "box", datacenters: { dev: {} } } },
  });
  const command = `echo mine | "$0" tools/cli/kazoo.js kazoo-maint-nodes --stack own`;
  await promisify(execFile)("bash", ["-c", command, process.execPath], {
    cwd: clone.directory,
    env: { ...process.env, ...environment },
  });
  assert.match(calls(), /exec --interactive kazoo sh$/m);
  assert.equal(readFileSync(join(fake, "stdin"), "utf8"), "exec sup kz_nodes status </dev/null\n");
});

describe("on a terminal", () => {
  for (const [name, key] of [
    ["Ctrl-C", "\x03"],
    ["Ctrl-D", "\x04"],
  ] as const) {
    test(`${name} at a question ends the command, and changes nothing`, async () => {
      const { shown, code } = await play("kube-deploy", /which zone\?/, key);
      assert.match(shown, /error:.* interrupted\r\n.*next:.* nothing was changed\r\n$/);
      assert.equal(code, 130);
      assert.doesNotMatch(calls(), /^(preview|up)/m);
    });
  }

  test("status --watch shows a line at once and ends with q, also while a cluster does not answer", async () => {
    const silence = () => undefined;
    for (const path of ["api/v1", "apis/apps/v1", "apis/batch/v1"])
      for (const kind of ["pods", "statefulsets", "jobs"]) answers[`/${path}/namespaces/${nyc}/${kind}`] = silence;
    const { shown, code } = await play("status --watch", /looking/, "q");
    assert.equal(code, 0, shown);
    assert.match(shown, /looking\r\n\x1b\[\?25h\x1b\[\?1049l$/, "nothing more was waited for");
  });
});

describe("a rotation", () => {
  const rotate = ["rotate", "rabbitmq", "--ring", nyc];
  const inFile = () => /rabbitmq: \{ (.*?) \}/.exec(written())?.[1];

  test("asks first; a dry run shows the steps, and names no password", async () => {
    const before = written();
    assert.match(await refused(...rotate), /rotate rabbitmq of ring us-east-nyc\? there is no terminal to ask on/);
    const { code, stdout } = await kazoo(...rotate, "--dry-run");
    assert.equal(code, 0);
    assert.match(stdout, / 1\. The brokers get the user kazoo-2 beside kazoo\n/);
    assert.match(
      stdout,
      / 2\. Kazoo moves to kazoo-2[^]* 3\. The brokers forget kazoo\n[^]*rabbitmqctl delete_user kazoo/,
    );
    assert.doesNotMatch(stdout, /us-east-bos/);
    assert.equal(written(), before);
    assert.doesNotMatch(calls(), /^(preview|up)/m);
  });

  test("does not start while the stack has unapplied changes", async () => {
    says("preview", "exit 255");
    const before = written();
    assert.match(await refused(...rotate, "--yes"), /step 1, .*: the stack has changes that are not applied/);
    assert.equal(written(), before);
    assert.doesNotMatch(calls(), /^up/m);
  });

  test("continues with the failed step, each step with its own update, and ends by removing the old user from the brokers", async () => {
    answers["/version"] = (response) => response.end("{}");
    writeFileSync(join(fake, "history.json"), "[]");
    says("up", "exit 255");
    assert.match(
      await refused(...rotate, "--yes"),
      /step 1, .*pulumi up ended with exit code 255\n[^]*make rotate STACK=own RING=us-east-nyc WHAT=rabbitmq continues/,
    );
    assert.equal(inFile(), "number: 2, step: add");
    says("preview", "exit 255"); // Now there are changes: those of the step.
    says("up", `grep -o 'step: [a-z]*' Pulumi.own.yaml >>"$FAKE/steps"`);
    const kept = await kazoo(...rotate, "--keep", "--yes");
    assert.equal(kept.code, 0, kept.stderr);
    assert.equal(inFile(), "number: 2, step: move");

    const live = outputs([nyc]) as { zones: Record<string, { endpoints: { brokers: string[] } }> };
    live.zones[nyc]?.endpoints.brokers.push(`rabbitmq-alpha.${nyc}.svc.cluster.local:5672`);
    says("output", `echo '${JSON.stringify(live)}'`);
    assert.match(await refused(...rotate, "--yes"), /step 3, .*there is no pod rabbitmq-alpha-0/);
    assert.equal(inFile(), "number: 2, step: remove");
    says("output", `echo '${JSON.stringify(outputs([nyc]))}'`);
    const done = await kazoo(...rotate, "--yes");
    assert.equal(done.code, 0, done.stderr);
    assert.equal(inFile(), "number: 2");
    assert.deepEqual(readFileSync(join(fake, "steps"), "utf8").match(/\w+$/gm), [
      "add",
      "move",
      "move",
      "remove",
      "remove",
    ]);
    assert.match((await kazoo(...rotate, "--dry-run")).stdout, /1\. The brokers get the user kazoo-3 beside kazoo-2\n/);
  });

  test("refuses credentials and brokers that the stack does not manage, and a zone whose brokers are unavailable", async () => {
    writeStack({ "kazoo:credentials": { [nyc]: { rabbitmq: { secretName: "vault-broker" } } } });
    assert.match(
      await refused(...rotate, "--yes"),
      /is the existing Secret vault-broker: its owner must rotate it\nnext: docs/,
    );
    writeStack({ "kazoo:environment": { KAZOO_AMQP_HOST: "mq.example.com" } });
    assert.match(await refused(...rotate, "--yes"), /zone us-east-nyc uses external stores \(KAZOO_AMQP_HOST\)/);
    const drained = { drained: ["kazoo", "rabbitmq"] };
    writeStack({ "kazoo:regions": { "us-east": { cluster: "east", datacenters: { nyc: drained } } } });
    assert.match(await refused(...rotate, "--yes"), /zone us-east-nyc is drained[^]*make return/);
  });
});

describe("a rotation of the master account's password", () => {
  const rotate = ["rotate", "master-account", "--ring", nyc];
  const given = { name: "example", realm: "sip.example.com", user: "admin" };
  const own = (more: object = {}) =>
    writeStack({ "kazoo:rings": { [nyc]: { masterAccount: given } }, "kazoo:protect": true, ...more });
  const inFile = () => /masterAccount: (\{ number.*?\})/.exec(written())?.[1];

  test("shows its steps, and begins only if Kazoo can be asked about the password", async () => {
    own();
    const { stdout } = await kazoo(...rotate, "--dry-run");
    assert.match(stdout, /^rotate master-account of ring us-east-nyc\n/);
    assert.match(stdout, / 1\. The master account's administrator gets another password\n/);
    assert.match(stdout, /namespace us-east-nyc: Secret kazoo-master-account has it[^]* 2\. The stack forgets the old/);
    answers["/version"] = (response) => response.end("{}");
    writeFileSync(join(fake, "history.json"), "[]");
    const before = written();
    assert.match(await refused(...rotate, "--yes"), /step 1, .*the master account's password does not exist yet/);
    const deployed = { ...outputs([nyc]), masterAccounts: { [nyc]: { ...given, password: "password-of-the-stack" } } };
    says("output", `echo '${JSON.stringify(deployed)}'`);
    assert.match(await refused(...rotate, "--yes"), /step 1, .*there is no pod kazoo-0/);
    assert.equal(written(), before);
    assert.doesNotMatch(calls(), /^up/m);
  });

  test("continues with the failed step, and asks Kazoo only in the first", async () => {
    own({
      "kazoo:rings": { [nyc]: { masterAccount: given, rotations: { masterAccount: { number: 2, step: "move" } } } },
    });
    answers["/version"] = (response) => response.end("{}");
    writeFileSync(join(fake, "history.json"), "[]");
    const passwords = { password: "password-that-is-new", previousPassword: "password-that-is-old" };
    const deployed = { ...outputs([nyc]), masterAccounts: { [nyc]: { ...given, ...passwords } } };
    says("output", `echo '${JSON.stringify(deployed)}'`);
    const failed = await refused(...rotate, "--yes");
    assert.match(failed, /step 1, .*there is no pod kazoo-0/);
    assert.doesNotMatch(failed + calls(), /password-that/);
    assert.equal(inFile(), "{ number: 2, step: move }");
    own({
      "kazoo:rings": { [nyc]: { masterAccount: given, rotations: { masterAccount: { number: 2, step: "remove" } } } },
    });
    const done = await kazoo(...rotate, "--yes");
    assert.equal(done.code, 0, done.stderr);
    assert.equal(inFile(), "{ number: 2 }");
  });

  test("refuses a ring without a master account, and one whose Kazoo is drained", async () => {
    assert.match(await refused(...rotate, "--yes"), /ring us-east-nyc has no masterAccount/);
    const datacenters = { nyc: { drained: ["kazoo"] }, bos: {} };
    own({ "kazoo:regions": { "us-east": { cluster: "east", datacenters } } });
    assert.match(await refused(...rotate, "--yes"), /zone us-east-nyc is drained[^]*make return ZONE=us-east-nyc/);
  });
});

describe("an upgrade", () => {
  const upgrade = ["upgrade", "rabbitmq", "--ring", nyc, "--to", "4.0"];
  const ring = (name: string) => (parse(written()) as Written).config["kazoo:rings"]?.[name];
  interface Written {
    readonly config: { readonly "kazoo:rings"?: Record<string, object> };
  }
  const steps = () => readFileSync(join(fake, "steps"), "utf8").match(/\w+$/gm);

  beforeEach(() => {
    rmSync(join(fake, "steps"), { force: true });
    answers["/version"] = (response) => response.end("{}");
    writeFileSync(join(fake, "history.json"), "[]");
    says("up", `grep -o 'upgrading: [a-z]*' Pulumi.own.yaml >>"$FAKE/steps"`);
    for (const zone of [nyc, "us-east-bos"]) ready(zone, 1);
  });
  const ready = (zone: string, readyReplicas: number) => {
    const kazoo = {
      metadata: { name: "kazoo", labels: { "app.kubernetes.io/name": "kazoo" } },
      spec: { replicas: 1 },
      status: { readyReplicas },
    };
    const lists = { "apps/v1": ["statefulsets", [kazoo]], "batch/v1": ["jobs", []] } as const;
    const says = (path: string, items: readonly object[]) =>
      (answers[path] = (response) =>
        response.setHeader("Content-Type", "application/json").end(JSON.stringify({ items })));
    for (const [group, [kind, items]] of Object.entries(lists))
      says(`/apis/${group}/namespaces/${zone}/${kind}`, items);
    says(`/api/v1/namespaces/${zone}/pods`, []);
  };

  test("asks first, and begins only where all is ready and applied; until then nothing changes", async () => {
    const before = written();
    assert.match(await refused(...upgrade), /upgrade rabbitmq of ring us-east-nyc to 4\.0\? there is no terminal/);
    const { stdout } = await kazoo(...upgrade, "--dry-run");
    assert.match(
      stdout,
      / 1\. .*feature flags of RabbitMQ 3\.13\n[^]* 2\. The brokers are upgraded to RabbitMQ 4\.0, alpha before beta\n[^]* 3\. .*of RabbitMQ 4\.0\n/,
    );
    assert.match(
      stdout,
      /namespace us-east-nyc: rabbitmq-alpha, then rabbitmq-beta restart with rabbitmq:4\.0-management/,
    );
    assert.doesNotMatch(stdout, /us-east-bos/);
    ready(nyc, 0);
    assert.match(
      await refused(...upgrade, "--yes"),
      /step 2, .*: not everything in us-east-nyc is ready\nnext: make status/,
    );
    ready(nyc, 1);
    says("preview", "exit 255");
    assert.match(await refused(...upgrade, "--yes"), /the stack has changes that are not applied/);
    assert.equal(written(), before);
    assert.doesNotMatch(calls(), /^up/m);
  });

  test("goes on with the step that failed, lets no other begin before it, and leaves nothing to do", async () => {
    says("up", "exit 255");
    assert.match(
      await refused(...upgrade, "--yes"),
      /step 2, .*exit code 255\n[^]*make upgrade STACK=own RING=us-east-nyc WHAT=rabbitmq TO=4\.0 continues/,
    );
    assert.deepEqual(ring(nyc), { rabbitmq: "4.0", upgrading: "rabbitmq" });
    assert.match(
      await refused("upgrade", "database", "--ring", nyc, "--to", "2.3.2", "--yes"),
      /ring us-east-nyc is not finished: upgrading is rabbitmq\nnext: finish it: make upgrade STACK=own RING=us-east-nyc WHAT=rabbitmq TO=4\.0/,
    );
    says("preview", "exit 255"); // Now there are changes: those of the step.
    says("up", `grep -o 'upgrading: [a-z]*' Pulumi.own.yaml >>"$FAKE/steps"`);
    const done = await kazoo(...upgrade, "--yes");
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stderr, /\[1\/3\] .*: already done\n/);
    assert.deepEqual(steps(), ["rabbitmq"]);
    assert.deepEqual(ring(nyc), { rabbitmq: "4.0" });
    assert.match((await kazoo(...upgrade, "--yes")).stderr, /nothing is left to do/);
  });

  test("of Kazoo restarts all rings at once, and migrates each until it has succeeded, without another restart", async () => {
    const to = ["upgrade", "kazoo", "--to", "4.3.20", "--image", "registry.example.com/kazoo:4.3.20", "--yes"];
    assert.match(
      await refused("upgrade", "kazoo", "--to", "4.3.20"),
      /name the image of Kazoo 4\.3\.20: make upgrade /,
    );
    for (let run = 0; run < 2; run++)
      assert.match(
        await refused(...to),
        /step 2, Kazoo migrates the data of ring us-east-bos: there is no pod kazoo-0/,
      );
    assert.deepEqual(steps(), ["kazoo", "kazoo"], "one update, with both rings in it");
    for (const name of [nyc, "us-east-bos"]) assert.deepEqual(ring(name), { kazoo: "4.3", upgrading: "migrate" });
    assert.match(written(), /prebuilt: registry\.example\.com\/kazoo:4\.3\.20/);
  });

  test("refuses a zone that is drained, and an image that would stay that of the old version", async () => {
    writeStack({ "kazoo:images": { rabbitmq: "mirror.example.com/rabbitmq:3.13" } });
    assert.match(await refused(...upgrade), /kazoo:images\.rabbitmq names the image of the running version/);
    const image = await kazoo(...upgrade, "--image", "mirror.example.com/rabbitmq:4.0", "--dry-run");
    // Both rings would run it, and only one has its version.
    assert.match(image.stderr, /with this version, Pulumi\.own\.yaml would be invalid[^]*rings with the same version/);
    const drained = { drained: ["kazoo", "rabbitmq"] };
    writeStack({ "kazoo:regions": { "us-east": { cluster: "east", datacenters: { nyc: drained } } } });
    assert.match(
      await refused(...upgrade, "--yes"),
      /zone us-east-nyc is drained\nnext: first run make return ZONE=us-east-nyc/,
    );
  });
});
