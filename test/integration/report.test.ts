import { homedir } from "node:os";
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { cloneProject, type Clone, type Run } from "../support/clone";
import { clusterApi } from "../support/clusterApi";

/** Reports of the rehearsal stack, four zones on two clusters: the real engine and plugins, real API servers, simulated nodes. */
describe("reports of the rehearsal stack", () => {
  let clone: Clone;
  let config: string;
  before(async () => {
    clone = await cloneProject();
    config = readFileSync(configFile(), "utf8");
    const up = await clone.run(["up", "--stack", "rehearsal"]);
    assert.equal(up.code, 0, up.stdout + up.stderr);
  });
  after(() => clone.dispose());

  const configFile = () => join(clone.directory, "Pulumi.rehearsal.yaml");
  const state = () => readFileSync(join(clone.directory, ".state/.pulumi/stacks/kazoo/rehearsal.json"), "utf8");
  const edited = (change: (text: string) => string): void => {
    const text = change(config);
    assert.notEqual(text, config, "the change changes the config");
    writeFileSync(configFile(), text);
  };

  interface Told extends Run {
    readonly markdown: string;
    readonly html: string;
  }

  /** Runs a command that writes a report, and asserts that the state does not change. */
  async function told(command: "preview-report" | "drift", environment: NodeJS.ProcessEnv = {}): Promise<Told> {
    const before = state();
    const out = join(clone.directory, ".state", "out");
    const run = await clone.run([command, "--stack", "rehearsal", "--out", out], environment);
    assert.equal(state(), before, "the state is as it was");
    assert.doesNotMatch(run.stdout + run.stderr, /\n\s+at \S+ \(/, "no stack trace");
    const [markdown, html] = ["report.md", "report.html"].map((name) => readFileSync(join(out, name), "utf8")) as [
      string,
      string,
    ];
    return { ...run, markdown, html };
  }

  /** All values of the stack's Secrets, plain and in base64. */
  async function secrets(): Promise<string[]> {
    const { list } = await clusterApi(clone.directory, "east");
    const values = (await list("/api/v1/secrets?labelSelector=app.kubernetes.io/part-of%3Dkazoo")).flatMap(({ data }) =>
      Object.values(data ?? {}),
    );
    return values
      .flatMap((value) => [value, Buffer.from(value, "base64").toString()])
      .filter((value) => value.length >= 16);
  }

  async function free(run: Told): Promise<void> {
    const found = await secrets();
    assert.ok(found.length >= 8, "there are secrets to look for");
    for (const text of [run.markdown, run.html, run.stdout, run.stderr]) {
      assert.deepEqual(
        found.filter((secret) => text.includes(secret)),
        [],
      );
    }
  }

  const noChanges = /^<!-- kazoo preview of rehearsal -->\n## Preview of stack rehearsal\n\n\*\*No changes\.\*\*\n$/;
  /** Another user with another locale and time zone, but the same toolchain, which takes minutes to build. */
  const somebody = (home: string): NodeJS.ProcessEnv => ({
    USER: "somebody",
    HOME: home,
    KAZOO_CACHE: process.env.KAZOO_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "kazoo"),
    TZ: "Asia/Tokyo",
    LANG: "de_DE.UTF-8",
  });

  test("nothing changed: nothing reported, by preview or drift", async () => {
    const preview = await told("preview-report");
    assert.equal(preview.code, 0, preview.stdout + preview.stderr);
    assert.match(preview.markdown, noChanges);
    const drift = await told("drift");
    assert.equal(drift.code, 0, drift.stdout + drift.stderr);
    assert.match(
      drift.markdown,
      /^<!-- kazoo drift of rehearsal -->\n## Drift of stack rehearsal\n\n\*\*Nothing was changed by hand\.\*\*\n$/,
    );
  });

  test("nothing changed in another clone, with the same state and clusters, for another user: nothing reported", async () => {
    const other = await cloneProject();
    try {
      const shared = [".state", ".sandbox"].map((folder) => join(clone.directory, folder));
      execFileSync("cp", ["-a", ...shared, other.directory]);
      const environment = somebody(other.directory);
      const { stdout: variables } = await other.run(["env", "--stack", "rehearsal"], environment);
      // Plain pulumi, because kazoo would move the clusters to this clone.
      const preview = `eval "$VARIABLES"; exec pulumi preview --stack rehearsal --json --non-interactive > preview.json`;
      const env = { ...process.env, ...environment, VARIABLES: variables };
      await promisify(execFile)("bash", ["-c", preview], { cwd: other.directory, env });
      const args = ["preview-report", "--stack", "rehearsal", "--json", "preview.json", "--out", "out"];
      const report = await other.run(args, environment);
      assert.equal(report.code, 0, report.stdout + report.stderr);
      assert.match(readFileSync(join(other.directory, "out/report.md"), "utf8"), noChanges);
    } finally {
      // Without `dispose`: the sandbox is the first clone's.
      rmSync(other.directory, { recursive: true, force: true });
    }
  });

  test("a changed variable: one line, with little around it, and the same text each time", async () => {
    edited((text) => text.replace("config:\n", "config:\n  kazoo:environment: { KAZOO_LOG_LEVEL: debug }\n"));
    const first = await told("preview-report");
    assert.equal(first.code, 2, first.stdout + first.stderr);
    assert.match(
      first.stdout,
      /^Nothing is replaced or deleted\.\n8 resources in all 4 datacenters: 4 changed in place, 4 renewed\. 8 pods restart\.\n/,
    );
    const lines = first.markdown.split("\n");
    assert.ok(lines.length <= 40, `${lines.length} lines`);
    assert.ok(
      lines.includes("- **all 4 datacenters**: `KAZOO_LOG_LEVEL` `info` → `debug`; pods of StatefulSet kazoo restart"),
    );
    await free(first);

    const again = await told("preview-report", somebody(clone.directory));
    assert.equal(again.markdown, first.markdown);
    assert.equal(again.html, first.html);
    writeFileSync(configFile(), config);
  });

  test("a database that would be replaced: reported first and in full, although the cluster refuses the first change", async () => {
    edited((text) => text.replace("kazoo: { replicas: 2 }", "kazoo: { replicas: 2 }\n    database: { storage: 30Gi }"));
    const first = await told("preview-report");
    assert.equal(first.code, 3, first.stdout + first.stderr);
    assert.match(
      first.stdout,
      /^Data at stake: 4 replaced in all 4 datacenters \(StatefulSet bigcouch\)\. The preview failed\.\n/,
    );
    assert.match(
      first.markdown,
      /forced by `spec\.volumeClaimTemplates\[data\]\.spec\.resources\.requests\.storage` `20Gi` → `30Gi`/,
    );
    assert.equal((await told("preview-report")).markdown, first.markdown);
    writeFileSync(configFile(), config);
  });

  test("an invalid config: reported as such, with exit code 1", async () => {
    edited((text) => text.replace("replicas: 2", "replicas: many"));
    for (const command of ["preview-report", "drift"] as const) {
      const run = await told(command);
      assert.equal(run.code, 1);
      assert.match(
        run.markdown,
        /### Failed\n\n- `1 problem in the config of this stack:`\n- `kazoo:workloads\.kazoo\.replicas: found "many"/,
      );
    }
    writeFileSync(configFile(), config);
  });

  test("a stack named with its organization: the report's folder has no organization in its name", async () => {
    writeFileSync(join(clone.directory, "nothing.json"), '{"steps": []}');
    const run = await clone.run(["preview-report", "--stack", "acme/rehearsal", "--json", "nothing.json"]);
    assert.equal(run.code, 0, run.stdout + run.stderr);
    assert.match(run.stdout, /^Report: \.state\/report\/rehearsal\/report\.md, /m);
    const report = readFileSync(join(clone.directory, ".state/report/rehearsal/report.md"), "utf8");
    assert.match(report, /^<!-- kazoo preview of acme\/rehearsal -->\n/);
  });

  test("a missing stack or file: one clear error", async () => {
    const stack = await clone.run(["preview-report", "--stack", "nowhere"]);
    assert.deepEqual([stack.code, stack.stdout], [1, ""]);
    assert.match(stack.stderr, /error: there is no stack nowhere/);
    const file = await clone.run(["preview-report", "--stack", "rehearsal", "--json", "nowhere.json"]);
    assert.equal(file.code, 1);
    assert.match(file.stderr, /error: nowhere\.json can't be read \(ENOENT\)/);
    const other = await clone.run(["preview-report", "--stack", "rehearsal", "--json", "package.json"]);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /error: package\.json is not a preview/);
  });

  test("manual changes are reported with what undoing them does; once undone, nothing is reported", async () => {
    const [east, west] = [await clusterApi(clone.directory, "east"), await clusterApi(clone.directory, "west")];
    const patch = async (api: typeof east, path: string, body: object, kind = "merge") => {
      const type = `application/${kind}-patch+json`;
      const { status } = await api.call("PATCH", `${path}?fieldManager=by-hand`, body, type);
      assert.equal(status, 200, path);
    };
    await patch(east, "/apis/apps/v1/namespaces/us-east-bos/statefulsets/kazoo", { spec: { replicas: 1 } });
    await patch(east, "/api/v1/namespaces/us-east-nyc/services/kazoo", { spec: { type: "NodePort" } });
    const password = Buffer.from("SentinelByHandPassword").toString("base64");
    await patch(west, "/api/v1/namespaces/us-west-sfo/secrets/rabbitmq", { data: { password } });
    await west.call("DELETE", "/apis/policy/v1/namespaces/us-west-lax/poddisruptionbudgets/kazoo");
    // Added where the program sets nothing, so a refresh does not see it.
    const ports = [{ name: "by-hand", port: 9999 }];
    await patch(west, "/api/v1/namespaces/us-west-lax/services/kazoo", { spec: { ports } }, "strategic-merge");
    const container = { name: "kazoo", env: [{ name: "KAZOO_LOG_LEVEL", value: "debug" }] };
    const template = { spec: { containers: [container] } };
    const workload = "/apis/apps/v1/namespaces/us-west-lax/statefulsets/kazoo";
    await patch(west, workload, { spec: { template } }, "strategic-merge");
    const policy = "/apis/networking.k8s.io/v1/namespaces/us-east-nyc/networkpolicies/default-deny";
    await patch(east, policy, { spec: { ingress: [{}] } });
    const foreign = "/api/v1/namespaces/us-east-bos/services";
    const service = { metadata: { name: "by-hand" }, spec: { ports: [{ port: 80 }] } };
    assert.equal((await east.call("POST", `${foreign}?fieldManager=by-hand`, service)).status, 201);
    // Labels may be added by anyone.
    await patch(west, "/api/v1/namespaces/us-west-sfo/services/kazoo", { metadata: { labels: { mine: "yes" } } });

    assert.equal((await told("preview-report")).code, 0, "a preview trusts the state");
    const drift = await told("drift");
    assert.equal(drift.code, 2, drift.stdout + drift.stderr);
    assert.match(drift.stdout, /^Changed by hand: 8 resources\. To undo it: nothing is replaced or deleted\.\n/);
    const [, byHand = ""] = drift.markdown.split("### Changed by hand");
    const lines = (byHand.split("##")[0] ?? "").trim().split("\n");
    assert.deepEqual(lines, [
      "- **us-east-bos**: StatefulSet kazoo: `spec.replicas` `2` → `1`",
      "- **us-east-nyc**: NetworkPolicy default-deny: `spec.ingress` + `[{}]`",
      "- **us-east-nyc**: Service kazoo: `spec.type` `ClusterIP` → `NodePort`",
      '- **us-west-lax**: Service kazoo: `spec.ports[by-hand]` + `{"port":9999,"protocol":"TCP","name":"by-hand","targetPort":9999}`',
      '- **us-west-lax**: StatefulSet kazoo: `containers[kazoo].env[KAZOO_LOG_LEVEL]` + `{"name":"KAZOO_LOG_LEVEL","value":"debug"}`',
      "- **us-west-sfo**: Secret rabbitmq: `data.password` changes (secret); running pods keep the old value",
      "- **us-east-bos**: Service by-hand added",
      "- **us-west-lax**: PodDisruptionBudget kazoo deleted",
    ]);
    const [, undoing = ""] = drift.markdown.split("## What undoing it does");
    assert.match(undoing, /\*\*us-east-bos\*\*: StatefulSet kazoo: `spec\.replicas` `1` → `2`/);
    assert.match(undoing, /\*\*us-west-lax\*\*: PodDisruptionBudget kazoo\n/);
    assert.doesNotMatch(drift.markdown + drift.html + drift.stdout, /SentinelByHand|U2VudGluZWxCeUhhbm/);
    await free(drift);

    assert.doesNotMatch(undoing.split("To undo what")[0] ?? "", /env|ports|ingress/, "what was added stays");

    // As the report advises.
    assert.match(
      drift.markdown,
      /`npx kazoo up -s rehearsal --force`.*Additions stay.*`kubectl edit` or `kubectl delete`/,
    );
    const up = await clone.run(["up", "-s", "rehearsal", "--force", "--yes"]);
    assert.equal(up.code, 0, up.stdout + up.stderr);
    const added = await told("drift");
    assert.equal(added.code, 2, added.stdout + added.stderr);
    assert.match(added.stdout, /^Changed by hand: 4 resources\. The program would undo nothing\.\n/);
    await patch(
      west,
      "/api/v1/namespaces/us-west-lax/services/kazoo",
      { spec: { ports: [{ port: 9999, $patch: "delete" }] } },
      "strategic-merge",
    );
    const without = { name: "kazoo", env: [{ name: "KAZOO_LOG_LEVEL", $patch: "delete" }] };
    await patch(west, workload, { spec: { template: { spec: { containers: [without] } } } }, "strategic-merge");
    await patch(east, policy, { spec: { ingress: null } });
    await east.call("DELETE", `${foreign}/by-hand`);
    const left = await told("drift");
    assert.equal(left.code, 0, left.markdown);
  });

  test("after destroy: a report of what up would create", async () => {
    const destroy = await clone.run(["destroy", "--stack", "rehearsal"]);
    assert.equal(destroy.code, 0, destroy.stdout + destroy.stderr);
    const run = await told("preview-report");
    assert.equal(run.code, 2, run.stdout + run.stderr);
    assert.match(run.markdown, /- \*\*all 4 datacenters\*\*: new datacenter, \d+ resources: /);
  });
});
