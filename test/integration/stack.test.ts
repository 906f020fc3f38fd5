import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cloneProject, type Clone, type Run } from "../support/clone";
import { plainPulumi } from "../support/plainPulumi";
import { clusterApi, eventually, type Found } from "../support/clusterApi";
import { opened } from "../support/exported";

/** The dev stack from the first `up` to `destroy`: the real engine and plugins, a real API server, simulated nodes. */
describe("the dev stack", () => {
  let clone: Clone;
  let api: Awaited<ReturnType<typeof clusterApi>>;
  before(async () => {
    clone = await cloneProject();
  });
  after(() => clone.dispose());

  const cookie = async (): Promise<string | undefined> => {
    const { body } = await api.call("GET", "/api/v1/namespaces/local-dev/secrets/erlang-cookie");
    return (body.data as { cookie?: string } | undefined)?.cookie;
  };
  const kazooPods = () => api.list("/api/v1/namespaces/local-dev/pods?labelSelector=app.kubernetes.io/name%3Dkazoo");

  test("an up stopped by Ctrl-C is completed by the next one, with the same cookie", async () => {
    const interrupted = await clone.interrupt(["up"], /Secret local-dev-erlang-cookie created/);
    assert.notEqual(interrupted.code, 0);
    assert.doesNotMatch(interrupted.stderr, /\n\s+at /, "no stack trace");
    api = await clusterApi(clone.directory, "local");
    const first = await cookie();
    assert.ok(first !== undefined && Buffer.from(first, "base64").toString().length === 64);

    const up = succeeded(await clone.run(["up"]));
    assert.match(up.stdout, /Crossbar +http:\/\/kazoo\.local-dev\.svc\.cluster\.local:8000/);
    assert.equal(await cookie(), first);
    assert.equal(up.stdout.includes(Buffer.from(first, "base64").toString()), false, "the cookie is not printed");
  });

  test("all pods are ready, volumes bound, Jobs done", async () => {
    const sets = await api.list("/apis/apps/v1/statefulsets");
    assert.deepEqual(sets.map(readiness).sort(), [
      "local-dev/bigcouch 1/1",
      "local-dev/kazoo 1/1",
      "local-dev/rabbitmq-alpha 1/1",
      "local-dev/rabbitmq-beta 1/1",
    ]);
    const claims = await api.list("/api/v1/persistentvolumeclaims");
    assert.deepEqual(
      claims.map((claim) => claim.status?.phase),
      ["Bound", "Bound", "Bound"],
    );
    const jobs = await api.list("/apis/batch/v1/jobs");
    assert.ok(jobs.length > 0 && jobs.every((job) => job.status?.succeeded === 1));
  });

  test("the API server accepts every object with strict field validation and without a warning", async () => {
    const objects = await deployedObjects(clone);
    assert.ok(objects.length > 30, `${objects.length} objects`);
    for (const object of objects) {
      const path = `${await pathOf(api, object)}?dryRun=All&fieldValidation=Strict&fieldManager=strict-test&force=true`;
      const answer = await api.call("PATCH", path, object, "application/apply-patch+yaml");
      assert.equal(
        answer.status,
        200,
        `${object.kind} ${object.metadata?.name}: ${JSON.stringify(answer.body.message)}`,
      );
      assert.deepEqual(answer.warnings, [], `${object.kind} ${object.metadata?.name}`);
    }
  });

  test("a second preview and a second up change nothing, also with a proxy in the environment", async () => {
    const nobody = "http://127.0.0.1:1";
    const proxied = { http_proxy: nobody, https_proxy: nobody, HTTP_PROXY: nobody, HTTPS_PROXY: nobody };
    succeeded(await clone.run(["preview", "--", "--expect-no-changes"], { ...proxied, no_proxy: "example.com" }));
    const up = succeeded(await clone.run(["up"]));
    assert.match(up.stdout, /Resources:\n +\d+ unchanged\n/);
  });

  test("a changed variable replaces Kazoo's ConfigMap, rolls its StatefulSet, and changes nothing else", async () => {
    const before = (await kazooPods()).map(({ metadata }) => metadata?.uid);
    edit(clone, "dev", (text) =>
      text.replace("config:\n", "config:\n  kazoo:environment: { KAZOO_LOG_LEVEL: debug }\n"),
    );
    const preview = succeeded(await clone.run(["preview", "--", "--json"]));
    const { steps } = JSON.parse(preview.stdout.slice(preview.stdout.indexOf("{"))) as {
      steps: { op: string; urn: string }[];
    };
    const changes = steps.filter(({ op }) => op !== "same").map(({ op, urn }) => `${op} ${urn.split("::").at(-1)}`);
    assert.deepEqual(changes.sort(), ["replace local-dev-kazoo-environment", "update local-dev-kazoo-nodes"]);

    // While the controllers are stopped, the provider mistakes the old status for the new one. The program does not.
    const { stdout } = await clone.run(["sandbox", "status", "--json"]);
    const [cluster] = JSON.parse(stdout) as { running: Record<string, number> }[];
    const controllers = cluster?.running["kube-controller-manager"] ?? assert.fail("no controllers");
    const log = join(clone.directory, "up.log");
    process.kill(controllers, "SIGSTOP");
    const up = plainPulumi(clone, ["up", "--yes", "--skip-preview", `>${log}`]);
    try {
      await eventually(
        "up waits for the roll",
        async () => (existsSync(log) ? readFileSync(log, "utf8") : ""),
        (said) => said.includes("waiting for StatefulSet local-dev/kazoo: the controller has not seen the change yet"),
      );
    } finally {
      process.kill(controllers, "SIGCONT");
    }
    succeeded(await up);
    const pods = await kazooPods();
    assert.deepEqual([pods.length, pods[0]?.metadata?.uid === before[0]], [1, false]);
    const [pod] = pods as [{ spec?: { containers?: { envFrom?: { configMapRef?: { name: string } }[] }[] } }];
    const name = pod.spec?.containers?.[0]?.envFrom?.[0]?.configMapRef?.name;
    const { body } = await api.call("GET", `/api/v1/namespaces/local-dev/configmaps/${name}`);
    assert.equal((body.data as Record<string, string>).KAZOO_LOG_LEVEL, "debug");
  });

  test("all problems of an invalid config are reported at once, and nothing changes", async () => {
    const right = readFileSync(join(clone.directory, "Pulumi.dev.yaml"), "utf8");
    edit(clone, "dev", (text) => text.replace("KAZOO_LOG_LEVEL: debug", "KAZOO_LOG_LEVL: debug, ERLANG_THREADS: many"));
    for (const run of [await clone.run(["up"]), await plainPulumi(clone, ["preview"])]) {
      assert.notEqual(run.code, 0);
      const said = run.stdout + run.stderr;
      assert.match(
        said,
        /kazoo:environment\.KAZOO_LOG_LEVL: found an unknown key; expected one of .*did you mean KAZOO_LOG_LEVEL\?/,
      );
      assert.match(said, /kazoo:environment\.ERLANG_THREADS: found "many"; expected a whole number from 1 to 1024/);
      assert.doesNotMatch(said, /\n\s+at \S+ \(/, "no stack trace");
    }
    writeFileSync(join(clone.directory, "Pulumi.dev.yaml"), right);
    succeeded(await clone.run(["preview", "--", "--expect-no-changes"]));
  });

  test("plain pulumi sees the same stack", async () => {
    succeeded(await plainPulumi(clone, ["preview", "--expect-no-changes"]));
    const outputs = succeeded(await plainPulumi(clone, ["stack", "output", "--json"]));
    const { zones } = JSON.parse(outputs.stdout) as { zones: Record<string, { nodes: { kazoo: string[] } }> };
    assert.deepEqual(zones["local-dev"]?.nodes.kazoo, ["kazoo_apps@kazoo-0.kazoo-nodes.local-dev.svc.cluster.local"]);
  });

  test("another stack with the same namespace is refused, and destroying it removes nothing", async () => {
    writeFileSync(join(clone.directory, "Pulumi.other.yaml"), readFileSync(join(clone.directory, "Pulumi.dev.yaml")));
    const before = await cookie();
    const up = await clone.run(["up", "--stack", "other"]);
    assert.notEqual(up.code, 0);
    assert.match(up.stderr, /Namespace local-dev of cluster local: stack dev created it/);
    succeeded(await clone.run(["destroy", "--stack", "other"]));
    assert.equal(await cookie(), before);
    succeeded(await clone.run(["preview", "--", "--expect-no-changes"]));
  });

  test("a protected stack refuses to lose its data, already in the preview", async () => {
    edit(clone, "dev", (text) => text.replace(/kazoo:protect: "?false"?/, "kazoo:protect: true"));
    succeeded(await clone.run(["up", "--yes"]));
    const before = await cookie();
    edit(clone, "dev", (text) => text.replace("dev: {}", "dev: { namespace: elsewhere }"));
    for (const command of [["preview"], ["up", "--yes"]]) {
      const run = await clone.run(command);
      assert.notEqual(run.code, 0, command[0]);
      assert.match(run.stdout + run.stderr, /local-dev-database-names.*protect/s);
    }
    assert.equal(await cookie(), before);
    edit(clone, "dev", (text) => text.replace("dev: { namespace: elsewhere }", "dev: {}"));
    assert.match((await clone.run(["destroy"])).stderr, /--yes/, "there is no terminal to ask on");
    assert.notEqual((await clone.run(["destroy", "--yes"])).code, 0);
    assert.equal(await cookie(), before);
    edit(clone, "dev", (text) => text.replace("kazoo:protect: true", "kazoo:protect: false"));
    succeeded(await clone.run(["up"]));
  });

  test("after the sandbox's cluster was removed, a preview shows what up restores, with the same cookie", async () => {
    const before = await cookie();
    succeeded(await clone.run(["sandbox", "down", "--purge"]));
    const preview = succeeded(await clone.run(["preview"]));
    assert.match(preview.stderr, /sandbox cluster local is new/);
    assert.match(preview.stdout, /\+ \d+ to create/);
    const up = succeeded(await clone.run(["up"]));
    api = await clusterApi(clone.directory, "local");
    assert.equal(await cookie(), before);
    const created = (text: string): string | undefined => /\+ (\d+) (?:to create|created)/.exec(text)?.[1];
    assert.equal(created(up.stdout), created(preview.stdout));
    succeeded(await clone.run(["preview", "--", "--expect-no-changes"]));
  });

  test("destroy leaves nothing", async () => {
    succeeded(await clone.run(["destroy"]));
    const namespaces = await api.list("/api/v1/namespaces?labelSelector=app.kubernetes.io/part-of%3Dkazoo");
    assert.deepEqual(namespaces, []);
    assert.deepEqual(await api.list("/api/v1/persistentvolumeclaims"), []);
    const state = succeeded(await plainPulumi(clone, ["stack", "export"]));
    assert.deepEqual(
      (JSON.parse(state.stdout) as { deployment: { resources?: unknown[] } }).deployment.resources ?? [],
      [],
    );
  });
});

/** Four zones on two clusters, one ring. */
describe("the rehearsal stack", () => {
  let clone: Clone;
  before(async () => {
    clone = await cloneProject();
  });
  after(() => clone.dispose());

  const zones = { east: ["us-east-bos", "us-east-nyc"], west: ["us-west-lax", "us-west-sfo"] };

  test("is deployed, with every object in its own cluster", async () => {
    succeeded(await clone.run(["up", "--stack", "rehearsal"]));
    for (const [cluster, own] of Object.entries(zones)) {
      const api = await clusterApi(clone.directory, cluster);
      const namespaces = await api.list("/api/v1/namespaces?labelSelector=kazoo/ring%3Dmain");
      assert.deepEqual(namespaces.map(({ metadata }) => metadata?.name).sort(), own);
      const sets = await api.list("/apis/apps/v1/statefulsets");
      assert.deepEqual(
        sets.map(readiness).sort(),
        own.flatMap((zone) => [
          `${zone}/bigcouch 1/1`,
          `${zone}/kazoo 2/2`,
          `${zone}/rabbitmq-alpha 1/1`,
          `${zone}/rabbitmq-beta 1/1`,
        ]),
      );
    }
  });

  test("each zone's Kazoo knows all brokers of the ring, and all zones share one cookie", async () => {
    const all = Object.values(zones).flat();
    const cookies = new Set<string | undefined>();
    for (const [cluster, own] of Object.entries(zones)) {
      const api = await clusterApi(clone.directory, cluster);
      for (const zone of own) {
        const [environment] = await api.list(
          `/api/v1/namespaces/${zone}/configmaps?labelSelector=app.kubernetes.io/name%3Dkazoo`,
        );
        const data = environment?.data ?? {};
        const brokers = (name: string) => {
          const domain = `${name}.svc.${name.startsWith("us-east") ? "east" : "west"}.internal`;
          return [`rabbitmq-alpha.${domain}`, `rabbitmq-beta.${domain}`] as const;
        };
        assert.deepEqual([data.KAZOO_AMQP_HOST, data.KAZOO_SECONDARY_AMQP_HOST], brokers(zone));
        assert.deepEqual(
          data.KAZOO_OTHER_ZONES?.split(" "),
          all.filter((other) => other !== zone).map((other) => `${other}=${brokers(other).join(",")}`),
        );
        const { body } = await api.call("GET", `/api/v1/namespaces/${zone}/secrets/erlang-cookie`);
        cookies.add((body as { data?: { cookie?: string } }).data?.cookie);
      }
    }
    assert.equal(cookies.size, 1);
    assert.equal(cookies.has(undefined), false);
  });

  test("a second preview shows no change, and destroy leaves nothing", async () => {
    succeeded(await clone.run(["preview", "--stack", "rehearsal", "--", "--expect-no-changes"]));
    succeeded(await clone.run(["destroy", "--stack", "rehearsal"]));
    for (const cluster of Object.keys(zones)) {
      const api = await clusterApi(clone.directory, cluster);
      assert.deepEqual(await api.list("/api/v1/namespaces?labelSelector=app.kubernetes.io/part-of%3Dkazoo"), []);
    }
  });
});

function succeeded(run: Run): Run {
  assert.equal(run.code, 0, `exit code ${run.code}\n${run.stdout}\n${run.stderr}`);
  return run;
}

function edit(clone: Clone, stack: string, change: (text: string) => string): void {
  const path = join(clone.directory, `Pulumi.${stack}.yaml`);
  const text = readFileSync(path, "utf8");
  const changed = change(text);
  assert.notEqual(changed, text, "the edit changes something");
  writeFileSync(path, changed);
}

/** The Kubernetes objects of the dev stack as the program declares them. */
async function deployedObjects(clone: Clone): Promise<Found[]> {
  const exported = succeeded(await plainPulumi(clone, ["stack", "export", "--show-secrets"]));
  const { deployment } = JSON.parse(exported.stdout) as {
    deployment: { resources: { type: string; inputs: Found }[] };
  };
  return deployment.resources
    .filter(({ type }) => type.startsWith("kubernetes:"))
    .map(({ inputs }) => opened(inputs) as Found);
}

type Api = Awaited<ReturnType<typeof clusterApi>>;

/** The API path of an object, from the API server's own list of kinds. */
async function pathOf(api: Api, object: Found): Promise<string> {
  const group = object.apiVersion === "v1" ? "/api/v1" : `/apis/${object.apiVersion}`;
  const { body } = await api.call("GET", group);
  const kind = (body.resources as { name: string; kind: string; namespaced: boolean }[]).find(
    (candidate) => candidate.kind === object.kind && !candidate.name.includes("/"),
  );
  assert.ok(kind, `the API server knows ${object.apiVersion} ${object.kind}`);
  return `${group}${kind.namespaced ? `/namespaces/${object.metadata?.namespace}` : ""}/${kind.name}/${object.metadata?.name}`;
}

function readiness(set: Found): string {
  const { replicas } = set.spec as { replicas: number };
  return `${set.metadata?.namespace}/${set.metadata?.name} ${(set.status?.readyReplicas as number | undefined) ?? 0}/${replicas}`;
}
