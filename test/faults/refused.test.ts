import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type Server, createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { once } from "node:events";
import { parse } from "yaml";
import { clusterFiles } from "../../tools/sandbox/files";
import { type FaultStack, faultStack } from "../support/faults";
import { until } from "../support/until";

const namespace = "/api/v1/namespaces/local-dev";

describe("a cluster that refuses", { concurrency: 1 }, () => {
  let stack: FaultStack;
  before(async () => {
    stack = await faultStack();
    stack.configure({});
    await stack.converges();
  });
  after(() => stack?.clone.dispose());

  const levels = ["debug", "warning", "error", "info"];
  /** A change that needs a new ConfigMap, and rolls Kazoo. */
  const change = () =>
    stack.configure({ "kazoo:environment": { KAZOO_LOG_LEVEL: levels.push(levels.shift() ?? "") && levels[0] } });

  const created = async (path: string, object: object): Promise<void> => {
    const { status, body } = await stack.api.call("POST", path, object);
    assert.equal(status, 201, JSON.stringify(body));
  };
  const removed = async (path: string) => assert.equal((await stack.api.call("DELETE", path)).status, 200);

  /** Asserts that `up` is refused, and says why and what to do. */
  async function refused(cause: RegExp, advice: RegExp): Promise<void> {
    const up = await stack.run(["up"]);
    assert.notEqual(up.code, 0);
    assert.match(up.stdout + up.stderr, cause);
    assert.match(up.stderr, advice);
    assert.doesNotMatch(up.stderr, /\n\s+at \S+ \(/, "no stack trace");
    await stack.leavesNothing();
  }

  test("a quota that is used up", async () => {
    const kept = await stack.kept();
    const { length } = await stack.api.list(`${namespace}/configmaps`);
    const quota = { metadata: { name: "small" }, spec: { hard: { "count/configmaps": String(length) } } };
    await created(`${namespace}/resourcequotas`, quota);
    await until("the quota to be counted", async () => {
      const { body } = await stack.api.call("GET", `${namespace}/resourcequotas/small`);
      return (body.status as { used?: unknown }).used !== undefined;
    });
    change();
    await refused(
      /exceeded quota: small/,
      /next: ResourceQuota small is exhausted: raise it.*\n.*run the same command again/,
    );
    await removed(`${namespace}/resourcequotas/small`);
    await stack.converges(kept);
  });

  const webhooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
  const webhook = (port: number, caBundle?: string) => ({
    metadata: { name: "guard" },
    webhooks: [
      {
        name: "guard.example.com",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Fail",
        clientConfig: { url: `https://127.0.0.1:${port}/`, ...(caBundle === undefined ? {} : { caBundle }) },
        rules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE", "UPDATE"] }],
        namespaceSelector: { matchLabels: { "kazoo/stack": "dev" } },
      },
    ],
  });

  test("a missing webhook, and one that refuses", async () => {
    const kept = await stack.kept();
    change();
    await created(webhooks, webhook(1));
    await refused(/failed calling webhook/, /next: webhook guard\.example\.com does not answer: restore it/);
    await removed(`${webhooks}/guard`);

    const files = clusterFiles(stack.clone.directory, "local");
    const server = await webhookThatRefuses(files);
    try {
      const authority = readFileSync(files.certificate("ca")).toString("base64");
      await created(webhooks, webhook((server.address() as AddressInfo).port, authority));
      await refused(/denied the request: not on Fridays/, /next: webhook guard\.example\.com refuses/);
      await removed(`${webhooks}/guard`);
    } finally {
      server.closeAllConnections();
      server.close();
    }
    await stack.converges(kept);
  });

  test("an etcd without space", async () => {
    const kept = await stack.kept();
    change();
    await alarm(stack.clone.directory, "ACTIVATE");
    await refused(/database space exceeded/, /next: the cluster's etcd is out of space.*etcdctl alarm disarm/);
    await alarm(stack.clone.directory, "DEACTIVATE");
    await stack.converges(kept);
  });

  test("a namespace whose deletion is stuck", async () => {
    const held = `${namespace}/configmaps/held`;
    await created(`${namespace}/configmaps`, { metadata: { name: "held", finalizers: ["example.com/hold"] } });
    const deleting = { line: /Namespace local-dev-namespace deleting/g, times: 1 };
    const destroy = await stack.at(["destroy"], deleting, ({ pid }) => {
      void until("its deletion to begin", async () => {
        const { metadata } = (await stack.api.call("GET", namespace)).body as {
          metadata: { deletionTimestamp?: string };
        };
        return metadata.deletionTimestamp !== undefined;
      }).then(() => process.kill(pid, "SIGINT"));
    });
    assert.notEqual(destroy.code, 0);
    await until("the namespace to say what it waits for", async () =>
      JSON.stringify((await stack.api.call("GET", namespace)).body.status).includes("example.com/hold"),
    );
    await refused(
      /namespace local-dev of cluster local is being deleted.*example\.com\/hold in 1 resource/,
      /next: wait until it is gone/,
    );
    const freed = { metadata: { finalizers: null } };
    const { status } = await stack.api.call("PATCH", held, freed, "application/merge-patch+json");
    assert.equal(status, 200);
    await until("it to go", async () => (await stack.api.call("GET", namespace)).status === 404);
    // The next up creates again what the destroy deleted.
    await stack.converges();
  });
});

type Files = ReturnType<typeof clusterFiles>;

/** A webhook with a certificate signed by the cluster's CA. */
async function webhookThatRefuses(files: Files): Promise<Server> {
  const identity = { cert: readFileSync(files.certificate("admin")), key: readFileSync(files.key("admin")) };
  const server = createServer(identity, (asked, answer) => {
    let text = "";
    asked.setEncoding("utf8").on("data", (part: string) => (text += part));
    asked.on("end", () => {
      const { uid } = (JSON.parse(text) as { request: { uid: string } }).request;
      const response = { uid, allowed: false, status: { message: "not on Fridays" } };
      const review = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response };
      answer.setHeader("content-type", "application/json").end(JSON.stringify(review));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Raises or clears the alarm that etcd raises when its space is used up. */
async function alarm(project: string, action: "ACTIVATE" | "DEACTIVATE"): Promise<void> {
  const files = clusterFiles(project, "local");
  const { options } = parse(readFileSync(files.config, "utf8").split("\n---\n")[0] ?? "") as {
    options: { etcdPort: number };
  };
  const sent = request(`https://127.0.0.1:${options.etcdPort}/v3/maintenance/alarm`, {
    method: "POST",
    ca: readFileSync(files.certificate("ca")),
    cert: readFileSync(files.certificate("admin")),
    key: readFileSync(files.key("admin")),
  });
  sent.end(JSON.stringify({ action, alarm: "NOSPACE" }));
  const [answer] = (await once(sent, "response")) as [{ statusCode: number; resume: () => void }];
  answer.resume();
  assert.equal(answer.statusCode, 200);
}
