import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { topologyVariables, variables } from "../../config/schema/environment";
import { parseDigest, parseUrn, type Digest, type State, type Step } from "../../tools/report/digest";
import { changeOf, difference, overlap, parsePath } from "../../tools/report/difference";
import { isSecretName } from "../../config/secrets";
import { findingsText, parseFindings, type Found } from "../../tools/report/findings";
import { maskDigest } from "../../tools/report/mask";
import { exitCodeOf, reportOf, type Findings } from "../../tools/report/model";
import { lookForDrift, previewStack } from "../../tools/cli/run/runPreview";
import { htmlOf, markdownOf, terminalText } from "../../tools/report/render";
import { UserError, colours } from "../../tools/shared/terminal";
import { platformFrom } from "../support/mocks";

const platform = platformFrom({
  clusters: { local: { sandbox: true } },
  regions: { local: { cluster: "local", datacenters: { dev: {}, two: {} } } },
});

const urnOf = (type: string, name: string) => `urn:pulumi:dev::kazoo::kazoo:index:Datacenter$${type}::${name}`;

const types = {
  set: "kubernetes:apps/v1:StatefulSet",
  secret: "kubernetes:core/v1:Secret",
  map: "kubernetes:core/v1:ConfigMap",
  service: "kubernetes:core/v1:Service",
  account: "kubernetes:core/v1:ServiceAccount",
  job: "kubernetes:batch/v1:Job",
  password: "random:index/randomPassword:RandomPassword",
};

const state = (type: string, inputs: Record<string, unknown> = {}, more: Partial<State> = {}): State => ({
  type,
  custom: true,
  inputs,
  ...more,
});

const step = (
  op: string,
  type: string,
  name: string,
  before?: State,
  after?: State,
  more: Partial<Step> = {},
): Step => ({
  op,
  urn: urnOf(type, name),
  ...(before === undefined ? {} : { oldState: before }),
  ...(after === undefined ? {} : { newState: after }),
  ...more,
});

const named = (name: string, spec: unknown = {}) => ({ metadata: { name }, spec });

const report = (steps: readonly Step[], more: Partial<Findings> = {}) =>
  reportOf({ stack: "dev", platform, preview: { steps, diagnostics: [] }, ...more });

const failing = (urn: string | undefined, message: string): Digest => ({
  steps: [],
  diagnostics: [{ ...(urn === undefined ? {} : { urn }), message, severity: "error" }],
});

describe("a digest", () => {
  test("of an invalid preview is refused with what is expected", () => {
    for (const text of ["", "error: no stack", "[]", "null", "{}", '{"steps": 3}']) {
      assert.throws(
        () => parseDigest(text, "preview.json"),
        (error) => error instanceof UserError && /^preview\.json is not a preview: expected/.test(error.message),
        text,
      );
    }
  });

  test("may lack steps or diagnostics", () => {
    assert.deepEqual(parseDigest('{"steps": []}', "x"), { steps: [], diagnostics: [] });
    assert.deepEqual(parseDigest('{"diagnostics": [], "steps": null}', "x"), { steps: [], diagnostics: [] });
  });

  test("names resources by type and name", () => {
    assert.deepEqual(parseUrn(urnOf(types.set, "local-dev-kazoo-nodes")), {
      type: types.set,
      name: "local-dev-kazoo-nodes",
    });
    assert.deepEqual(parseUrn("nonsense"), { type: "", name: "" });
  });
});

describe("differences", () => {
  const labels = (before: unknown, after: unknown) => difference(before, after).map(({ label }) => label);

  test("are found leaf by leaf, list elements by their names in any position", () => {
    const before = {
      a: 1,
      containers: [
        { name: "one", image: "x" },
        { name: "two", image: "y" },
      ],
      "a.b": "1",
    };
    const after = {
      a: 1,
      containers: [
        { name: "two", image: "z" },
        { name: "one", image: "x" },
      ],
      "a.b": "2",
    };
    assert.deepEqual(labels(before, after), ["[a.b]", "containers[two].image"]);
  });

  test("in claims are named by their metadata", () => {
    const claim = (storage: string) => [{ metadata: { name: "data" }, spec: { storage } }];
    assert.deepEqual(labels({ claims: claim("1Gi") }, { claims: claim("2Gi") }), ["claims[data].spec.storage"]);
  });

  test("in Docker's list of variables are named by variable", () => {
    const [change] = difference({ envs: ["A=1", "LOG=info"] }, { envs: ["A=1", "LOG=debug", "NEW=1"] });
    assert.deepEqual([change?.label, change?.removed, change?.added], ["LOG", ["info"], ["debug"]]);
  });

  test("in lists without names are the added and removed elements", () => {
    const [change] = difference({ peers: [{ cidr: "a" }] }, { peers: [{ cidr: "a" }, { cidr: "b" }] });
    assert.deepEqual([change?.label, change?.removed, change?.added], ["peers", [], ['{"cidr":"b"}']]);
  });

  test("in long texts are the added and removed lines or words", () => {
    const lines = changeOf(["x"], "a\nb\nb\nc", "a\nb\nc\nd");
    assert.deepEqual([lines.removed, lines.added], [["b"], ["d"]]);
    const words = changeOf(["x"], "one two three", "one two three four");
    assert.deepEqual([words.removed, words.added], [[], ["four"]]);
    assert.deepEqual(changeOf(["x"], "a b c", "c b a").removed, ["(another order)"]);
  });

  test("are found exactly where two values differ", () => {
    fc.assert(
      fc.property(fc.object({ maxDepth: 3 }), fc.object({ maxDepth: 3 }), (before, after) => {
        const [old, fresh] = [before, after].map((value) => JSON.parse(JSON.stringify(value)) as unknown);
        assert.deepEqual(difference(old, old), []);
        try {
          assert.deepEqual(old, fresh);
        } catch {
          assert.notEqual(difference(old, fresh).length, 0);
        }
      }),
    );
  });

  test("providers' paths are parsed", () => {
    assert.deepEqual(parsePath('spec.containers[0].env["A.B"].x'), ["spec", "containers", 0, "env", "A.B", "x"]);
    assert.equal(overlap(["data"], ["data", "x"]), true);
    assert.equal(overlap(["data", "x"], ["data"]), true);
    assert.equal(overlap(["data", "y"], ["data", "x"]), false);
  });
});

describe("effects", () => {
  const only = (steps: readonly Step[]) => {
    const { changes } = report(steps);
    assert.equal(changes.length, 1);
    return changes[0]!;
  };
  const set = (name: string, spec: unknown = {}) => state(types.set, named(name, spec));

  test("each operation has one", () => {
    const [a, b] = [set("kazoo", { replicas: 1 }), set("kazoo", { replicas: 2 })];
    const effect = (op: string) => only([step(op, types.set, "local-dev-kazoo-nodes", a, b)]).effect;
    assert.deepEqual(
      [
        "create",
        "import",
        "update",
        "replace",
        "create-replacement",
        "delete-replaced",
        "import-replacement",
        "delete",
      ].map(effect),
      ["create", "create", "change", "replace", "replace", "replace", "replace", "delete"],
    );
  });

  test("read, refresh and same have none, and neither have groups and the stack", () => {
    const nothing = ["read", "refresh", "same"].map((op) =>
      step(op, types.set, "local-dev-kazoo-nodes", set("kazoo"), set("kazoo")),
    );
    const groups = ["kazoo:index:Kazoo", "pulumi:pulumi:Stack"].map((type) => step("create", type, "local-dev-kazoo"));
    assert.deepEqual(report([...nothing, ...groups]).changes, []);
    assert.equal(exitCodeOf(report([...nothing, ...groups])), 0);
  });

  test("a replacement in three steps is one", () => {
    const [a, b] = [set("kazoo", { serviceName: "x" }), set("kazoo", { serviceName: "y" })];
    const name = "local-dev-kazoo-nodes";
    const change = only([
      step("create-replacement", types.set, name, a, b),
      step("replace", types.set, name, a, b, { detailedDiff: { "spec.serviceName": { kind: "update-replace" } } }),
      step("delete-replaced", types.set, name, a),
    ]);
    assert.equal(change.effect, "replace");
    assert.deepEqual(change.forcedBy.properties, ["spec.serviceName"]);
  });

  test("a deletion and a creation of one name are a replacement", () => {
    const name = "local-dev-kazoo-nodes";
    const steps = [
      step("delete", types.set, name, set("kazoo")),
      step("create", types.set, name, undefined, set("kazoo")),
    ];
    assert.equal(only(steps).effect, "replace");
  });

  test("adding or removing protection is one", () => {
    const kept = state(types.set, named("kazoo"), { protect: true });
    const steps = (before: State, after: State) => [step("same", types.set, "local-dev-kazoo-nodes", before, after)];
    assert.equal(only(steps(kept, set("kazoo"))).effect, "unprotect");
    assert.equal(only(steps(set("kazoo"), kept)).effect, "protect");
    assert.equal(exitCodeOf(report(steps(kept, set("kazoo")))), 2);
  });

  test("an immutable ConfigMap with a generated name is renewed; one with a fixed name is replaced", () => {
    const map = (name: string, value: string, autonamed: boolean) =>
      state(types.map, {
        metadata: { name, ...(autonamed ? { annotations: { "pulumi.com/autonamed": "true" } } : {}) },
        data: { A: value },
      });
    const steps = (autonamed: boolean) => [
      step("replace", types.map, "local-dev-kazoo-environment", map("m-1", "1", autonamed), map("m-2", "2", autonamed)),
    ];
    assert.equal(only(steps(true)).effect, "renew");
    assert.deepEqual(
      only(steps(true)).properties.map(({ label }) => label),
      ["data.A"],
      "its name is no change",
    );
    assert.equal(only(steps(false)).effect, "replace");
    assert.equal(exitCodeOf(report(steps(true))), 2);
  });

  test("a Job runs again, and a container restarts", () => {
    const job = state(types.job, { spec: { template: 1 } });
    assert.equal(only([step("replace", types.job, "local-dev-join-job", job, job)]).effect, "renew");
    const container = (level: string) =>
      state("docker:index/container:Container", { envs: [`KAZOO_LOG_LEVEL=${level}`] });
    const change = only([
      step("replace", "docker:index/container:Container", "local-dev-kazoo", container("info"), container("debug")),
    ]);
    assert.deepEqual([change.effect, change.rolls, change.subject.title], ["renew", true, "Container kazoo"]);
  });

  test("pods roll exactly where the template changes, with known or unknown values", () => {
    const rolls = (before: unknown, after: unknown) =>
      only([step("update", types.set, "local-dev-kazoo-nodes", set("kazoo", before), set("kazoo", after))]).rolls;
    assert.equal(rolls({ template: { a: 1 } }, { template: { a: 2 } }), true);
    assert.equal(rolls({ replicas: 1 }, { replicas: 2 }), false);
  });

  test("a replacement without a changed property of its own names what it depends on", () => {
    const secret = (value: string) => state(types.secret, { metadata: { name: "rabbitmq" }, data: value });
    const urn = urnOf(types.secret, "local-dev-rabbitmq");
    const { changes } = report([
      step("replace", types.secret, "local-dev-rabbitmq", secret("[secret]"), secret("[secret]"), {
        detailedDiff: { "data.password": { kind: "update-replace" } },
      }),
      step("replace", types.set, "local-dev-rabbitmq-alpha-nodes", set("rabbitmq-alpha"), {
        ...set("rabbitmq-alpha"),
        dependencies: [urn],
      }),
    ]);
    const [first, second] = changes;
    assert.deepEqual(first?.forcedBy, { properties: ["data.password"], resources: [] });
    assert.deepEqual(second?.forcedBy, { properties: [], resources: ["Secret rabbitmq"] });
  });
});

describe("exit codes", () => {
  const gone = (type: string, name: string, inputs: Record<string, unknown>, protect = false) =>
    report([step("delete", type, name, state(type, inputs, { protect }))]);

  test("3: something that holds data is deleted, protected or not", () => {
    const holders: [string, string, string][] = [
      [types.set, "local-dev-bigcouch-nodes", "bigcouch"],
      [types.set, "local-dev-rabbitmq-alpha-nodes", "rabbitmq-alpha"],
      [types.secret, "local-dev-erlang-cookie", "erlang-cookie"],
      ["kubernetes:core/v1:Namespace", "local-dev-namespace", "local-dev"],
      ["kubernetes:core/v1:PersistentVolumeClaim", "local-dev-data", "data-bigcouch-0"],
      ["docker:index/volume:Volume", "local-dev-bigcouch-data", "bigcouch-data"],
      [types.password, "ring-main-erlang-cookie-value", ""],
    ];
    for (const [type, name, fixed] of holders) assert.equal(exitCodeOf(gone(type, name, named(fixed))), 3, name);
  });

  test("3: anything protected is deleted", () => {
    assert.equal(exitCodeOf(gone(types.account, "local-dev-kazoo-account", named("kazoo"), true)), 3);
  });

  test("2: something that carries calls, or neither, is deleted", () => {
    const calls = gone(types.set, "local-dev-kazoo-nodes", named("kazoo"));
    assert.equal(exitCodeOf(calls), 2);
    assert.match(markdownOf(calls), /^\*\*Calls at stake: 1 deleted in local-dev \(StatefulSet kazoo\)\.\*\*/m);
    const account = gone(types.account, "local-dev-kazoo-account", named("kazoo"));
    assert.equal(exitCodeOf(account), 2);
    assert.match(markdownOf(account), /^\*\*Neither data nor calls are at stake/m);
  });

  test("0: nothing", () => {
    assert.equal(exitCodeOf(report([])), 0);
    assert.match(markdownOf(report([])), /\n\*\*No changes\.\*\*\n$/);
    const drift = report([], { refresh: { steps: [], diagnostics: [] } });
    assert.equal(exitCodeOf(drift), 0);
    assert.match(markdownOf(drift), /\n\*\*Nothing was changed by hand\.\*\*\n$/);
  });

  test("3 if the engine refuses to delete something protected, in each wording of the refusal", () => {
    const urn = urnOf(types.set, "local-dev-bigcouch-nodes");
    for (const message of [
      `error: unable to replace resource "${urn}"\nas it is currently marked for protection. To unprotect …`,
      `error: resource "${urn}" cannot be deleted\nbecause it is protected. To unprotect the resource, …`,
    ]) {
      for (const from of [urn, undefined]) {
        const refused = report([], { preview: failing(from, message) });
        assert.equal(exitCodeOf(refused), 3);
        assert.match(markdownOf(refused), /^\*\*Refused: 1 protected resource would be replaced or deleted/m);
      }
    }
  });

  test("1 if a provider or the program fails, with its message but without stack traces and random names", () => {
    const urn = urnOf(types.set, "local-dev-kazoo-nodes");
    const message = `error: Preview failed: 1 error occurred:\n\t* conflict of "pulumi-kubernetes-8e445afa" in local-dev with kubectl: ${urn}\n\n`;
    const provider = report([], { preview: failing(urn, message) });
    assert.equal(exitCodeOf(provider), 1);
    assert.match(
      markdownOf(provider),
      /`conflict of "pulumi-kubernetes" in <zone> with kubectl: kazoo-nodes of <zone>`/,
    );
    const program = report([], {
      preview: failing(undefined, "error: Running program failed:\nfirst line\n    at index.ts:3:4\nsecond line"),
    });
    assert.equal(exitCodeOf(program), 1);
    const markdown = markdownOf(program);
    assert.match(markdown, /^\*\*The program failed, so its changes are unknown\.\*\*$/m);
    assert.match(markdown, /- `first line`\n- `second line`/);
    assert.doesNotMatch(markdown, /index\.ts/);
  });

  test("a preview that stopped at an error says that there may be more; one that continued does not", () => {
    const urn = urnOf(types.set, "local-dev-bigcouch-nodes");
    const told = (message: string, more: Partial<Findings> = {}) =>
      /there may be more changes/.test(markdownOf(report([], { preview: failing(urn, message), ...more })));
    assert.equal(told("error: Preview failed: denied"), true);
    assert.equal(told(`error: unable to replace resource "${urn}"\nas it is currently marked for protection`), false);
    assert.equal(
      told(`unable to replace resource "x" as part of replacing "y" as it is currently marked for protection`),
      true,
    );
    const deletion = `error: resource "${urn}" cannot be deleted\nbecause it is protected.`;
    assert.equal(told(deletion), true);
    assert.equal(
      told(deletion, { deployed: [{ urn, type: types.set, inputs: named("bigcouch"), protect: true }] }),
      false,
    );
  });

  test("deployed resources without a step in a whole preview are deleted; those already being deleted are not reported", () => {
    const [here, gone, before] = ["here", "gone", "before"].map((name) => urnOf(types.set, `local-dev-${name}`)) as [
      string,
      string,
      string,
    ];
    const deployed = [here, gone, before].map((urn) => ({
      urn,
      type: types.set,
      custom: true,
      inputs: named("bigcouch"),
      delete: urn === before,
    }));
    const { changes } = report([{ op: "same", urn: here }], { deployed });
    assert.deepEqual(
      changes.map(({ urn, effect }) => [urn, effect]),
      [[gone, "delete"]],
    );
  });

  test("1 if Pulumi fails without a reason, with how to see it: a failure never looks like an empty preview", () => {
    const closing = failing(undefined, "error: error: preview failed\n");
    for (const findings of [{ failed: true }, { preview: closing }, { preview: closing, failed: true }]) {
      const silent = report([], findings);
      assert.equal(exitCodeOf(silent), 1);
      const markdown = markdownOf(silent);
      assert.match(markdown, /^\*\*The program failed, so its changes are unknown\.\*\*$/m);
      assert.match(markdown, /To see the reason: npx kazoo preview --stack dev`$/m);
      assert.doesNotMatch(markdown, /No changes/);
    }
    const drift = report([], { refresh: closing, failed: true });
    assert.equal(exitCodeOf(drift), 1);
    assert.match(markdownOf(drift), /npx kazoo preview --stack dev -- --refresh`$/m);
    // A policy violation is reported after everything else.
    const change = step(
      "update",
      types.service,
      "local-dev-kazoo",
      state(types.service),
      state(types.service, named("x")),
    );
    const told = report([change], { failed: true });
    assert.equal(exitCodeOf(told), 1);
    assert.match(markdownOf(told), /The preview failed\./);
  });

  test("an explained failure is not reported twice", () => {
    const urn = urnOf(types.set, "local-dev-kazoo-nodes");
    const denied = report([], { refused: failing(urn, "denied"), failed: true });
    assert.deepEqual(
      denied.refusals.map(({ message }) => message),
      ["denied"],
    );
  });
});

describe("a Pulumi that fails without a diagnostic, for example because of a policy violation", () => {
  /**
   * The report of a stack with a `pulumi` that fails for `command`; for other commands it reports no changes.
   * @param events what it writes into its event log if it runs with the project's policy pack
   */
  async function found(look: typeof previewStack, command: string, events: readonly object[] = []): Promise<Findings> {
    const directory = mkdtempSync(join(tmpdir(), "kazoo-pulumi-"));
    try {
      const binary = join(directory, "pulumi");
      const fails = `case " $* " in *" ${command} "*) exit 255;; esac`;
      const log = join(directory, "log");
      writeFileSync(log, events.map((event) => `${JSON.stringify(event)}\n`).join(""));
      const copies = `for word; do [ "$before" != --event-log ] || cp ${log} "$word"; before=$word; done`;
      const logs = `case "$*" in *"--policy-pack policy "*) ${copies};; esac`;
      writeFileSync(binary, `#!/bin/sh\necho '{"steps": [], "diagnostics": []}'\n${logs}\n${fails}\n`, { mode: 0o755 });
      const own = platformFrom({
        image: { prebuilt: "kazoo:5" },
        policy: events.length > 0,
        clusters: { local: { context: "own" } },
        regions: { local: { cluster: "local", datacenters: { dev: {} } } },
      });
      const pulumi = { binary, directory, env: process.env };
      const unseen = [{ cluster: "local", zones: [], problem: "it is not asked", next: "" }];
      const stack = {
        name: "dev",
        whole: "dev",
        label: "dev",
        platform: own,
        pulumi,
        selection: [],
        state: undefined,
        toolchain: noToolchain,
      };
      return {
        stack: "dev",
        platform: own,
        ...(await look(stack, () => undefined, new AbortController().signal, unseen)),
      };
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  const noToolchain = { mode: "build", binary: () => "", kwokStages: "", env: {} } as const;

  test("makes preview reports and drift fail as well", async () => {
    assert.equal(exitCodeOf(reportOf(await found(previewStack, "preview"))), 1);
    assert.equal(exitCodeOf(reportOf(await found(lookForDrift, "refresh"))), 1);
    assert.equal(exitCodeOf(reportOf(await found(lookForDrift, "preview"))), 1);
  });

  test("is explained by the violated rules of the project's pack and the resources", async () => {
    const event = (enforcementLevel: string, policyName: string) => ({
      policyEvent: {
        resourceUrn: urnOf(types.set, "local-dev-kazoo-nodes"),
        message: `<{%fg 1%}>Everything is probed.\ncontainer kazoo: no livenessProbe<{%reset%}>`,
        policyName,
        enforcementLevel,
      },
    });
    const events = [event("mandatory", "probes"), event("advisory", "image-digest")];
    const broken = reportOf(await found(previewStack, "preview", events));
    assert.equal(exitCodeOf(broken), 1);
    assert.equal(broken.complete, true);
    const text = markdownOf(broken);
    assert.match(
      text,
      /\*\*StatefulSet kazoo-nodes\*\*: `policy probes: Everything is probed\. container kazoo: no livenessProbe`/,
    );
    assert.doesNotMatch(text, /image-digest|without a reason|%\}/);
  });

  test("differs from one that succeeds, which reports no changes", async () => {
    assert.equal(exitCodeOf(reportOf(await found(previewStack, "none"))), 0);
    assert.equal(exitCodeOf(reportOf(await found(lookForDrift, "none"))), 0);
  });
});

describe("secrets", () => {
  const sentinel = (place: string) => `Sentinel-${place}-0123456789`;
  const encoded = (place: string) => Buffer.from(sentinel(place)).toString("base64");

  /** One step for each kind of place that can hold a secret. */
  const steps = (version: string): [Step, ...Step[]] => [
    step(
      "replace",
      types.secret,
      "local-dev-rabbitmq",
      state(types.secret, { metadata: { name: "rabbitmq" }, data: { password: encoded("old") } }),
      state(types.secret, {
        metadata: { name: "rabbitmq", annotations: { note: `copied: ${sentinel("new")}` } },
        stringData: { password: sentinel("new") },
      }),
      { detailedDiff: { "data.password": { kind: "update-replace" } } },
    ),
    step(
      "update",
      types.map,
      "local-dev-other",
      state(types.map, {
        data: { API_TOKEN: sentinel("token"), uri: `amqp://kazoo:${sentinel("uri")}@host`, plain: "a" },
      }),
      state(types.map, {
        data: {
          API_TOKEN: sentinel(`token-${version}`),
          uri: `amqp://kazoo:${sentinel(`uri-${version}`)}@host`,
          plain: sentinel("random"),
          flags: `-name x -setcookie ${sentinel("flag")}`,
        },
      }),
    ),
    step(
      "update",
      types.set,
      "local-dev-kazoo-nodes",
      state(types.set, named("kazoo", { template: { env: [{ name: "COUCHDB_PASS", value: sentinel("env") }] } })),
      state(
        types.set,
        named("kazoo", { template: { env: [{ name: "COUCHDB_PASS", value: sentinel(`env-${version}`) }] } }),
      ),
    ),
    step(
      "replace",
      types.password,
      "ring-main-erlang-cookie-value",
      state(types.password, { length: 64 }, { outputs: { result: sentinel("random"), bcryptHash: sentinel("hash") } }),
      state(types.password, { length: 65 }),
    ),
    step(
      "replace",
      "docker:index/container:Container",
      "local-dev-kazoo",
      state("docker:index/container:Container", { envs: ["A=1", `ERLANG_COOKIE=${sentinel("docker")}`] }),
      state("docker:index/container:Container", { envs: ["A=2", `ERLANG_COOKIE=${sentinel(`docker-${version}`)}`] }),
    ),
    step(
      "update",
      "example:index:Thing",
      "local-dev-thing",
      state("example:index:Thing", { given: sentinel("output") }, { additionalSecretOutputs: ["given"] }),
      state(
        "example:index:Thing",
        {
          given: sentinel(`output-${version}`),
          wrapped: {
            "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
            plaintext: JSON.stringify(sentinel("wrapped")),
          },
        },
        { additionalSecretOutputs: ["given"] },
      ),
    ),
  ];

  const findings: Partial<Findings> = {
    preview: {
      steps: steps("new"),
      diagnostics: [
        {
          severity: "error",
          urn: urnOf(types.set, "local-dev-kazoo-nodes"),
          message: `denied: ${sentinel("new")} and ${encoded("old")}`,
        },
        { severity: "error", message: `error: program printed ${sentinel("random")}` },
      ],
    },
    refresh: { steps: steps("hand"), diagnostics: [] },
  };

  test("never appear, wherever they are", () => {
    const made = report([], findings);
    const texts = [markdownOf(made), htmlOf(made), terminalText(made, colours)];
    for (const text of texts) {
      assert.doesNotMatch(text, /Sentinel/);
      assert.equal(text.includes(encoded("old")), false);
    }
    assert.match(texts[0] ?? "", /\[secret\]/, "a changed secret is reported");
  });

  test("are found by name, in any spelling", () => {
    for (const name of [
      "password",
      "RABBITMQ_PASS",
      "apiToken",
      "ERLANG_COOKIE",
      "private_key",
      "accessKey",
      "client-secret",
      "PGPASSWORD",
      "DB_PWD",
      "dbPwd",
      "SMTPPASS",
      "SMTPPass",
      "MYSQLPASSWD",
      "SIP_AUTH",
      "registryAuth",
      "HUBTOKEN",
      "API_TOKENS",
      "CLIENTSECRET",
      "LICENSE_KEY",
      "licenceKey",
      "LICENSEKEY",
      "SIGNING_KEY",
      "ENCRYPTION_KEYS",
      "COUCHDB_PASS",
    ]) {
      assert.equal(isSecretName(name), true, name);
    }
    for (const name of [
      "secretName",
      "keeper",
      "passive",
      "key",
      "topologyKey",
      "KEYBOARD_LAYOUT",
      "tokenizer",
      "AUTHOR",
      "AUTHORITY",
      "BYPASS",
      "COMPASS",
      "PASSENGER",
      "MONKEY",
      "image",
    ]) {
      assert.equal(isSecretName(name), false, name);
    }
    const run = [...Object.keys(variables), ...topologyVariables];
    assert.equal(run.length, 16);
    for (const name of run) assert.equal(isSecretName(name), false, name);
  });

  test("short values in Secrets are masked there, but not inside other words", () => {
    const masked = maskDigest({
      steps: [step("create", types.secret, "s", undefined, state(types.secret, { stringData: { username: "kazoo" } }))],
      diagnostics: [{ severity: "info", message: "kazoo it is" }],
    });
    assert.deepEqual(masked.steps[0]?.newState?.inputs, { stringData: { username: "[secret]" } });
    assert.equal(masked.diagnostics[0]?.message, "kazoo it is");
  });
});

describe("findings in a file", () => {
  const password = "a-password-of-the-ring";
  const found: Found = {
    preview: {
      steps: [
        step("create", types.secret, "local-dev-rabbitmq", undefined, state(types.secret, { data: { password } })),
        step("same", types.map, "local-dev-environment", state(types.map), state(types.map, named("environment"))),
      ],
      diagnostics: [{ message: `wrong: ${password}`, severity: "error", policy: "some-rule" }],
    },
    refused: failing(undefined, `refused ${password}`),
    deployed: [{ urn: urnOf(types.secret, "local-two-rabbitmq"), ...state(types.secret, { data: { password } }) }],
    unseen: [{ cluster: "local", zones: ["local-dev"], problem: "no answer", next: "look" }],
    failed: true,
  };
  const text = findingsText("dev.local", found);

  test("have no secret, and make the same report as they made before", () => {
    assert.ok(!text.includes(password) && text.includes("some-rule"));
    const read = parseFindings(text, "findings.json");
    assert.equal(read.stack, "dev.local");
    assert.deepEqual(
      reportOf({ stack: "dev", platform, ...read.found }),
      reportOf({ stack: "dev", platform, ...found }),
    );
  });

  test("that are anything else are refused", () => {
    for (const wrong of ["", "{}", '{"stack":"a","found":{}}'])
      assert.throws(() => parseFindings(wrong, "findings.json"), /findings\.json holds no findings/);
  });
});
