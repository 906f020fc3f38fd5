import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { findCommand, run } from "../image/support/commands";
import { sideBySide } from "../../tools/shared/turns";
import { until } from "../support/until";
import { seriesIn } from "../support/promql";
import { closedAndOpen, reachable } from "./support/reachable";
import { type Watch, definePrometheusOperator, startWatch, stopWatch } from "./support/monitoring";
import type { Store } from "./support/logIn";
import { reconnecting } from "./support/reconnecting";
import { linkName } from "./support/runFolder";
import { noStage, setStage, type Stage } from "./support/stage";

/** A ring of two datacenters with real pods on a real node that enforces NetworkPolicies. Each test continues from the previous one. */

const domain = "e2e.internal";
const zones = ["e2e-one", "e2e-two"] as const;
const [one, two] = zones;
const small = { requests: { cpu: "20m", memory: "64Mi" }, limits: { memory: "1Gi" } };
/** The test waits for some fifty pods: each is noticed as soon as it is ready. */
const probes = { startup: { periodSeconds: 1, failureThreshold: 600 }, readiness: { periodSeconds: 1 } };
const stackKeys = (logLevel: string, cpu = "20m") => ({
  environment: { KAZOO_LOG_LEVEL: logLevel },
  monitoring: { podMonitors: true, rules: true, dashboards: true, namespace: "monitoring" },
  rings: {
    main: {
      masterAccount: { name: "e2e", realm: "sip.e2e.internal", user: "admin" },
      brokerSettings: { channel_max: 1024, "vm_memory_high_watermark.relative": 0.5 },
      brokerPlugins: ["rabbitmq_shovel"],
    },
  },
  workloads: {
    kazoo: { resources: { ...small, requests: { ...small.requests, cpu } }, probes },
    rabbitmq: { resources: small, storage: "1Gi", probes },
    database: { resources: small, storage: "1Gi", probes },
  },
  regions: {
    e2e: {
      cluster: "node",
      datacenters: { one: { ring: "main", workloads: { kazoo: { replicas: 2 } } }, two: { ring: "main" } },
    },
  },
});

interface Named {
  readonly metadata: { readonly name: string; readonly uid: string };
}

interface Pod extends Named {
  readonly metadata: Named["metadata"] & { readonly creationTimestamp: string; readonly deletionTimestamp?: string };
  readonly status: {
    readonly phase: string;
    readonly conditions?: { type: string; status: string; lastTransitionTime: string }[];
  };
}

/** A Kazoo node's view of itself, from the stand-in's API. */
interface KazooNode {
  readonly node: string;
  readonly zone: string;
  readonly primary: string;
  readonly brokers: { zone: string; broker: string; connected: boolean }[];
  readonly database: { connected: boolean };
}

describe("a ring of two datacenters on a real node", { timeout: 60 * 60_000 }, async () => {
  const skip = await noStage();
  if (skip !== false) return void test("all that it does", { skip });
  let machine: string[];
  let stage: Stage;
  let watch: Watch;
  before(async () => {
    machine = await machineState();
    stage = await setStage((line) => process.stderr.write(`${line}\n`));
    await definePrometheusOperator(stage);
  });
  after(() => stage?.stop());
  const json = async <T>(...args: string[]) => JSON.parse(await stage.kubectl([...args, "-o", "json"])) as T;
  const pods = async (namespace: string, selector: string) =>
    (await json<{ items: Pod[] }>("get", "pods", "-n", namespace, "-l", selector)).items;
  const isReady = ({ metadata, status }: Pod) =>
    metadata.deletionTimestamp === undefined &&
    status.conditions?.some(({ type, status: found }) => type === "Ready" && found === "True") === true;
  const kazooPods = (namespace: string) => pods(namespace, "app.kubernetes.io/name=kazoo");
  const kazooReady = () =>
    until("both Kazoo pods to be ready", async () => (await kazooPods(one)).filter(isReady).length === 2);
  const kazooNode = async (namespace: string, pod: string) =>
    JSON.parse(await stage.exec(namespace, pod, ["curl", "-sS", "http://127.0.0.1:8000/node"])) as KazooNode;
  const nodeName = (namespace: string, index: number) =>
    `kazoo_apps@kazoo-${index}.kazoo-nodes.${namespace}.svc.${domain}`;
  const broker = (namespace: string, role: string) => `rabbitmq-${role}.${namespace}.svc.${domain}:5672`;
  const allConnected = (namespace: string, pod: string) =>
    until(`the connections of ${pod} in ${namespace}`, async () => {
      const node = await kazooNode(namespace, pod);
      return node.database.connected && node.brokers.every(({ connected }) => connected) && node;
    });
  /** A request to a broker's management API, with the credentials of Kazoo. */
  const manage = (namespace: string, role: string, method: string, path: string, body: object) => {
    const url = `http://${broker(namespace, role).replace(/\d+$/, "15672")}/api/${path}`;
    const request = `curl -sSf -u "$RABBITMQ_USER:$RABBITMQ_PASS" -H "content-type: application/json" "$@"`;
    const args = ["-X", method, "-d", JSON.stringify(body), url];
    return stage.exec(namespace, "kazoo-0", ["sh", "-c", request, "sh", ...args]);
  };
  /** Makes a queue that nobody reads, with a message that outlives the broker. */
  const leaveMessage = async (namespace: string, role: string) => {
    await manage(namespace, role, "PUT", "queues/%2F/e2e", { durable: true });
    await manage(namespace, role, "POST", "exchanges/%2F/amq.default/publish", {
      properties: { delivery_mode: 2 },
      routing_key: "e2e",
      payload: "text",
      payload_encoding: "string",
    });
  };
  /** A request to a zone's database, as its administrator. */
  const database = (namespace: string, method: string, path: string) => {
    const request = `curl -fsS -u "$COUCHDB_USER:$COUCHDB_PASSWORD" -X "$1" "http://127.0.0.1:5984/$2"`;
    return stage.exec(namespace, "bigcouch-0", ["sh", "-c", request, "sh", method, path]);
  };
  const up = async () => {
    const { code, stdout, stderr } = await stage.kazoo(["up", "--yes"]);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  /** Evaluates Erlang on a separate node in a Kazoo pod, with the pod's cookie or another. */
  const erlang = async (expression: string, cookie?: string) =>
    await stage.exec(one, "kazoo-0", [
      "bash",
      "-c",
      `. /usr/local/lib/kazoo/lib/node.sh; release_environment
      boot=$(ls "$kazoo_root"/bin/start_clean.boot "$kazoo_root"/releases/*/start_clean.boot 2>/dev/null | head -n 1)
      exec "$BINDIR/erlexec" -boot "\${boot%.boot}" -boot_var ERTS_LIB_DIR "$kazoo_root/lib" -noinput -hidden \
        -name "test-$$@$(hostname -f)" ${cookie === undefined ? "" : `-setcookie ${cookie}`} -eval "$1"`,
      "bash",
      `io:format("~p", [${expression}]), halt().`,
    ]);

  void test("up builds, pushes and deploys; all pods are ready under the level restricted, both Jobs ran once", async () => {
    stage.writeStack(stackKeys("info"));
    await up();
    for (const namespace of zones) {
      const labels = (await json<{ metadata: { labels: Record<string, string> } }>("get", "namespace", namespace))
        .metadata;
      assert.equal(labels.labels["pod-security.kubernetes.io/enforce"], "restricted");
      const all = await pods(namespace, "");
      const running = all.filter(({ status }) => status.phase !== "Succeeded");
      assert.deepEqual(running.map(({ metadata }) => metadata.name).sort(), [
        "bigcouch-0",
        ...(namespace === one ? ["kazoo-0", "kazoo-1"] : ["kazoo-0"]),
        "rabbitmq-alpha-0",
        "rabbitmq-beta-0",
      ]);
      assert.ok(running.every(isReady), JSON.stringify(running.filter((pod) => !isReady(pod))));
      assert.equal((await pods(namespace, "app.kubernetes.io/name=bigcouch-join")).length, 1);
    }
    const jobs = await json<{ items: { status: { succeeded?: number; failed?: number } }[] }>("get", "jobs", "-A");
    assert.deepEqual(
      jobs.items.map(({ status }) => [status.succeeded, status.failed ?? 0]),
      [
        [1, 0],
        [1, 0],
        [1, 0],
      ],
    );
    const said = await stage.kubectl(["logs", "-n", one, "-l", "app.kubernetes.io/name=kazoo-bootstrap"]);
    assert.match(said, /master account e2e: made/);
  });

  void test("each Kazoo is kazoo_apps@FQDN, in its zone, connected to both its brokers and the other zone's, alpha in use", async () => {
    for (const [namespace, index] of [
      [one, 0],
      [one, 1],
      [two, 0],
    ] as const) {
      const node = await allConnected(namespace, `kazoo-${index}`);
      assert.equal(node.node, nodeName(namespace, index));
      assert.equal(node.zone, namespace);
      assert.equal(node.primary, broker(namespace, "alpha"));
      const other = namespace === one ? two : one;
      assert.deepEqual(
        node.brokers.map((known) => [known.zone, known.broker]),
        [namespace, other].flatMap((zone) => ["alpha", "beta"].map((role) => [zone, broker(zone, role)])),
      );
    }
  });

  void test("a real Prometheus reads every series of brokers and pods that alerts and dashboards name, and no alert fires", async () => {
    watch = await startWatch(stage);
    const { data } = (
      await json<{ items: { data: Record<string, string> }[] }>(
        "get",
        "configmaps",
        "-n",
        one,
        "-l",
        "grafana_dashboard=1",
      )
    ).items[0]!;
    const { panels } = JSON.parse(Object.values(data)[0]!) as { panels: { targets: { expr: string }[] }[] };
    const onDashboard = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const names = [...watch.rules.map(({ expr }) => expr), ...onDashboard].flatMap(seriesIn);
    assert.ok(names.includes("rabbitmq_alarms_memory_used_watermark") && names.includes("rabbitmq_connections"));

    await leaveMessage(one, "alpha");
    for (const name of [...new Set(names)].filter((each) => each !== "ALERTS")) {
      const places = name.startsWith("rabbitmq_detailed_") ? [one] : [...zones];
      await until(`${name} of ${places.join(" and ")}`, async () => {
        const found = (await watch.query(`count by (namespace) (${name})`)).map(({ metric }) => metric.namespace);
        return places.every((place) => found.includes(place));
      });
    }
    for (const expression of onDashboard.filter((each) => !each.includes("ALERTS"))) {
      const query = expression.replaceAll("$namespace", one);
      await until(query, async () => (await watch.query(query)).length > 0);
    }
    const pileUp = watch.rules.find(({ alert }) => alert === "KazooMessagesPileUp")!;
    const [waiting] = await until("the message that waits", async () => {
      const found = await watch.query(pileUp.expr.replace("> 1000", "> 0"));
      return found.length > 0 && found;
    });
    assert.deepEqual(waiting?.metric, { namespace: one, pod: "rabbitmq-alpha-0", queue: "e2e" });
    await manage(one, "alpha", "DELETE", "queues/%2F/e2e", {});
    await until("no alert to fire", async () => (await watch.query("ALERTS")).length === 0);
  });

  void test("exactly the ports that no NetworkPolicy allows are closed", async () => {
    const found = await reachable(stage, zones);
    assert.deepEqual(found, closedAndOpen);
  });

  void test("the rendered config.ini names the zone and its brokers, alpha first", async () => {
    const text = await stage.exec(one, "kazoo-0", ["cat", "/opt/kazoo/etc/config.ini"]);
    const blocks = text.split(/\n(?=\[)/).filter((block) => block.startsWith("[zone]"));
    const hosts = (block: string) =>
      [...block.matchAll(/amqp_uri = "amqp:\/\/kazoo:[^@]+@([^"]+)"/g)].map(([, host]) => host);
    assert.match(blocks[0] ?? "", /name = "e2e-one"/);
    assert.deepEqual(hosts(blocks[0] ?? ""), [broker(one, "alpha"), broker(one, "beta")]);
    assert.match(blocks[1] ?? "", /name = "e2e-two"/);
    assert.deepEqual(hosts(blocks[1] ?? ""), [broker(two, "alpha"), broker(two, "beta")]);
  });

  void test("two nodes reach each other with the Secret's cookie, and with no other", async () => {
    const ping = `rpc:call('${nodeName(one, 0)}', net_adm, ping, ['${nodeName(one, 1)}'])`;
    assert.equal(await erlang(ping), "pong");
    assert.equal(await erlang(`net_adm:ping('${nodeName(one, 1)}')`), "pong");
    assert.equal(await erlang(`net_adm:ping('${nodeName(one, 1)}')`, "another_cookie"), "pang");
    const secret = await stage.kubectl(["get", "secret", "-n", one, "erlang-cookie", "-o", "jsonpath={.data.cookie}"]);
    const cookie = Buffer.from(secret, "base64").toString();
    assert.equal((await stage.exec(one, "kazoo-1", ["cat", "/opt/kazoo/etc/.erlang.cookie"])).trim(), cookie);
  });

  void test("sup runs a function on the node", async () => {
    const said = await stage.exec(one, "kazoo-0", ["sup", "kazoo_maintenance", "nodes"]);
    assert.ok(said.includes(`Node          : ${nodeName(one, 0)}`), said);
    assert.match(said, /Zone {10}: e2e-one/);
  });

  void test("the targets look into real pods, run sup there, and show the account that first boot created", async () => {
    const kazoo = async (...args: string[]) => {
      const { code, stdout, stderr } = await stage.kazoo(args);
      assert.equal(code, 0, stdout + stderr);
      return stdout;
    };
    const node = ["--zone", one, "--node", "kazoo-1"];
    const says: readonly (readonly [args: readonly string[], said: RegExp])[] = [
      [["status"], /^e2e-one +node +main +2\/2 +2\/2 +1\/1 +done +done +kazoo@[a-f0-9]{12} +\d+ (s|min) ago$/m],
      [["shell", ...node, "--", "hostname", "-f"], /^kazoo-1\.kazoo-nodes\.e2e-one\.svc\.e2e\.internal\n$/],
      [["logs", ...node], /Starting kazoo_apps@kazoo-1\./],
      [["logs", "--zone", one, "--node", "rabbitmq-beta-0"], /^(?![\s\S]*Starting kazoo_apps)/],
      [["kazoo-maint-nodes", ...node], /Zone {10}: e2e-one/],
      [["get-master-account", ...node], /Realm: sip\.e2e\.internal\n[\s\S]*System Admin: true/],
      [["init-account", ...node], /^master account e2e: is there$/m],
      [["init-apps", ...node, "--url", "https://e2e.internal/v2"], /^apps: \d+ known to call https/m],
      [["kube-rollout-status", "--zone", one], /2 of 2 nodes updated, 2 ready\n$/],
    ];
    const fails: readonly (readonly [args: readonly string[], code: number, said: RegExp])[] = [
      [["kube-shell", ...node, "--", "sh", "-c", "exit 7"], 7, /^$/],
      [["logs", "--zone", one], 1, /there is more than one node: kazoo-0, kazoo-1/],
    ];
    // A few at a time: each needs a second of a processor, then waits.
    const [, piped] = await Promise.all([
      sideBySide(3, says, async ([args, said]) => assert.match(await kazoo(...args), said, args.join(" "))),
      // No terminal is made up where there is none.
      stage.kazoo(["shell", ...node, "--", "sh", "-c", "cat; echo done >&2"]),
      ...fails.map(async ([args, code, said]) => {
        const run = await stage.kazoo(args);
        assert.equal(run.code, code, run.stderr);
        assert.match(run.stderr, said);
      }),
    ]);
    assert.deepEqual(piped, { code: 0, stdout: "", stderr: "done\n" });

    // The pod's log: forty lines, then the followers start, then one more line, then its end.
    const say = (script: string) => stage.exec(one, "kazoo-1", ["sh", "-c", `{ ${script}; } >/proc/1/fd/1`]);
    await say('for i in $(seq 1 40); do echo "before $i"; done');
    const followers = ["kube-logsf", "logsf", "kube-logsft"].map((target) => stage.kazoo([target, ...node]));
    await until("the API server to serve three logs", async () => {
      const metrics = await stage.kubectl(["get", "--raw", "/metrics"]);
      const served = [...metrics.matchAll(/^apiserver_longrunning_requests\{.*subresource="log".*\} (\d+)$/gm)];
      return served.reduce((sum, [, count]) => sum + Number(count), 0) === 3;
    });
    await say("echo after");
    await stage.kubectl(["delete", "pod", "-n", one, "kazoo-1"]);
    const followed = await Promise.all(followers);
    for (const { code, stdout, stderr } of followed) {
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^before 40\n[\s\S]*^after\n[\s\S]*kazoo_apps has stopped in order/m);
    }
    const [all = [], lastHundred = [], lastLines = []] = followed.map(({ stdout }) => stdout.split("\n"));
    assert.ok(all.some((line) => line.includes("Starting kazoo_apps@kazoo-1.")));
    assert.ok(lastHundred.indexOf("before 40") < 100);
    // The last 25 at that time; Kazoo may have logged something after the forty.
    const [, oldest] = /^before (\d+)$/.exec(lastLines[0] ?? "") ?? [];
    assert.ok(Number(oldest) >= 16, lastLines[0]);
    await kazooReady();
  });

  void test("Kazoo's user has connections on both brokers, and guest is refused", async () => {
    for (const role of ["alpha", "beta"]) {
      const ctl = ["rabbitmqctl", "-q", "list_connections", "user", "state"];
      // From both nodes of its own zone and the one of the other zone.
      await until("three open connections of Kazoo's user", async () => {
        const lines = (await stage.exec(one, `rabbitmq-${role}-0`, ctl)).split("\n");
        return lines.filter((line) => line === "kazoo\trunning").length >= 3;
      });
      await stage.exec(one, "kazoo-0", [
        "sup",
        "kz_amqp_connection",
        "open",
        `amqp://guest:guest@${broker(one, role)}`,
      ]);
      await until("the refusal in the broker's log", async () =>
        /'guest' (can only connect via localhost|- invalid credentials)/.test(
          await stage.kubectl(["logs", "-n", one, `rabbitmq-${role}-0`]),
        ),
      );
    }
  });

  void test("both brokers use the stack's settings instead of RabbitMQ's or the program's, and its plugin", async () => {
    for (const role of ["alpha", "beta"]) {
      const said = (...command: string[]) => stage.exec(one, `rabbitmq-${role}-0`, command);
      const environment = await said("rabbitmqctl", "-q", "environment");
      assert.match(environment, /\{channel_max,1024\}/);
      assert.match(environment, /\{vm_memory_high_watermark,0\.5\}/);
      assert.match(environment, /\{disk_free_limit,107374182\}/, "a tenth of the volume, as the program has it");
      const plugins = (await said("rabbitmq-plugins", "-q", "list", "--minimal", "--enabled")).split("\n");
      for (const plugin of ["rabbitmq_management", "rabbitmq_shovel"]) assert.ok(plugins.includes(plugin), plugin);
    }
  });

  void test("port 8000 answers through the Service, from each ready pod", async () => {
    const seen = new Set<string>();
    await until("answers of both nodes", async () => {
      const url = `http://kazoo.${one}.svc.${domain}:8000/node`;
      // Policies block the nodes of other zones.
      seen.add((JSON.parse(await stage.exec(one, "kazoo-0", ["curl", "-sS", url])) as KazooNode).node);
      return seen.size === 2;
    });
    assert.deepEqual([...seen].sort(), [nodeName(one, 0), nodeName(one, 1)]);
  });

  void test("users, file modes and read-only roots are as declared", async () => {
    const inside = async (pod: string, script: string) => (await stage.exec(one, pod, ["sh", "-c", script])).trim();
    const identity = "echo $(id -u):$(id -g)";
    assert.equal(await inside("kazoo-0", identity), "1000:1000");
    assert.equal(await inside("rabbitmq-alpha-0", identity), "999:999");
    assert.equal(await inside("bigcouch-0", identity), "5984:5984");
    assert.equal(
      await inside("kazoo-0", "cd /opt/kazoo/etc && stat -c '%a %u %n' config.ini vm.args sys.config .erlang.cookie"),
      "600 1000 config.ini\n644 1000 vm.args\n644 1000 sys.config\n400 1000 .erlang.cookie",
    );
    assert.equal(await inside("kazoo-0", "stat -Lc '%a %u %g' /etc/secrets/erlang/cookie"), "440 0 1000");
    for (const [pod, folder] of [
      ["kazoo-0", "/opt/kazoo"],
      ["rabbitmq-alpha-0", "/etc/rabbitmq"],
      ["bigcouch-0", "/opt/couchdb"],
    ] as const) {
      const refusal = await inside(pod, `touch ${folder}/file 2>&1 || true`);
      assert.equal(refusal, `touch: cannot touch '${folder}/file': Read-only file system`);
    }
    assert.equal(
      await inside("bigcouch-0", "cd /opt/couchdb/etc/local.d && stat -c '%U %n' README docker.ini"),
      "couchdb README\ncouchdb docker.ini",
      "what the image has, and what it writes at the start",
    );
    assert.equal(await inside("kazoo-0", "ls /var/run/secrets/kubernetes.io 2>/dev/null | wc -l"), "0");
    // Not even root in the pod, no capabilities, and no way to get them.
    assert.equal(
      await inside("kazoo-0", "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/1/status | tr -s '\\t' ' '"),
      "CapEff: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2",
    );
  });

  void test("the database's nodes have the Secret's cookie, which is in no process's arguments, and reach each other only with it", async () => {
    const secret = await stage.kubectl(["get", "secret", "-n", one, "bigcouch", "-o", "jsonpath={.data.cookie}"]);
    const cookie = Buffer.from(secret, "base64").toString();
    const inside = (script: string) => stage.exec(one, "bigcouch-0", ["sh", "-c", script]);
    assert.equal(await inside("cat ~/.erlang.cookie && stat -c ' %a %u' ~/.erlang.cookie"), `${cookie} 400 5984\n`);
    const processes = await inside("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'");
    assert.match(processes, /^couchdb@bigcouch-0\./m, "the node's own, by its name");
    assert.ok(!processes.includes(cookie), "the cookie");
    const ping = (namespace: string, ...flags: string[]) => {
      const node = `couchdb@bigcouch-0.bigcouch.${namespace}.svc.${domain}`;
      const code = `io:format("~p", [net_adm:ping('${node}')]), halt().`;
      const erl = ["erl", "-noinput", "-hidden", "-name", "test@127.0.0.1", ...flags, "-eval", code];
      return stage.exec(one, "bigcouch-0", ["env", "-u", "ERL_FLAGS", ...erl]);
    };
    for (const namespace of zones) assert.equal(await ping(namespace), "pong", namespace);
    assert.equal(await ping(one, "-setcookie", "another"), "pang");
  });

  void test("a broker and a database whose container restarts in place keep their data and their password", async () => {
    await database(one, "PUT", "kept");
    await stage.exec(one, "rabbitmq-beta-0", ["rabbitmqctl", "-q", "add_vhost", "kept"]);
    for (const pod of ["bigcouch-0", "rabbitmq-beta-0"]) {
      // Its connection may end before the command does.
      await stage.tryKubectl(["exec", "-n", one, pod, "--", "sh", "-c", "kill -TERM 1"]);
      await until(`${pod} to be ready again`, async () => {
        const { status } = await json<{
          status: { containerStatuses: { restartCount: number; ready: boolean }[] };
        }>("get", "pod", "-n", one, pod);
        return status.containerStatuses.every(({ restartCount, ready }) => restartCount === 1 && ready);
      });
    }
    assert.match(await database(one, "GET", "_all_dbs"), /"kept"/);
    const login = 'rabbitmqctl -q authenticate_user "$RABBITMQ_DEFAULT_USER" "$RABBITMQ_DEFAULT_PASS"';
    await stage.exec(one, "rabbitmq-beta-0", ["sh", "-c", login]);
    assert.match(await stage.exec(one, "rabbitmq-beta-0", ["rabbitmqctl", "-q", "list_vhosts"]), /^kept$/m);
    await stage.exec(one, "rabbitmq-beta-0", ["rabbitmqctl", "-q", "delete_vhost", "kept"]);
    await database(one, "DELETE", "kept");
  });

  void test("Kazoo fails over from a killed alpha to beta, and returns", async () => {
    const killed = Date.now();
    await stage.kubectl(["delete", "pod", "-n", one, "rabbitmq-alpha-0", "--grace-period=1", "--wait=false"]);
    const primaryIs = (role: string) =>
      until(`${role} to be in use`, async () => (await kazooNode(one, "kazoo-0")).primary === broker(one, role));
    await primaryIs("beta");
    await primaryIs("alpha");
    const seconds = Math.ceil((Date.now() - killed) / 1000);
    const fired = await watch.query(`max_over_time(ALERTS{alertstate="firing", alertname=~".*Broker.*"}[${seconds}s])`);
    assert.deepEqual(
      fired.map(({ metric }) => [metric.alertname, metric.zone, metric.severity]),
      [["KazooAlphaBrokerDown", one, "warning"]],
    );
    await until("the alert to end", async () => (await watch.query('ALERTS{alertname=~".*Broker.*"}')).length === 0);
    await stopWatch(stage);
  });

  void test("a PodDisruptionBudget prevents a second eviction", async () => {
    const evict = (pod: string) => {
      const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: pod, namespace: one } };
      const path = `/api/v1/namespaces/${one}/pods/${pod}/eviction`;
      return stage.tryKubectl(["create", "--raw", path, "-f", "-"], JSON.stringify(eviction));
    };
    await kazooReady();
    assert.equal((await evict("kazoo-1")).code, 0);
    const second = await evict("kazoo-0");
    assert.notEqual(second.code, 0);
    assert.match(second.stderr, /Cannot evict pod as it would violate the pod's disruption budget/);
    await until("the evicted pod to go", async () => (await kazooPods(one)).filter(isReady).length < 2);
    await kazooReady();
  });

  void test("a changed variable rolls one pod after the other, each stopped gracefully", async () => {
    const before = (await kazooPods(one)).map(({ metadata }) => metadata.uid);
    const log = stage.kubectl(["logs", "-n", one, "-f", "kazoo-1"]);
    const lastLines = stage.kazoo(["kube-logsft", "--zone", one, "--node", "kazoo-1"]);
    stage.writeStack(stackKeys("debug"));
    let fewest = 2;
    const rolled = async () => {
      const ready = (await kazooPods(one)).filter(isReady);
      fewest = Math.min(fewest, ready.length);
      return ready.length === 2 && ready.every(({ metadata }) => !before.includes(metadata.uid));
    };
    await Promise.all([up(), until("two other pods to be ready", rolled)]);
    assert.equal(fewest, 1);
    assert.match(await stage.exec(one, "kazoo-0", ["cat", "/opt/kazoo/etc/config.ini"]), /console = "debug"/);
    const said = await log;
    const followed = (await lastLines).stdout;
    assert.ok(followed !== "" && said.endsWith(followed), followed);
    assert.match(said, /Stopping kazoo_apps@\S+ in order[\s\S]*kazoo_apps has stopped in order[\s\S]*\(exit code 0\)/);
  });

  void test("an update that breaks a pod stops there, and reverting the change replaces the pod", async () => {
    stage.writeStack(stackKeys("debug", "1000"));
    const broken = await stage.kazoo(["up", "--yes"], /pod kazoo-1: no node fits/);
    assert.notEqual(broken.code, 0);
    await until("the pod that fits nowhere", async () =>
      (await kazooPods(one)).some(({ metadata, status }) => metadata.name === "kazoo-1" && status.phase === "Pending"),
    );
    assert.deepEqual(
      (await kazooPods(one)).filter(isReady).map(({ metadata }) => metadata.name),
      ["kazoo-0"],
    );
    stage.writeStack(stackKeys("debug"));
    await up();
    await kazooReady();
  });

  void test("kube-deploy-rollback restores the earlier variable, on the same image", async () => {
    const images = async () =>
      await stage.kubectl([
        "get",
        "statefulset",
        "-n",
        one,
        "kazoo",
        "-o",
        "jsonpath={.spec.template.spec.containers[0].image}",
      ]);
    const image = await images();
    const run = await stage.kazoo(["kube-deploy-rollback", "--zone", one, "--yes"]);
    assert.equal(run.code, 0, run.stdout + run.stderr);
    await kazooReady();
    assert.match(await stage.exec(one, "kazoo-0", ["cat", "/opt/kazoo/etc/config.ini"]), /console = "info"/);
    assert.equal(await images(), image);
  });

  void test("an upgrade enables the brokers' feature flags, and replaces alpha before beta, so that each zone keeps one", async () => {
    await up();
    // The series is that of the stack's file alone: what runs is the same RabbitMQ in another image.
    let ended = false;
    const upgrade = stage
      .kazoo(["upgrade", "rabbitmq", "--to", "4.0", "--image", stage.otherRabbitmq, "--yes"])
      .finally(() => (ended = true));
    const brokers = (namespace: string) => pods(namespace, "app.kubernetes.io/name=rabbitmq");
    let fewest = 2;
    while (!ended) for (const zone of zones) fewest = Math.min(fewest, (await brokers(zone)).filter(isReady).length);
    const { code, stdout, stderr } = await upgrade;
    assert.equal(code, 0, stdout + stderr);
    assert.match(stderr, /\[3\/3\] The brokers enable all stable feature flags of RabbitMQ 4\.0/);
    assert.equal(fewest, 1);
    for (const zone of zones) {
      const [alpha, beta] = (await brokers(zone)).sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
      const ready = alpha?.status.conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime ?? "";
      assert.ok(
        ready !== "" && ready <= (beta?.metadata.creationTimestamp ?? ""),
        `${zone}: beta began before ${ready}`,
      );
      const images = ["get", "pods", "-n", zone, "-l", "app.kubernetes.io/name=rabbitmq"];
      const path = "jsonpath={.items[*].spec.containers[0].image}";
      assert.deepEqual((await stage.kubectl([...images, "-o", path])).split(" "), Array(2).fill(stage.otherRabbitmq));
      for (const role of ["alpha", "beta"]) {
        const flags = ["rabbitmqctl", "-q", "list_feature_flags", "name", "state"];
        assert.doesNotMatch(await stage.exec(zone, `rabbitmq-${role}-0`, flags), /disabled/);
      }
    }
    const again = await stage.kazoo(["upgrade", "rabbitmq", "--to", "4.0", "--image", stage.otherRabbitmq, "--yes"]);
    assert.match(again.stderr, /nothing is left to do/);
  });

  /** Rotates the user of a store while clients reconnect to all its nodes, and checks what these were told. */
  const rotate = async (store: Store, hosts: readonly string[]) => {
    const end = await reconnecting(stage, store, hosts);
    const { code, stdout, stderr } = await stage.kazoo(["rotate", store, "--yes"]);
    const { answers, inTheEnd } = await end();
    assert.equal(code, 0, stdout + stderr);
    for (const host of hosts) {
      const told = Object.entries(answers[host] ?? {}).map(([user, { accepted, refused }]) => ({
        user,
        accepted: accepted > 0,
        refused,
      }));
      assert.deepEqual(told, [
        { user: "kazoo", accepted: true, refused: 0 },
        { user: "kazoo-2", accepted: true, refused: 0 },
      ]);
      assert.deepEqual(inTheEnd[host], { kazoo: "refused", "kazoo-2": "accepted" });
    }
    for (const zone of zones) await allConnected(zone, "kazoo-0");
  };

  void test("while the brokers' user is rotated, no client with the user of a pod is refused; in the end the old one is", () =>
    rotate(
      "rabbitmq",
      zones.flatMap((zone) => ["alpha", "beta"].map((role) => broker(zone, role).replace(/:.*/, ""))),
    ));

  void test("the same while the database's user is rotated", () =>
    rotate(
      "database",
      zones.map((zone) => `bigcouchbal.${zone}.svc.${domain}`),
    ));

  void test("a zone is drained and returns: its pods go and come back, its volumes stay with what is on them, the other zone's pods go on", async () => {
    const inZone = async (kind: string, namespace: string) =>
      Object.fromEntries(
        (await json<{ items: Named[] }>("get", kind, "-n", namespace)).items.map(
          ({ metadata }) => [metadata.name, metadata.uid] as const,
        ),
      );
    const runbook = async (command: string) => {
      const { code, stdout, stderr } = await stage.kazoo([command, "--zone", two, "--yes"]);
      assert.equal(code, 0, stdout + stderr);
    };
    const nodes = async () => (await pods(two, "")).filter(({ status }) => status.phase !== "Succeeded");
    await leaveMessage(two, "beta");
    await database(two, "PUT", "kept");
    const [volumes, others] = [await inZone("pvc", two), await inZone("pods", one)];
    assert.equal(Object.keys(volumes).length, 3);

    await runbook("drain");
    assert.deepEqual(await nodes(), []);
    const { code, stdout } = await stage.kazoo(["status"]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^e2e-one +node +main +2\/2 +2\/2 +1\/1 /m);
    assert.match(stdout, /^e2e-two +node +main +0\/0 +0\/0 +0\/0 /m);

    await runbook("return");
    const back = await nodes();
    assert.deepEqual(back.map(({ metadata }) => metadata.name).sort(), [
      "bigcouch-0",
      "kazoo-0",
      "rabbitmq-alpha-0",
      "rabbitmq-beta-0",
    ]);
    assert.ok(back.every(isReady), JSON.stringify(back));
    await allConnected(two, "kazoo-0");
    assert.deepEqual([await inZone("pvc", two), await inZone("pods", one)], [volumes, others]);
    const queues = ["rabbitmqctl", "-q", "list_queues", "name", "messages"];
    assert.match(await stage.exec(two, "rabbitmq-beta-0", queues), /^e2e\t1$/m);
    assert.match(await database(two, "GET", "_all_dbs"), /"kept"/);
  });

  void test("status and doctor find what was broken on purpose and what is no real ring here, and nothing else", async () => {
    // The queue of the test before is still there.
    const change = 'rabbitmqctl -q change_password "$RABBITMQ_DEFAULT_USER" another';
    await stage.exec(two, "rabbitmq-alpha-0", ["sh", "-c", change]);
    await stage.exec(two, "rabbitmq-beta-0", ["rabbitmqctl", "-q", "set_vm_memory_high_watermark", "0.00001"]);
    await until("the alarm", async () => /"mem_alarm":true/.test(await manage(two, "beta", "GET", "nodes", {})));
    // One after the other: each asks all pods, with a limit of its own.
    const status = await stage.kazoo(["status"]);
    const doctor = await stage.kazoo(["doctor"]);
    assert.deepEqual([status.code, doctor.code], [1, 1], status.stderr + doctor.stderr);
    const alarm = /e2e-two\/rabbitmq-beta-0: memory alarm$/m;
    const queue = /e2e-two\/rabbitmq-beta-0: 1 message in queues .*: e2e$/m;
    for (const said of [alarm, queue, /^next: make doctor STACK=e2e /m]) assert.match(status.stdout, said);
    // The stand-in for Kazoo hears of no other node, and the brokers are not those of the version in the stack's file.
    const isKnown = (line: string) => /the Kazoo node .* is not known to|RabbitMQ is 3\.10\.\d+ in/.test(line);
    const findings = doctor.stdout.split("\n").filter((line) => /^(error|warning): /.test(line) && !isKnown(line));
    assert.equal(findings.length, 3, doctor.stdout);
    const login = /^error: e2e-two\/kazoo-0: rabbitmq-alpha\.e2e-two\S+ refuses the user and password/;
    for (const [index, said] of [alarm, login, queue].entries()) assert.match(findings[index] ?? "", said);
    assert.match(doctor.stdout, /memory alarm\n {2}why: .+\n {2}fix: .+\n/);
    assert.match(doctor.stdout, /\ne2e: 2 of \d+ findings are errors\n$/);
  });

  void test("destroy leaves nothing", async () => {
    const { code, stdout, stderr } = await stage.kazoo(["destroy", "--yes"]);
    assert.equal(code, 0, stdout + stderr);
    const namespaces = await json<{ items: { metadata: { name: string } }[] }>("get", "namespaces");
    assert.deepEqual(namespaces.items.map(({ metadata }) => metadata.name).sort(), [
      "default",
      "kube-node-lease",
      "kube-public",
      "kube-system",
    ]);
    assert.deepEqual((await json<{ items: object[] }>("get", "pods,pvc,jobs,secrets", "-A")).items, []);
  });

  void test("nothing of the node is left on this machine", async () => {
    const { path, name } = stage.runFolder;
    await stage.stop();
    const groups = ["/sys/fs/cgroup", ...readdirSync("/sys/fs/cgroup").map((entry) => `/sys/fs/cgroup/${entry}`)];
    const places = [path, `/sys/class/net/${linkName(name)}`, ...groups.map((group) => `${group}/${name}`)];
    assert.deepEqual(places.filter(existsSync), []);
    const traces = [await run("mount", []), await run("ps", ["-eo", "args"])];
    assert.ok(traces.every((text) => !text.includes(name)));
    assert.deepEqual(await machineState(), machine);
  });
});

/** What a node changes on its machine: kernel settings and firewall rules. */
async function machineState(): Promise<string[]> {
  const settings = ["vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"];
  const rules = (await run(findCommand("iptables-save") ?? "iptables-save", [])).split("\n");
  return [
    ...settings.map((name) => readFileSync(`/proc/sys/${name}`, "utf8")),
    ...rules.filter((line) => /KUBE-|CNI-/.test(line)),
  ];
}
