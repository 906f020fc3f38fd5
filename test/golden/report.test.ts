import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import type { Digest } from "../../tools/report/digest";
import { type Findings, exitCodeOf, reportOf } from "../../tools/report/model";
import { markdownOf } from "../../tools/report/render";
import type { Platform } from "../../config/platform";
import { digestOf } from "../support/digests";
import { platformFrom } from "../support/mocks";

const project = join(__dirname, "../..");

type Config = Record<string, unknown>;

/** The config of rehearsal with a change. */
function rehearsal(change: (config: Config) => void = () => undefined): Platform {
  const { config } = parse(readFileSync(join(project, "Pulumi.rehearsal.yaml"), "utf8")) as { config: Config };
  const own = Object.fromEntries(Object.entries(config).map(([key, value]) => [key.replace("kazoo:", ""), value]));
  change(own);
  return platformFrom(own, "credentials");
}

const datacenters = (config: Config, region: string) =>
  (config.regions as Record<string, { datacenters: Record<string, unknown> }>)[region]?.datacenters ?? {};

/** Compares a report and its exit code with the reviewed ones. `UPDATE_GOLDEN=1` accepts a change. */
function check(name: string, findings: Omit<Findings, "stack">, exitCode: number): string {
  const report = reportOf({ stack: "rehearsal", ...findings });
  const actual = markdownOf(report);
  const path = join(__dirname, "report", `${name}.md`);
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(path, actual);
  assert.equal(
    actual,
    readFileSync(path, "utf8"),
    "if that is meant: UPDATE_GOLDEN=1, and have the difference reviewed",
  );
  assert.equal(exitCodeOf(report), exitCode);
  return actual;
}

const before = rehearsal();

test("a variable that changes everywhere is one line in a report of at most 40 lines", async () => {
  const platform = rehearsal((config) => (config.environment = { KAZOO_LOG_LEVEL: "debug" }));
  const markdown = check("variable", { platform, preview: await digestOf(before, platform) }, 2);
  assert.ok(markdown.split("\n").length <= 40);
  assert.equal(markdown.split("\n").filter((line) => line.includes("`info` → `debug`")).length, 1);
});

test("a variable that changes in some places is reported once per value", async () => {
  const platform = rehearsal((config) => {
    config.environment = { ERLANG_THREADS: 50 };
    datacenters(config, "us-east").nyc = { ring: "main", environment: { KAZOO_LOG_LEVEL: "debug" } };
    datacenters(config, "us-west").sfo = { ring: "main", environment: { KAZOO_LOG_LEVEL: "error" } };
  });
  check("variables", { platform, preview: await digestOf(before, platform) }, 2);
});

test("a replaced database comes first, with the cause", async () => {
  const platform = rehearsal((config) => {
    config.environment = { KAZOO_LOG_LEVEL: "debug" };
    config.workloads = { kazoo: { replicas: 2 }, database: { storage: "200Gi" } };
  });
  const preview = await digestOf(before, platform);
  const refused: Digest = {
    steps: [],
    diagnostics: [
      {
        urn: preview.steps.find(({ urn }) => urn.endsWith("sfo-bigcouch-nodes"))?.urn ?? "",
        severity: "error",
        message:
          'error: Preview failed: resource "urn:pulumi:rehearsal::kazoo::kazoo:index:Datacenter$kazoo:index:BigCouch$kubernetes:apps/v1:StatefulSet::us-west-sfo-bigcouch-nodes" was not successfully created by the Kubernetes API server: StatefulSet.apps "bigcouch" is invalid: spec: Forbidden',
      },
      { severity: "error", message: "error: preview failed\n" },
    ],
  };
  const markdown = check("database", { platform, preview, refused }, 3);
  const first = markdown.split("\n").find((line) => line.startsWith("**"));
  assert.match(first ?? "", /^\*\*Data at stake: 4 replaced in all 4 datacenters \(StatefulSet bigcouch\)/);
});

test("deletions of protected resources come first, as refused", async () => {
  const kept = rehearsal((config) => (config.protect = true));
  const platform = rehearsal((config) => {
    config.protect = true;
    config.workloads = { kazoo: { replicas: 2 }, database: { storage: "200Gi" } };
  });
  const preview = await digestOf(kept, platform);
  const diagnostics = preview.steps
    .filter(({ op }) => op === "replace")
    .map(({ urn }) => ({
      urn,
      severity: "error",
      message: `error: unable to replace resource "${urn}"\nas it is currently marked for protection. To unprotect the resource, remove the \`protect\` flag`,
    }));
  check("protected", { platform, preview: { ...preview, diagnostics } }, 3);
});

test("a removed protected datacenter is reported in full, although the engine stops at its first resource", async () => {
  const kept = rehearsal((config) => (config.protect = true));
  const platform = rehearsal((config) => {
    config.protect = true;
    delete datacenters(config, "us-west").lax;
  });
  const { steps } = await digestOf(kept, platform);
  const gone = steps.filter(({ op }) => op === "delete");
  const urn = gone.find(({ urn }) => urn.endsWith("-bigcouch-nodes"))?.urn ?? "";
  const message = `error: resource "${urn}" cannot be deleted\nbecause it is protected. To unprotect the resource, …`;
  check(
    "datacenterKept",
    {
      platform,
      preview: {
        // The engine reported half of the deletions.
        steps: steps.filter((step) => !gone.includes(step) || gone.indexOf(step) % 2 === 0),
        diagnostics: [{ urn, severity: "error", message }],
      },
      deployed: gone.map(({ urn: each, oldState }) => ({ urn: each, type: "", ...oldState })),
    },
    3,
  );
});

test("a removed datacenter is one line, and so is its effect on the ring", async () => {
  const platform = rehearsal((config) => delete datacenters(config, "us-west").lax);
  check("datacenterGone", { platform, preview: await digestOf(before, platform) }, 3);
});

test("an added datacenter is one line", async () => {
  const platform = rehearsal((config) => (datacenters(config, "us-west").sea = { ring: "main" }));
  check("datacenterNew", { platform, preview: await digestOf(before, platform) }, 2);
});

test("a first preview of everything stays short", async () => {
  check("everything", { platform: before, preview: await digestOf(undefined, before) }, 2);
});

test("a changed password is reported without its value", async () => {
  const config = (password: string): Platform =>
    rehearsal((own) => (own.credentials = { main: { rabbitmq: password } }));
  const [old, platform] = [config("SentinelOldPassword"), config("SentinelNewPassword")];
  const markdown = check("password", { platform, preview: await digestOf(old, platform, { open: true }) }, 3);
  assert.doesNotMatch(markdown, /Sentinel/);
});

test("an image that is not built yet is shown as unknown", async () => {
  const digest = await digestOf(
    before,
    rehearsal((config) => (config.image = { prebuilt: "registry.example/kazoo:next" })),
  );
  const text = JSON.stringify(digest).replaceAll("registry.example/kazoo:next", "04da6b54-80e4-46f7-96ec-b56ff0331ba9");
  const markdown = check("unknown", { platform: before, preview: JSON.parse(text) as Digest }, 2);
  assert.match(markdown, /\(known after apply\)/);
  assert.doesNotMatch(markdown, /04da6b54/);
});

test("removed protection is reported", async () => {
  const kept = rehearsal((config) => (config.protect = true));
  check("unprotected", { platform: before, preview: await digestOf(kept, before) }, 2);
});

test("drift: manual changes, and what undoing them does", async () => {
  const touched = rehearsal((config) => {
    datacenters(config, "us-east").bos = { ring: "main", workloads: { kazoo: { replicas: 1 } } };
    datacenters(config, "us-east").nyc = {
      ring: "main",
      workloads: { kazoo: { resources: { limits: { memory: "3Gi" } } } },
    };
  });
  const refresh = await digestOf(before, touched);
  const isSet = ({ urn }: { urn: string }) => urn.endsWith("-kazoo-nodes");
  const pending = rehearsal((config) => (config.environment = { KAZOO_LOG_COLOR: false }));
  const undo = await digestOf(touched, before);
  const more = await digestOf(before, pending);
  check(
    "drift",
    {
      platform: before,
      refresh: { ...refresh, steps: refresh.steps.filter(isSet) },
      preview: {
        diagnostics: [],
        steps: [...undo.steps.filter(isSet), ...more.steps.filter(({ urn }) => /us-west-.*kazoo/.test(urn))],
      },
    },
    2,
  );
});
