import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { stringify } from "yaml";
import { type Clone, cloneProject } from "../support/clone";
import { type Engine, temporaryEngine } from "../support/engine";

const project = resolve(__dirname, "../..");

/** A program of someone else, which writes its objects to files, so that no cluster is needed. */
const program = `
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

delete process.env.KUBECONFIG; // the SDK would pass it to the provider, which refuses it beside the folder
const good = new pulumi.Config().requireBoolean("good");
const provider = new k8s.Provider("files", { renderYamlToDirectory: "rendered" });
const password = new random.RandomPassword("password", { length: 32 }, { protect: good });
const metadata = { name: "web", namespace: "web" };
const labels = { app: "web" };
const secret = new k8s.core.v1.Secret("web", { metadata, stringData: { password: good ? password.result : "guest" } }, { provider });
const probe = { tcpSocket: { port: 80 } };
new k8s.apps.v1.Deployment(
  "web",
  {
    metadata,
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...(good
            ? { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway", labelSelector: { matchLabels: labels } }] }
            : {}),
          containers: [
            good
              ? {
                  name: "web",
                  image: "web@sha256:${"0".repeat(64)}",
                  env: [{ name: "WEB_PASSWORD", valueFrom: { secretKeyRef: { name: "web", key: "password" } } }],
                  livenessProbe: probe,
                  readinessProbe: probe,
                  resources: { limits: { memory: "64Mi" } },
                }
              : { name: "web", image: "web:1", env: [{ name: "WEB_PASSWORD", value: "Zq3vT8mK1xW5" }] },
          ],
        },
      },
    },
  },
  { provider, dependsOn: secret },
);
if (good)
  new k8s.policy.v1.PodDisruptionBudget("web", { metadata, spec: { maxUnavailable: 1, selector: { matchLabels: labels } } }, { provider });
`;

/** The rules that the program violates, with the messages. */
const broken: Record<string, RegExp> = {
  "image-digest": /container web: image web:1; expected a digest, for example web@sha256:…/,
  "no-plain-credentials": /container web: a credential in WEB_PASSWORD; expected a reference to a Secret/,
  "no-default-credentials": /password: a well-known default; expected a random value/,
  probes: /container web: no readinessProbe; expected one/,
  "memory-limit": /container web: no resources\.limits\.memory; expected an amount/,
  "disruption-budget": /no PodDisruptionBudget selects its pods/,
  "topology-spread": /2 replicas and no topologySpreadConstraints/,
  "protected-data": /a random credential is not protected; expected the option protect: true/,
};

describe("the policy pack on a stack of another program", { concurrency: 1 }, () => {
  let engine: Engine;
  let folder: string;
  before(async () => {
    engine = await temporaryEngine();
    folder = mkdtempSync(join(tmpdir(), "kazoo-policy-"));
    symlinkSync(join(project, "node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, "Pulumi.yaml"), "name: web\nruntime: nodejs\nmain: index.ts\n");
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: join(project, "tsconfig.json") }));
    writeFileSync(join(folder, "index.ts"), program);
    const { code, stdout, stderr } = await engine.run(folder, ["stack", "init", "live"]);
    assert.equal(code, 0, stdout + stderr);
  });
  after(() => {
    engine.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = async (good: boolean, ...args: string[]) => {
    writeFileSync(join(folder, "Pulumi.live.yaml"), `config: { "web:good": ${good} }\n`);
    const pack = ["--policy-pack", join(project, "policy"), "--stack", "live"];
    const { code, stdout, stderr } = await engine.run(folder, [...args, ...pack]);
    return { code, said: stdout + stderr };
  };

  test("a preview of one that violates rules fails and reports each violation, without credentials", async () => {
    const { code, said } = await run(false, "preview");
    assert.notEqual(code, 0, said);
    for (const [rule, message] of Object.entries(broken)) {
      assert.match(said, new RegExp(`\\[(advisory|mandatory)\\] +${rule} `), said);
      assert.match(said, message);
    }
    assert.doesNotMatch(said, /Zq3v/);
  });

  test("an update does not change a resource that violates a rule", async () => {
    const { code, said } = await run(false, "up", "--yes", "--skip-preview");
    assert.notEqual(code, 0, said);
    const { stdout } = await engine.run(folder, ["stack", "export", "--stack", "live"]);
    assert.doesNotMatch(stdout, /RandomPassword|Deployment/);
  });

  test("rules are configured in a file", async () => {
    const disabled = Object.keys(broken).filter((rule) => rule !== "probes");
    const config = {
      ...Object.fromEntries(disabled.map((rule) => [rule, "disabled"])),
      probes: { enforcementLevel: "mandatory", except: ["w*"] },
    };
    writeFileSync(join(folder, "rules.json"), JSON.stringify(config));
    const { code, said } = await run(false, "preview", "--policy-pack-config", "rules.json");
    assert.equal(code, 0, said);
    assert.doesNotMatch(said, /expected/);
  });

  test("one that violates none succeeds", async () => {
    const { code, said } = await run(true, "up", "--yes");
    assert.equal(code, 0, said);
    assert.doesNotMatch(said, /\[(advisory|mandatory)\]/);
  });
});

describe("a stack with kazoo:policy: true", { concurrency: 1 }, () => {
  let clone: Clone;
  before(async () => {
    clone = await cloneProject();
  });
  after(() => clone.dispose());

  const configure = (more: object) =>
    writeFileSync(
      join(clone.directory, "Pulumi.held.yaml"),
      stringify({
        config: {
          "kazoo:policy": true,
          "kazoo:protect": false,
          "kazoo:clusters": { local: { sandbox: true } },
          "kazoo:regions": { local: { cluster: "local", datacenters: { dev: {} } } },
          ...more,
        },
      }),
    );
  test("its preview and its report name the violated rules", async () => {
    configure({ "kazoo:images": { rabbitmq: "mirror.example.com/rabbitmq:4.3-management" } });
    const preview = await clone.run(["preview", "--stack", "held"]);
    assert.equal(preview.code, 255, preview.stdout + preview.stderr);
    assert.match(
      preview.stdout,
      /\[mandatory\] +compatible-versions .*\n.*\n +RabbitMQ 4\.3; expected RabbitMQ 4\.2 or below/,
    );
    assert.match(preview.stdout, /\[advisory\] +image-digest /);

    const report = await clone.run(["preview-report", "--stack", "held"]);
    assert.equal(report.code, 1, report.stdout + report.stderr);
    assert.match(report.stdout, /policy compatible-versions: .* RabbitMQ 4\.3; expected RabbitMQ 4\.2 or below/);
    assert.doesNotMatch(report.stdout, /image-digest|stopped at an error/);
  });

  test("its update stops at a rule that is configured as mandatory", async () => {
    configure({});
    writeFileSync(join(clone.directory, "rules.json"), JSON.stringify({ "image-digest": "mandatory" }));
    const up = await clone.run(["up", "--stack", "held", "--", "--policy-pack-config", "rules.json"]);
    assert.notEqual(up.code, 0, up.stdout + up.stderr);
    assert.match(up.stdout, /\[mandatory\] +image-digest .*\n.*\n +container \S+: image \S+; expected a digest/);
  });

  test("and succeeds without violations", async () => {
    configure({});
    const up = await clone.run(["up", "--stack", "held"]);
    assert.equal(up.code, 0, up.stdout + up.stderr);
    assert.match(up.stdout, /kazoo@v/);
    assert.doesNotMatch(up.stdout, /\[mandatory\]/);
  });
});
