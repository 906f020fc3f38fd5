import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { cloneProject, type Clone, type Run } from "../support/clone";
import { clusterApi } from "../support/clusterApi";
import { type RegistryDouble, startRegistry } from "../support/registryDouble";

/** The Kubernetes targets on two zones of a ring in the sandbox: the real engine, a real API server, simulated nodes. */

const file = `# The comments of a stack's file are its owner's.
config:
  kazoo:protect: false
  kazoo:clusters:
    local: { sandbox: true }
  kazoo:rings:
    main: { masterAccount: { name: example, realm: sip.example.com, user: admin } } # made on first boot
  kazoo:regions:
    local:
      cluster: local
      datacenters:
        one: { ring: main }
        two: { ring: main } # the second
`;

let clone: Clone;
let api: Awaited<ReturnType<typeof clusterApi>>;
let registry: RegistryDouble;

before(async () => {
  clone = await cloneProject();
  writeFileSync(stackFile(), file);
  registry = await startRegistry();
});
after(async () => {
  registry?.stop();
  await clone?.dispose();
});

const stackFile = () => join(clone.directory, "Pulumi.dev.yaml");
const written = () => readFileSync(stackFile(), "utf8");
const rewrite = (from: string, to: string) => {
  assert.ok(written().includes(from), `${from} in\n${written()}`);
  writeFileSync(stackFile(), written().replace(from, to));
};

function succeeded(run: Run): Run {
  assert.equal(run.code, 0, `${run.stdout}\n${run.stderr}`);
  return run;
}
async function refused(args: readonly string[], environment?: NodeJS.ProcessEnv): Promise<string> {
  const run = await clone.run(args, environment);
  assert.notEqual(run.code, 0, `${args.join(" ")}: ${run.stdout}`);
  assert.doesNotMatch(run.stderr, /\n\s+at \S+ \(/, "no stack trace");
  return run.stderr;
}
const unchanged = async () => succeeded(await clone.run(["preview", "--", "--expect-no-changes"]));

/** The StatefulSet or Service kazoo of a zone; undefined if there is none. */
async function kazoo(kind: "statefulsets" | "services", zone: string) {
  const group = kind === "services" ? "/api/v1" : "/apis/apps/v1";
  const { status, body } = await api.call("GET", `${group}/namespaces/${zone}/${kind}/kazoo`);
  return status === 404 ? undefined : (body as unknown as { spec: Record<string, never> & { type?: string } });
}

/** The image and environment of a zone's Kazoo nodes. */
async function given(zone: string): Promise<{ image: string; environment: Record<string, string> }> {
  const set = (await kazoo("statefulsets", zone)) as unknown as {
    spec: { template: { spec: { containers: { image: string; envFrom: { configMapRef: { name: string } }[] }[] } } };
  };
  const [container] = set.spec.template.spec.containers;
  const name = container?.envFrom[0]?.configMapRef.name;
  const { body } = await api.call("GET", `/api/v1/namespaces/${zone}/configmaps/${name}`);
  return { image: container?.image ?? "", environment: body.data as Record<string, string> };
}

describe("on a stack that is not deployed", () => {
  test("targets say so, and how to deploy it", async () => {
    for (const target of ["status", "logs", "kube-deploy", "kube-rollout-status"]) {
      assert.match(await refused([target]), /stack dev is not deployed\nnext: make up STACK=dev/);
    }
  });
});

describe("first boot", () => {
  test("creates the ring's account once, from its first zone, and prints no password", async () => {
    const up = succeeded(await clone.run(["up"]));
    api = await clusterApi(clone.directory, "local");
    const jobs = await api.list("/apis/batch/v1/jobs");
    const bootstrap = jobs.filter(({ metadata }) => metadata?.name === "kazoo-bootstrap");
    assert.deepEqual(
      bootstrap.map(({ metadata, status }) => [metadata?.namespace, status?.succeeded]),
      [["local-one", 1]],
    );
    const { body } = await api.call("GET", "/api/v1/namespaces/local-one/secrets/kazoo-master-account");
    const password = Buffer.from((body.data as { password: string }).password, "base64").toString();
    assert.equal(password.length, 32);
    assert.ok(!`${up.stdout}${up.stderr}`.includes(password));
  });
});

describe("status", () => {
  test("is a table for people, without colours in a pipe, and exits with 0 if all is ready", async () => {
    const { stdout } = succeeded(await clone.run(["status"]));
    assert.match(stdout, /^ZONE +CLUSTER +RING +KAZOO +BROKERS +DATABASE +JOIN +FIRST BOOT +IMAGE +LAST RESTART$/m);
    assert.match(stdout, /^local-two +local +main +1\/1 +2\/2 +1\/1 +done +- +kazoo:4 +\d+ (s|min) ago$/m);
    assert.match(stdout, /^WORKLOAD +IMAGE +DIGEST +ZONES$/m);
    assert.match(stdout, /^rabbitmq +\S*rabbitmq:3\.13-management +(-|sha256:[a-f0-9]{12}) +all$/m);
    assert.ok(!stdout.includes("\x1b"));
  });

  test("is JSON for programs", async () => {
    const { stdout } = succeeded(await clone.run(["status", "--json"]));
    const { stack, zones } = JSON.parse(stdout) as { stack: string; zones: Record<string, unknown>[] };
    assert.equal(stack, "dev");
    assert.deepEqual(
      zones.map(({ zone, brokers, join, firstBoot, image }) => ({ zone, brokers, join, firstBoot, image })),
      ["local-one", "local-two"].map((zone) => ({
        zone,
        brokers: { ready: 2, wanted: 2 },
        join: "done",
        firstBoot: zone === "local-one" ? "done" : undefined,
        image: "callforamerica/kazoo:4",
      })),
    );
  });

  test("--watch draws over itself on a terminal until q, and leaves it as it was", async () => {
    // script(1) provides a terminal.
    const command = `${process.execPath} tools/cli/kazoo.js status --watch`;
    const child = spawn("script", ["-qec", command, "/dev/null"], {
      cwd: clone.directory,
      stdio: ["pipe", "pipe", "pipe"],
    });
    let drawn = "";
    let asked = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      drawn += text;
      if (!asked && drawn.split("ZONE ").length > 2) asked = child.stdin.write("q");
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.equal(code, 0, drawn);
    assert.match(drawn, /local-two .* 1\/1/);
    assert.match(drawn, /\x1b\[\?1049h[\s\S]*\x1b\[\?1049l$/);
  });

  test("--watch in a pipe is refused", async () => {
    assert.match(await refused(["status", "--watch"]), /--watch needs a terminal/);
  });
});

describe("a zone and a node", () => {
  test("must be named if there are several and no terminal", async () => {
    assert.match(
      await refused(["kube-rollout-status"]),
      /there is more than one zone: local-one, local-two\nnext: choose one with ZONE=, e\.g\. ZONE=local-one/,
    );
    assert.match(
      await refused(["logs", "--zone", "x"]),
      /there is no zone x\nnext: set ZONE= to one of local-one, local-two/,
    );
    const node = await refused(["logs", "--zone", "local-one", "--node", "kazoo-7"]);
    assert.match(node, /there is no node kazoo-7\nnext: set NODE= to one of kazoo-0, bigcouch-0, rabbitmq-alpha-0/);
  });
});

describe("what simulated pods cannot do gives one clear line", () => {
  const zone = ["--zone", "local-one"];
  const targets: readonly (readonly string[])[] = [
    ["logs", ...zone],
    ["logsf", ...zone, "--node", "rabbitmq-beta-0"],
    ["shell", ...zone],
    ["kube-logsf", ...zone],
    ["kube-logsft", ...zone],
    ["kube-shell", ...zone],
    ["kazoo-maint-nodes", ...zone, "--node", "kazoo_apps@kazoo-0.kazoo-nodes.local-one.svc.cluster.local"],
    ["init-account", ...zone],
    ["init-apps", ...zone, "--url", "https://kazoo.example.com/v2"],
    ["get-master-account", ...zone],
  ];
  for (const args of targets) {
    test(args[0] ?? "", async () => {
      assert.match(
        await refused(args),
        /^error: pod \S+ is simulated: no container runs in the sandbox, so there is no (log|shell and no sup)\nnext: .*\n$/,
      );
    });
  }

  test("init-apps without an API that browsers can reach", async () => {
    assert.match(
      await refused(["init-apps", ...zone]),
      /the apps need the address of the API.*\nnext: set URL= \(or --url\)/,
    );
  });
});

describe("the Service", () => {
  const zone = ["--zone", "local-two"];

  test("is deleted, and state and cluster agree; kube-deploy-service recreates it", async () => {
    const deleted = succeeded(await clone.run(["kube-delete-service", ...zone]));
    assert.match(deleted.stderr, /Service kazoo of zone local-two will be deleted: .* kube-deploy-service/);
    assert.equal(await kazoo("services", "local-two"), undefined);
    assert.ok((await kazoo("services", "local-one")) !== undefined);
    assert.match(await refused(["kube-delete-service", ...zone]), /zone local-two has no Service kazoo/);
    const preview = succeeded(await clone.run(["preview"]));
    assert.match(preview.stdout, /\+ 1 to create\n/);

    succeeded(await clone.run(["kube-deploy-service", ...zone]));
    assert.ok((await kazoo("services", "local-two")) !== undefined);
    await unchanged();
    assert.match(await refused(["kube-deploy-service", ...zone]), /already exists\nnext: make kube-apply-service/);
  });

  test("is changed by kube-apply-service, and nothing else is", async () => {
    rewrite(
      "two: { ring: main }",
      "two: { ring: main, workloads: { kazoo: { service: { type: NodePort } } }, environment: { ERLANG_THREADS: 30 } }",
    );
    succeeded(await clone.run(["kube-apply-service", ...zone]));
    assert.equal((await kazoo("services", "local-two"))?.spec.type, "NodePort");
    assert.equal((await given("local-two")).environment["ERLANG_THREADS"], "25");
  });
});

describe("the deployment", () => {
  const zone = ["--zone", "local-two"];
  const edit = (command: string) => ({ KUBE_EDITOR: undefined, VISUAL: undefined, EDITOR: command });

  test("kube-deploy applies the config of the zone's Kazoo", async () => {
    succeeded(await clone.run(["kube-deploy", ...zone]));
    assert.equal((await given("local-two")).environment["ERLANG_THREADS"], "30");
    await unchanged();
  });

  test("kube-deploy restores what was deleted by hand in the cluster, only in its zone", async () => {
    for (const name of ["local-one", "local-two"]) {
      assert.equal((await api.call("DELETE", `/api/v1/namespaces/${name}/services/kazoo`)).status, 200);
    }
    succeeded(await clone.run(["kube-deploy", ...zone]));
    assert.ok((await kazoo("services", "local-two")) !== undefined);
    assert.equal(await kazoo("services", "local-one"), undefined);
    succeeded(await clone.run(["kube-deploy-service", "--zone", "local-one"]));
    assert.ok((await kazoo("services", "local-one")) !== undefined);
    await unchanged();
  });

  test("kube-deploy-edit edits the zone's own variables, and file, state and cluster agree", async () => {
    const editor = `sed -i -e 's/^  ERLANG_THREADS: 30$/  ERLANG_THREADS: 40\\n  KAZOO_LOG_LEVEL: debug/' -e 's|^extraEnvironment: {}|extraEnvironment: { TZ: Etc/UTC }|'`;
    const run = succeeded(await clone.run(["kube-deploy-edit", ...zone], edit(editor)));
    assert.match(run.stdout, /local-two-kazoo-environment/, "there is a preview");
    const { environment } = await given("local-two");
    assert.deepEqual(
      ["ERLANG_THREADS", "KAZOO_LOG_LEVEL", "TZ"].map((name) => environment[name]),
      ["40", "debug", "Etc/UTC"],
    );
    assert.equal((await given("local-one")).environment["KAZOO_LOG_LEVEL"], "info");
    assert.match(written(), /^# The comments of a stack's file are its owner's\.$/m);
    assert.match(written(), /# made on first boot/);
    await unchanged();
  });

  test("an invalid edit, or none, changes nothing", async () => {
    const before = written();
    const wrong = await refused(
      ["kube-deploy-edit", ...zone],
      edit("sed -i 's/  KAZOO_LOG_LEVEL:/  KAZOO_LOG_LEVL:/'"),
    );
    assert.match(wrong, /KAZOO_LOG_LEVL: found an unknown key; .*did you mean KAZOO_LOG_LEVEL\?/);
    assert.match(await refused(["kube-deploy-edit", ...zone], edit("sed -i '$ a - x'")), /the saved text is not/);
    assert.match(await refused(["kube-deploy-edit", ...zone], edit("false")), /false ended with exit code 1/);
    assert.match(succeeded(await clone.run(["kube-deploy-edit", ...zone], edit("true"))).stderr, /nothing was changed/);
    assert.equal(written(), before);
  });

  test("kube-rollout-status waits until the rollout ends", async () => {
    const { stdout } = succeeded(await clone.run(["kube-rollout-status", ...zone]));
    assert.match(stdout, /zone local-two: 1 of 1 nodes updated, 1 ready\n$/);
  });

  test("kube-rollout-history shows what each update changed in the zone", async () => {
    const { stdout } = succeeded(await clone.run(["kube-rollout-history", ...zone]));
    assert.match(stdout, /^UPDATE +TIME +RESULT +CHANGED +MESSAGE$/m);
    assert.match(
      stdout,
      /ERLANG_THREADS 30 -> 40, KAZOO_LOG_LEVEL info -> debug, TZ \(unset\) -> Etc\/UTC +kube-deploy-edit ZONE=local-two$/m,
    );
    const other = succeeded(await clone.run(["kube-rollout-history", "--zone", "local-one"]));
    assert.doesNotMatch(other.stdout, /KAZOO_LOG_LEVEL/);
  });

  test("kube-deploy-rollback restores environment and image, in file, state and cluster", async () => {
    succeeded(await clone.run(["kube-deploy-rollback", ...zone]));
    const { environment } = await given("local-two");
    assert.deepEqual(
      ["ERLANG_THREADS", "KAZOO_LOG_LEVEL", "TZ"].map((name) => environment[name]),
      ["30", "info", undefined],
    );
    await unchanged();

    const digest = `sha256:${"a".repeat(64)}`;
    rewrite("config:\n", `config:\n  kazoo:image: { prebuilt: registry.example.com/kazoo@${digest} }\n`);
    succeeded(await clone.run(["up"]));
    assert.match((await given("local-two")).image, /registry\.example\.com/);
    const run = succeeded(await clone.run(["kube-deploy-rollback", ...zone]));
    assert.match(run.stderr, /image registry\.example\.com\/kazoo@sha256:a+ -> callforamerica\/kazoo:4/);
    assert.equal((await given("local-two")).image, "callforamerica/kazoo:4");
    assert.match(written(), /kazoo:image: *\n? *\{? *prebuilt: callforamerica\/kazoo:4/);
    succeeded(await clone.run(["up"]));
    await unchanged();
  });

  test("a rollback to an update that does not exist is refused", async () => {
    assert.match(await refused(["kube-deploy-rollback", ...zone, "--to", "999"]), /zone local-two has no update 999/);
  });

  test("kube-delete-deployment deletes only the zone's nodes, also in the ring's first zone; kube-deploy recreates them", async () => {
    succeeded(await clone.run(["kube-delete-deployment", "--zone", "local-one"]));
    assert.equal(await kazoo("statefulsets", "local-one"), undefined);
    assert.ok((await kazoo("statefulsets", "local-two")) !== undefined);
    const status = await clone.run(["status"]);
    assert.equal(status.code, 1);
    assert.match(status.stdout, /^local-one +local +main +0\/1 +2\/2 +1\/1 +done +done +- +-$/m);
    assert.match(
      await refused(["kube-rollout-status", "--zone", "local-one"]),
      /zone local-one has no StatefulSet kazoo/,
    );

    succeeded(await clone.run(["kube-deploy", "--zone", "local-one"]));
    assert.ok((await kazoo("statefulsets", "local-one")) !== undefined);
    await unchanged();
    succeeded(await clone.run(["status"]));
  });
});

test("a stack on another cluster needs confirmation, and its targets change nothing if nobody can be asked", async () => {
  assert.ok(existsSync(join(clone.directory, ".sandbox", "kubeconfig")));
  writeFileSync(
    join(clone.directory, "Pulumi.other.yaml"),
    `config:
  kazoo:image: { prebuilt: "${registry.address}/hub/kazoo:5" }
  kazoo:imageMirror: ${registry.address}/hub # ours
  kazoo:clusters:
    real: { context: sandbox-local, kubeconfig: .sandbox/kubeconfig } # ours
  kazoo:regions:
    other: { cluster: real, datacenters: { dc: {} } }
`,
  );
  await plain(["stack", "init", "other"], own());
  succeeded(await clone.run(["up", "--stack", "other", "--yes"], own()));
  for (const target of ["kube-delete-deployment", "kube-delete-service"]) {
    const said = await refused([target, "--stack", "other"], own());
    assert.match(said, /will be deleted: .* Data is not touched\. This stack is protected/);
    assert.match(said, /there is no terminal to ask on\nnext: confirm with YES=1/);
  }
  assert.ok((await kazoo("statefulsets", "other-dc")) !== undefined);
  succeeded(await clone.run(["kube-delete-deployment", "--stack", "other", "--yes"], own()));
  assert.equal(await kazoo("statefulsets", "other-dc"), undefined);
  rewriteOther("config:\n", "config:\n  kazoo:protect: false\n");
  succeeded(await clone.run(["up", "--stack", "other", "--yes"], own()));
});

/** The environment of a backend of one's own. */
const own = () => ({
  PULUMI_BACKEND_URL: `file://${clone.directory}/.state`,
  PULUMI_CONFIG_PASSPHRASE: "test",
  PULUMI_CREDENTIALS_PATH: join(clone.directory, ".state"),
});

test("a cluster is reached through another context, also after an interruption, and no object is touched", async () => {
  const kubeconfig = readFileSync(join(clone.directory, ".sandbox", "kubeconfig"), "utf8");
  writeFileSync(join(clone.directory, "renamed"), kubeconfig.replaceAll("sandbox-local", "prod-east"));
  const before = await objectsIn("other-dc");
  assert.ok(before.length > 20);
  const use = ["use-context", "--stack", "other", "--context"];
  const east = [...use, "prod-east", "--kubeconfig", "renamed"];
  assert.match(await refused([...use, "prod-east"], own()), /"prod-east", which is not in .*contexts: sandbox-local/s);
  const shown = succeeded(await clone.run([...east, "--dry-run"], own())).stdout;
  assert.match(shown, /same cluster as through context sandbox-local: namespace kube-system has uid \S{36}\n/);
  const interrupted = await clone.interrupt([...east, "--yes"], /\nReport: /, own());
  assert.notEqual(interrupted.code, 0, interrupted.stdout);
  succeeded(await clone.run([...east, "--yes"], own()));
  assert.match(succeeded(await clone.run([...east], own())).stderr, /nothing is left to do/);

  // Without the earlier context, only the state tells which cluster it was.
  rmSync(join(clone.directory, "renamed"));
  const back = [...use, "sandbox-local", "--kubeconfig", ".sandbox/kubeconfig", "--yes"];
  assert.match(
    succeeded(await clone.run(back, own())).stdout,
    /runs on: namespace other-dc has uid \S{36}, as in the state\n/,
  );
  assert.match(
    readFileSync(join(clone.directory, "Pulumi.other.yaml"), "utf8"),
    /real: \{ context: sandbox-local, kubeconfig: \.sandbox\/kubeconfig \} # ours/,
  );
  assert.deepEqual(await objectsIn("other-dc"), before);
  succeeded(await clone.run(["preview", "--stack", "other", "--", "--expect-no-changes"], own()));
});

test("images move to another place once all copies are there, also after an interruption; data stays", async () => {
  const names = ["library/rabbitmq:3.13-management", "library/couchdb:2.3.1", "curlimages/curl:8.11.1", "kazoo:5"];
  names.forEach((name, index) => registry.images.set(`hub/${name}`, `sha256:${`${index}`.repeat(64)}`));
  for (const name of names.slice(1)) registry.images.set(`copies/${name}`, registry.images.get(`hub/${name}`) ?? "");
  const other = () => readFileSync(join(clone.directory, "Pulumi.other.yaml"), "utf8");
  const [before, claims] = [other(), await claimsIn("other-dc")];
  const [from, to] = [`${registry.address}/hub`, `${registry.address}/copies`];
  const move = ["move-images", "--stack", "other", "--from", from, "--to", to];
  const missing = await refused([...move, "--yes"], own());
  assert.match(
    missing,
    /^error: \S+\/copies\/library\/rabbitmq:3\.13-management does not exist\nnext: copy them first/,
  );
  assert.ok(missing.includes(`docker://${from}/${names[0]} docker://${to}/${names[0]}`), missing);
  registry.images.set(`copies/${names[0]}`, registry.images.get(`hub/${names[0]}`) ?? "");
  assert.match(
    succeeded(await clone.run([...move, "--dry-run"], own())).stdout,
    /couchdb:2\.3\.1 has the same digest, /,
  );
  assert.equal(other(), before);
  const interrupted = await clone.interrupt([...move, "--yes"], /StatefulSet \S+ updating/, own());
  assert.notEqual(interrupted.code, 0, interrupted.stdout);
  succeeded(await clone.run([...move, "--yes"], own()));
  assert.equal(other(), before.replaceAll("/hub", "/copies"));
  const sets = await api.list("/apis/apps/v1/namespaces/other-dc/statefulsets");
  assert.equal(sets.length, 4);
  for (const set of sets) {
    const { spec } = (set.spec as { template: { spec: { containers: { image: string }[] } } }).template;
    for (const { image } of spec.containers) assert.ok(image.startsWith(`${to}/`), image);
  }
  assert.deepEqual(await claimsIn("other-dc"), claims);
  succeeded(await clone.run(["preview", "--stack", "other", "--", "--expect-no-changes"], own()));
  succeeded(await clone.run(["destroy", "--stack", "other", "--yes"], own()));
});

const claimsIn = async (namespace: string) =>
  (await api.list(`/api/v1/namespaces/${namespace}/persistentvolumeclaims`)).map(({ metadata }) => [
    metadata?.name,
    metadata?.uid,
  ]);

/** The objects of a namespace, with their versions. */
async function objectsIn(namespace: string) {
  const paths = ["v1/secrets", "v1/configmaps", "v1/services", "v1/pods", "v1/persistentvolumeclaims"]
    .map((kind) => `/api/${kind}`)
    .concat("/apis/apps/v1/statefulsets", "/apis/batch/v1/jobs", "/apis/networking.k8s.io/v1/networkpolicies");
  const found = await Promise.all(
    paths.map((path) => api.list(path.replace(/\/(\w+)$/, `/namespaces/${namespace}/$1`))),
  );
  return found.flat().map(({ metadata }) => [metadata?.name, metadata?.uid, metadata?.resourceVersion]);
}

/** Runs plain pulumi in the clone, as a user would. */
async function plain(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<void> {
  const { stdout: variables } = succeeded(await clone.run(["env", "--stack", "other"], environment));
  const options = { cwd: clone.directory, env: { ...process.env, ...environment } };
  await promisify(execFile)("bash", ["-c", `${variables}\nexec pulumi "$@"`, "bash", ...args], options);
}

const rewriteOther = (from: string, to: string) => {
  const path = join(clone.directory, "Pulumi.other.yaml");
  writeFileSync(path, readFileSync(path, "utf8").replace(from, to));
};
