import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { requireDatabaseKind } from "../../config/compatibility";
import type { Ring } from "../../config/platform";
import { nodesOf } from "../../tools/cli/cluster/nodes";
import { type BrokerNode, brokerFindings, queueFindings } from "../../tools/cli/doctor/checks/broker";
import { certificateFindings } from "../../tools/cli/doctor/checks/certificate";
import { copyFindings, memberFindings } from "../../tools/cli/doctor/checks/database";
import { kazooFindings, kazooVersion, readKnownNodes } from "../../tools/cli/doctor/checks/kazoo";
import {
  amount,
  claimFindings,
  healthFindings,
  quotaFindings,
  secretFindings,
} from "../../tools/cli/doctor/checks/objects";
import {
  clockFindings,
  loginFindings,
  nameFindings,
  percentUsed,
  portFindings,
  volumeFindings,
} from "../../tools/cli/doctor/checks/pods";
import {
  type Running,
  differingFindings,
  unconfiguredFindings,
  upgradeFindings,
} from "../../tools/cli/doctor/checks/versions";
import { examinationText } from "../../tools/cli/commands/doctor";
import { healthTable } from "../../tools/cli/commands/status";
import { stateFindings } from "../../tools/cli/doctor/examine";
import type { ExaminedZone } from "../../tools/cli/doctor/examinedZone";
import { podFacts } from "../../tools/cli/doctor/podFacts";
import { podFindings } from "../../tools/cli/doctor/podFindings";
import { readShardMaps } from "../../tools/cli/runbook/shards/copies";
import type { ZoneHealth } from "../../tools/cli/cluster/health";
import {
  brokerQuestions,
  connectionQuestions,
  copyQuestion,
  databaseQuestions,
  readHttp,
  readMembers,
} from "../../tools/cli/doctor/podQuestions";
import { askPod, readAnswers, scriptOf } from "../../tools/cli/cluster/questions";
import { sideBySide } from "../../tools/shared/turns";
import { clusterWith } from "../support/clusterDouble";
import { jsonServer } from "../support/jsonServer";

const what = (findings: readonly { readonly kind: string; readonly where: string; readonly what: string }[]) =>
  findings.map((one) => `${one.kind} ${one.where}: ${one.what}`);

describe("a broker", () => {
  /** Recorded from RabbitMQ 3.10.8: `/api/nodes?columns=name,mem_alarm,disk_free_alarm,partitions`. */
  const nodes = (memory: boolean, partitions: string[] = []) =>
    readHttp<BrokerNode[]>(
      `HTTP/1.1 200 OK\r\ncache-control: no-cache\r\nconnection: close\r\ncontent-type: application/json\r\nserver: Cowboy\r\n\r\n` +
        `[{"partitions":${JSON.stringify(partitions)},"mem_alarm":${memory},"disk_free_alarm":false,"name":"rabbit@rabbitmq-alpha-0"}]`,
    );

  test("without alarms and partitions is healthy", () => {
    assert.deepEqual(brokerFindings("a/alpha", nodes(false)), []);
  });

  test("with an alarm or a partition has a finding for each", () => {
    assert.deepEqual(what(brokerFindings("a/alpha", nodes(true, ["rabbit@other"]))), [
      "error a/alpha: memory alarm",
      "error a/alpha: rabbit@rabbitmq-alpha-0 has lost contact with rabbit@other",
    ]);
    assert.deepEqual(what(brokerFindings("a/alpha", [{ name: "rabbit@a", disk_free_alarm: true }])), [
      "error a/alpha: disk alarm",
    ]);
  });

  test("has a finding for queues whose messages nobody reads; empty queues, new ones and those with consumers are healthy", () => {
    const queues = [
      { consumers: 0, messages: 1, name: "left" },
      { consumers: 1, messages: 20, name: "read" },
      { consumers: 0, messages: 0, name: "empty" },
      { name: "new" },
    ];
    assert.deepEqual(what(queueFindings("a/alpha", queues)), [
      "warning a/alpha: 1 message in queues without a consumer: left",
    ]);
    assert.deepEqual(queueFindings("a/alpha", queues.slice(1)), []);
  });

  test("that refuses, or is not a broker, counts as not answering", () => {
    const refused = `HTTP/1.1 401 Unauthorized\r\nserver: Cowboy\r\n\r\n{"error":"not_authorized","reason":"Login failed"}`;
    assert.throws(() => readHttp(refused), /^UserError: HTTP status 401$/);
    assert.throws(() => readHttp("AMQP"), /^UserError: HTTP status unknown$/);
  });
});

describe("a database's ring", () => {
  const [a, b, c] = ["a", "b", "c"].map((zone) => `couchdb@bigcouch-0.bigcouch.${zone}.svc.cluster.local`) as [
    string,
    string,
    string,
  ];
  const kind = requireDatabaseKind("couchdb-2.3.1");
  const members = [a, b].map((name, index) => ({ name, zone: index === 0 ? "a" : "b", drained: false }));
  const view = (all_nodes: string[], cluster_nodes = all_nodes, from = "a/bigcouch-0") => ({
    from,
    membership: { all_nodes, cluster_nodes },
  });

  test("is healthy if every node lists and sees all others", () => {
    assert.deepEqual(memberFindings("main", kind, members, [view([a, b]), view([b, a])]), []);
  });

  test("has a finding for a node that is not listed, one that is not seen, and one that the stack does not have", () => {
    assert.deepEqual(what(memberFindings("main", kind, members, [view([a]), view([a, b], [a, b], "b/bigcouch-0")])), [
      `error ring main: the database node ${b} is not a member of the ring according to a/bigcouch-0`,
    ]);
    assert.deepEqual(what(memberFindings("main", kind, members, [view([a], [a, b])])), [
      `error ring main: the database node ${b} is not connected to a/bigcouch-0`,
    ]);
    assert.deepEqual(what(memberFindings("main", kind, members, [view([a, b], [a, b, c])])), [
      `warning ring main: the database lists ${c} as a member, but the stack has no such node`,
    ]);
  });

  test("a node of a drained zone stays a member, and may be invisible", () => {
    const drained = members.map((member) => ({ ...member, drained: member.name === b }));
    assert.deepEqual(memberFindings("main", kind, drained, [view([a], [a, b])]), []);
    assert.equal(memberFindings("main", kind, drained, [view([a])]).length, 1);
  });

  /** A row of `_dbs/_all_docs?include_docs=true`, as CouchDB documents it. */
  const row = (name: string, ...ranges: string[][]) => ({
    id: name,
    doc: {
      _id: name,
      _rev: "1-e13fb7e79af3b3107ed62925058bfa3a",
      shard_suffix: [46, 49, 53, 51, 48, 50, 49, 56, 55, 57, 48],
      by_range: Object.fromEntries(ranges.map((nodes, index) => [`${index}0000000-${index}fffffff`, nodes])),
    },
  });

  test("has the configured copies, or a finding with the databases that have fewer", () => {
    const maps = (...rows: object[]) => readShardMaps(JSON.stringify({ total_rows: rows.length, offset: 0, rows }));
    const good = row("accounts", [a, b], [b, a]);
    assert.deepEqual(copyFindings("main", 2, [a, b], maps(good)), []);
    assert.deepEqual(
      what(copyFindings("main", 2, [a, b], maps(good, row("old", [a], [a, b]), row("lost", [c], [a])))),
      [
        "warning ring main: 1 database with shards of 1 instead of 2 copies: old",
        "error ring main: 1 database with shards of 0 instead of 2 copies: lost",
      ],
    );
    assert.deepEqual(copyFindings("main", 2, [a], maps({ doc: { _id: "_design/x" } })), []);
  });
});

describe("Kazoo's own list of nodes", () => {
  const [one, two] = [
    "kazoo_apps@kazoo-0.kazoo-nodes.a.svc.cluster.local",
    "kazoo_apps@kazoo-0.kazoo-nodes.b.svc.cluster.local",
  ] as const;
  const printed = (zone: string, other: string) => `Node          : ${two}
md5           : 3kPKJhmV5KkD2WOdNzSvzQ
Version       : 4.3.12 - 21
Memory Usage  : 91.33MB
Processes     : 1812
Ports         : 33
Zone          : ${other}
Broker        : amqp://rabbitmq-alpha.b.svc.cluster.local:5672
Globals       : local (3)
Node Info     : kz_amqp_pool: 150/0/0 (ready)
WhApps        : blackhole(2d3h1s)        callflow(2d3h1s)         conference(2d3h1s)

Node          : ${one}
Version       : 4.3.12 - 21
Zone          : ${zone} (local)
Broker        : amqp://rabbitmq-alpha.a.svc.cluster.local:5672
WhApps        : callflow(2d3h1s)

`;
  const expected = [
    { name: one, zone: "a" },
    { name: two, zone: "b" },
  ];

  test("is parsed with versions and zones", () => {
    assert.deepEqual(readKnownNodes(printed("a", "b")), [
      { node: two, version: "4.3.12 - 21", zone: "b" },
      { node: one, version: "4.3.12 - 21", zone: "a" },
    ]);
    assert.equal(kazooVersion("4.3.12 - 21"), "4.3.12");
    assert.deepEqual(readKnownNodes("status unknown until node is fully initialized, try again in a moment\n"), []);
  });

  test("has all nodes of the ring in their zones, or a finding for each missing one", () => {
    const view = (text: string) => ({ from: "a/kazoo-0", nodes: readKnownNodes(text) });
    assert.deepEqual(kazooFindings("main", expected, [view(printed("a", "b"))]), []);
    assert.deepEqual(what(kazooFindings("main", expected, [view(printed("local", "b"))])), [
      `error ring main: the Kazoo node ${one} is in zone local according to a/kazoo-0, but in a in the stack`,
    ]);
    const alone = printed("a", "b").replace(/^[\s\S]*?\n\n/, "");
    assert.deepEqual(what(kazooFindings("main", expected, [view(alone)])), [
      `warning ring main: the Kazoo node ${two} is not known to a/kazoo-0`,
    ]);
  });
});

describe("a certificate", () => {
  // Created for this test, key discarded: for api.example.com, valid until 2027-11-28.
  const certificate = `-----BEGIN CERTIFICATE-----
MIIBpTCCAUugAwIBAgIUdUgmsN4S/0K9PE3XbtijYUmWD7EwCgYIKoZIzj0EAwIw
GjEYMBYGA1UEAwwPYXBpLmV4YW1wbGUuY29tMB4XDTI2MTEyODIzNDEyM1oXDTI3
MTEyODIzNDEyM1owGjEYMBYGA1UEAwwPYXBpLmV4YW1wbGUuY29tMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEdG3stGiH/aYnuWPNAwMSs1n9D+2jWg9vlMBUoURr
dfhaWlbFPQ+8WFO+39Q4/DfQr35R6wZndD2Cq5dvCsrdTKNvMG0wHQYDVR0OBBYE
FKXNjaZl2IExP1EmUHNM2zcJwRgvMB8GA1UdIwQYMBaAFKXNjaZl2IExP1EmUHNM
2zcJwRgvMA8GA1UdEwEB/wQFMAMBAf8wGgYDVR0RBBMwEYIPYXBpLmV4YW1wbGUu
Y29tMAoGCCqGSM49BAMCA0gAMEUCIQCsFSq8mWKIAHJf/4O9hIT2e2QONjfGh0Ha
vgtpMwIbowIgb28fgEHzIMfGk3iGdB/YcFagTqMW9QFDrAQ7qTlV2h4=
-----END CERTIFICATE-----
`;
  const secret = { name: "kazoo-tls", hosts: ["api.example.com"], issued: false, certificate };
  const at = (day: string) => new Date(`${day}T00:00:00Z`);

  test("that is valid and for the host is healthy", () => {
    assert.deepEqual(certificateFindings("a", secret, at("2027-08-20")), []);
  });

  test("that is missing, broken, expired, expires soon or is for another host is found", () => {
    const found = (change: Partial<typeof secret>, day = "2027-08-20") =>
      what(certificateFindings("a", { ...secret, ...change } as typeof secret, at(day)));
    assert.deepEqual(found({ certificate: undefined } as never), [
      "error a: the Secret kazoo-tls with the Ingress's certificate is missing",
    ]);
    assert.deepEqual(found({ certificate: "x" }), ["error a: tls.crt in the Secret kazoo-tls is not a certificate"]);
    assert.deepEqual(found({}, "2027-11-17"), [
      "warning a: the certificate in the Secret kazoo-tls expires on 2027-11-28, in 11 days",
    ]);
    assert.deepEqual(found({}, "2027-11-30"), [
      "error a: the certificate in the Secret kazoo-tls expired on 2027-11-28",
    ]);
    assert.deepEqual(found({ hosts: ["api.example.com", "ws.example.com"] }), [
      "error a: the certificate in the Secret kazoo-tls is not for ws.example.com",
    ]);
  });
});

describe("what runs", () => {
  const kazoo = (zone: string, version: string): Running => ({ ring: "main", zone, program: "Kazoo", version });

  test("is one version in all zones of a ring", () => {
    assert.deepEqual(differingFindings([kazoo("a", "4.3.1"), kazoo("b", "4.3.1")]), []);
    assert.deepEqual(differingFindings([kazoo("a", "4.3.1"), { ...kazoo("b", "4.2.1"), ring: "other" }]), []);
    assert.deepEqual(what(differingFindings([kazoo("a", "4.3.1"), kazoo("b", "4.3.2"), kazoo("b", "4.3.2")])), [
      "warning ring main: Kazoo differs: 4.3.1 in a; 4.3.2 in b",
    ]);
  });

  test("is the version of the stack's file", () => {
    const ring = { kazoo: "4.3", rabbitmq: "3.13", database: requireDatabaseKind("couchdb-2.3.1") } as Ring;
    const rings = { main: ring };
    const database: Running = { ...kazoo("a", "2.3.1"), program: "the database" };
    assert.deepEqual(unconfiguredFindings([kazoo("a", "4.3.1"), database], rings), []);
    assert.deepEqual(unconfiguredFindings([kazoo("a", "5.0")], { main: { ...ring, kazoo: "master" } }), []);
    assert.deepEqual(
      what(
        unconfiguredFindings(
          [
            kazoo("a", "4.30.1"),
            { ...database, version: "3.3.3" },
            { ...kazoo("a", "3.12.14"), program: "RabbitMQ" },
            { ...kazoo("b", "3.12.14"), program: "RabbitMQ" },
          ],
          rings,
        ),
      ),
      [
        "warning ring main: Kazoo is 4.30.1 in a, but 4.3 in the stack's file",
        "warning ring main: the database is 3.3.3 in a, but 2.3.1 in the stack's file",
        "warning ring main: RabbitMQ is 3.12.14 in a, b, but 3.13 in the stack's file",
      ],
    );
  });
});

describe("from inside pods", () => {
  test("names that do not resolve and ports that do not answer are found once, with the pods that lack them", () => {
    const lookup = (from: string, found: boolean) => ({ from, host: "rabbitmq-alpha.b", found });
    assert.deepEqual(nameFindings([lookup("a/kazoo-0", true)]), []);
    assert.deepEqual(what(nameFindings([lookup("a/kazoo-0", false), lookup("a/kazoo-1", false)])), [
      "error a/kazoo-0, a/kazoo-1: the name rabbitmq-alpha.b does not resolve",
    ]);
    const attempt = (result: "open" | "closed" | "silent") => ({ from: "a/kazoo-0", host: "h", port: 5672, result });
    assert.deepEqual(portFindings([attempt("open")]), []);
    assert.deepEqual(what(portFindings([attempt("closed"), attempt("silent")])), [
      "error a/kazoo-0: h:5672 refuses the connection",
      "error a/kazoo-0: h:5672 does not answer",
    ]);
  });

  test("refused credentials are found; a missing answer is not reported as one", () => {
    const login = (code: string) => ({ from: "a/kazoo-0", to: "rabbitmq-alpha.a", secret: "of the brokers", code });
    assert.deepEqual(loginFindings(["200", "000", "503"].map(login)), []);
    assert.deepEqual(what(loginFindings([login("401")])), [
      "error a/kazoo-0: rabbitmq-alpha.a refuses the user and password of the Secret of the brokers",
    ]);
  });

  test("a clock that differs from the others is found, however long the requests took", () => {
    const clock = (from: string, ahead: number, delay = 0) => ({
      from,
      first: Math.floor(1000 + ahead),
      last: Math.floor(1003 + ahead),
      sent: 1000.4 - delay,
      received: 1003.4 + delay,
    });
    assert.deepEqual(clockFindings([]), []);
    assert.deepEqual(clockFindings([clock("a", 0), clock("b", 1), clock("c", -1), clock("d", 20, 30)]), []);
    assert.deepEqual(what(clockFindings([clock("a", 0), clock("b", 60), clock("c", -60), clock("d", 0)])), [
      "error c: its clock is at least 59 seconds behind the others",
      "error b: its clock is at least 59 seconds ahead of the others",
    ]);
  });

  test("volumes that are nearly full are found", () => {
    const printed = `Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/sdb          20511312 17000000   2453928      88% /var/lib/rabbitmq
`;
    assert.equal(percentUsed(printed), 88);
    assert.equal(percentUsed(""), undefined);
    const volume = (used: number) => ({ from: "a/bigcouch-0", workload: "database" as const, used });
    assert.deepEqual(what(volumeFindings([volume(79), volume(88), volume(97)])), [
      "warning a/bigcouch-0: its volume is 88 % full",
      "error a/bigcouch-0: its volume is 97 % full",
    ]);
    assert.match(volumeFindings([volume(88)])[0]?.fix ?? "", /make grow WORKLOAD=database ZONE=a /);
  });
});

describe("from the API server", () => {
  test("quotas that are used up, or nearly, are found, in any Kubernetes unit", () => {
    assert.deepEqual(["500m", "2", "1Gi", "1500M", "1e3"].map(amount), [0.5, 2, 2 ** 30, 1.5e9, 1000]);
    const hard = { pods: "10", "requests.cpu": "2", "requests.memory": "4Gi", "count/jobs.batch": "0" };
    const used = { pods: "10", "requests.cpu": "1900m", "requests.memory": "2Gi", "count/jobs.batch": "0" };
    assert.deepEqual(what(quotaFindings("a", [{ name: "team", hard, used }])), [
      "error a: the ResourceQuota team allows 10 of pods, of which 10 is used",
      "warning a: the ResourceQuota team allows 2 of requests.cpu, of which 1900m is used",
    ]);
  });

  test("claims without a volume, or that wait to grow, are found", () => {
    const pending = { type: "FileSystemResizePending", message: "Waiting for user to (re-)start a pod" };
    assert.deepEqual(
      what(
        claimFindings("a", [
          { name: "good", phase: "Bound", conditions: [] },
          { name: "none", phase: "Pending", conditions: [] },
          { name: "small", phase: "Bound", conditions: [pending] },
        ]),
      ),
      [
        "error a: the claim none has no volume: it is Pending",
        "warning a: the volume of small has not grown yet: Waiting for user to (re-)start a pod",
      ],
    );
  });

  test("Secrets without a key and missing Secrets of others are found; a missing Secret of the stack is reported with its missing objects", () => {
    const secret = (found: string[] | undefined, own: boolean) => ({
      name: "s",
      keys: ["username", "password"],
      found,
      own,
    });
    assert.deepEqual(secretFindings("a", [secret(["username", "password"], true), secret(undefined, true)]), []);
    assert.deepEqual(what(secretFindings("a", [secret(["username"], true), secret(undefined, false)])), [
      "error a: the Secret s has no password",
      "error a: the Secret s is missing",
    ]);
  });
});

const ready = { ready: 1, wanted: 1 };
const zone: ZoneHealth = {
  zone: "a",
  ring: "main",
  cluster: "east",
  kazoo: ready,
  brokers: ready,
  database: ready,
  nodes: { "kazoo-0": { state: "ready", image: "k:1" }, "bigcouch-0": { state: "ready", image: "c:2" } },
};

test("a healthy zone has no findings; another has one for each node, object and Job", () => {
  assert.deepEqual(healthFindings(zone), []);
  const sick: ZoneHealth = {
    ...zone,
    missing: ["Secret rabbitmq"],
    join: "failed",
    nodes: { "kazoo-0": { state: "starting", waitsFor: "its readiness check" }, "bigcouch-0": { state: "away" } },
  };
  assert.deepEqual(what(healthFindings(sick)), [
    "error a: missing in the cluster: Secret rabbitmq",
    "error a/kazoo-0: it is not ready: it waits for its readiness check",
    "error a/bigcouch-0: its pod does not exist",
    "error a: the Job for join has failed",
  ]);
  const drained = { ...sick, missing: [], join: "done" as const, kazoo: { ready: 0, wanted: 0 } };
  assert.deepEqual(what(healthFindings(drained)), ["error a/bigcouch-0: its pod does not exist"]);
});

test("status also finds images that differ between the zones of a ring", () => {
  const other: ZoneHealth = { ...zone, zone: "b", nodes: { "kazoo-0": { state: "ready", image: "k:2" } } };
  assert.deepEqual(stateFindings([zone, { ...other, ring: "second" }], "status"), []);
  assert.deepEqual(what(stateFindings([zone, other], "status")), [
    "warning ring main: Kazoo differs: k:1 in a; k:2 in b",
  ]);
});

describe("status", () => {
  const finding = (kind: "error" | "warning", what: string) => ({
    kind,
    where: "a/alpha",
    what,
    why: "because",
    fix: "mend it",
  });
  const examined = { stack: "dev", findings: [], unasked: [], simulated: false };
  const lines = (change: Partial<typeof examined> | object, of = zone) =>
    healthTable([of], new Date(), { ...examined, ...change })
      .split("\n")
      .slice(2, -1);

  test("adds nothing for a healthy stack", () => {
    assert.deepEqual(lines({}), []);
  });

  test("adds the findings, what could not be asked, and one next step: the fix, or make doctor if there are several", () => {
    assert.deepEqual(lines({ findings: [finding("warning", "it rusts")] }), [
      "a/alpha: it rusts",
      "next: a/alpha: mend it",
    ]);
    assert.deepEqual(
      lines({ findings: [finding("warning", "it rusts"), finding("error", "it is gone")] }).at(-1),
      ["next: make doctor STACK=dev explains why it matters and how to fix it"][0],
    );
    assert.deepEqual(lines({ simulated: true, unasked: ["a/kazoo-0: exit code 1"] }), [
      "the pods are simulated: brokers, databases and Kazoo were not queried",
      "not checked: a/kazoo-0: exit code 1",
    ]);
    assert.match(lines({}, { ...zone, kazoo: { ready: 0, wanted: 1 } }).at(-1) ?? "", /^next: make doctor STACK=dev /);
    // A cluster that does not answer has its own message.
    assert.deepEqual(
      lines({ unasked: ["a/kazoo-0: no answer"] }, { ...zone, problem: "no answer", next: "start it" }),
      ["a: no answer", "next: start it"],
    );
  });
});

test("the doctor prints what is wrong, why it matters and the fix", () => {
  const finding = { kind: "error" as const, where: "a", what: "it is gone", why: "it is needed", fix: "mend it" };
  assert.equal(
    examinationText("dev", { findings: [finding], unasked: [], simulated: false }),
    "error: a: it is gone\n  why: it is needed\n  fix: mend it\n\ndev: 1 of 1 findings are errors\n",
  );
  assert.equal(examinationText("dev", { findings: [], unasked: [], simulated: false }), "dev: nothing is wrong\n");
});

describe("questions", () => {
  const sh = promisify(execFile);
  /** Runs a script as a pod would, with the programs of a folder first in PATH. */
  async function inside(script: string, programs: Readonly<Record<string, string>>, env: NodeJS.ProcessEnv = {}) {
    const folder = mkdtempSync(join(tmpdir(), "kazoo-questions-"));
    try {
      for (const [name, text] of Object.entries(programs)) {
        writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
        chmodSync(join(folder, name), 0o755);
      }
      writeFileSync(join(folder, "script"), script);
      const { stdout } = await sh("sh", [join(folder, "script")], {
        env: { ...process.env, ...env, PATH: `${folder}:${process.env["PATH"]}` },
      });
      return readAnswers(stdout);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  test("each get an answer with an exit code, also if one fails, prints nothing, takes too long or reads its input", async () => {
    const script = scriptOf(
      { good: "echo 'one'; echo \"two\"", bad: "echo no; exit 7", none: "cat", slow: "exec sleep 60" },
      1,
    );
    const answers = await inside(script, {});
    assert.deepEqual(
      [...answers].map(([name, { code, text }]) => [name, code, text]),
      [
        ["good", 0, "one\ntwo\n"],
        ["bad", 7, "no\n"],
        ["none", 0, ""],
        ["slow", 124, ""],
      ],
    );
  });

  test("query database and broker with the pod's own credentials, which are on no command line", async (t) => {
    const password = 'a "b\\c'.replaceAll('"', "");
    const right = `Basic ${Buffer.from(`kazoo:${password}`).toString("base64")}`;
    const server = await jsonServer(({ url, headers }) => {
      if (url === "/") return { status: 200, body: { couchdb: "Welcome", version: "2.3.1" } };
      if (headers.authorization !== right) return { status: 401, body: { error: "unauthorized" } };
      if (url === "/_membership") return { status: 200, body: { all_nodes: ["x"], cluster_nodes: ["x"] } };
      if (url === "/api/overview?columns=rabbitmq_version")
        return { status: 200, body: { rabbitmq_version: "3.13.7" } };
      if (url === "/api/whoami") return { status: 200, body: { name: "kazoo" } };
      return { status: 200, body: { rows: [{ doc: { _id: url } }] } };
    });
    t.after(() => server.stop());
    const kind = requireDatabaseKind("couchdb-2.3.1");
    const host = "127.0.0.1";
    const peers = { brokers: [], database: [host], kazoo: [], ownBrokers: [host], databaseService: "no.such.invalid" };
    const questions = {
      ...brokerQuestions(),
      ...databaseQuestions([host]),
      ...copyQuestion(kind, `http://${host}:5984`),
      ...connectionQuestions(kind, peers),
    };
    const script = scriptOf(questions, 30).replace(/([:/])(5984|5986|15672)\b/g, `$1${server.port}`);
    assert.ok(!script.includes(password));
    const env = { COUCHDB_USER: "kazoo", COUCHDB_PASS: password, RABBITMQ_USER: "kazoo", RABBITMQ_PASS: "wrong" };
    const broker = { RABBITMQ_DEFAULT_USER: "kazoo", RABBITMQ_DEFAULT_PASS: password };
    // The curl double records its command line in a file next to it.
    const log = join(mkdtempSync(join(tmpdir(), "kazoo-log-")), "log");
    t.after(() => rmSync(join(log, ".."), { recursive: true }));
    const real = (await sh("sh", ["-c", "command -v curl"])).stdout.trim();
    const answers = await inside(script, { curl: `echo "$@" >>${log}; exec ${real} "$@"` }, { ...env, ...broker });
    const said = (name: string) => [answers.get(name)?.code, answers.get(name)?.text.trim()];
    assert.deepEqual(said(`welcome ${host}`), [0, '{"couchdb":"Welcome","version":"2.3.1"}']);
    assert.deepEqual(readMembers(answers.get(`members ${host}`)?.text ?? ""), {
      code: "200",
      membership: { all_nodes: ["x"], cluster_nodes: ["x"] },
    });
    assert.deepEqual(readMembers('{"error":"unauthorized"}\n401'), { code: "401" });
    assert.deepEqual(said(`login ${host}`), [0, "401"]);
    assert.deepEqual(readHttp(answers.get("overview")?.text ?? ""), { rabbitmq_version: "3.13.7" });
    assert.deepEqual(readShardMaps(answers.get("copies")?.text ?? ""), [
      { _id: "/_dbs/_all_docs?include_docs=true&limit=1000" },
    ]);
    assert.deepEqual(said("names")[1]?.toString().split("\n").sort(), [`${host} 0`, "no.such.invalid 2"]);
    assert.ok(said("ports")[1]?.toString().split("\n").includes(`${host}:${server.port} 0`));
    assert.ok(!readFileSync(log, "utf8").includes(password));
  });

  test("to a hanging pod end at their time limit", async (t) => {
    const limit = new AbortController();
    const pod = { metadata: { name: "kazoo-0", namespace: "a" } };
    const cluster = await clusterWith(t, { "/api/v1/namespaces/a/pods/kazoo-0": pod }, () => limit.abort());
    const place = { cluster, namespace: "a", pod: "kazoo-0", container: "kazoo" };
    await assert.rejects(
      askPod(place, { nodes: "true" }, 15, limit.signal),
      /^UserError: pod kazoo-0 did not answer in time$/,
    );
    // A question that starts after the overall limit does not wait either.
    await assert.rejects(askPod(place, { nodes: "true" }, 15, limit.signal), /did not answer in time/);
  });

  test("are not sent to a pod that has not started", async (t) => {
    const pod = { metadata: { name: "kazoo-1" }, status: { phase: "Pending" } };
    const cluster = await clusterWith(t, { "/api/v1/namespaces/a/pods/kazoo-1": pod }, () => assert.fail("asked"));
    const place = { cluster, namespace: "a", pod: "kazoo-1", container: "kazoo" };
    await assert.rejects(askPod(place, { nodes: "true" }, 15, new AbortController().signal), /has not started yet/);
  });

  test("go to a limited number of pods at a time, and the answers keep their order", async () => {
    let [now, most] = [0, 0];
    const results = await sideBySide(3, [1, 2, 3, 4, 5, 6, 7], async (one) => {
      most = Math.max(most, ++now);
      await new Promise(setImmediate);
      now--;
      return one * 2;
    });
    assert.deepEqual(results, [2, 4, 6, 8, 10, 12, 14]);
    assert.equal(most, 3);
  });
});

test("an upgrade that is not finished is a finding with the command that continues it", () => {
  const ring = { name: "main", kazoo: "4.3", rabbitmq: "4.0", database: requireDatabaseKind("couchdb-2.3.1") } as Ring;
  assert.deepEqual(upgradeFindings([ring]), []);
  const [finding] = upgradeFindings([{ ...ring, upgrading: "flags" }]);
  assert.equal(finding?.what, "an upgrade to rabbitmq 4.0 is not finished: upgrading is flags");
  assert.equal(finding?.fix, "make upgrade WHAT=rabbitmq RING=main TO=4.0 continues it");
});

describe("the answers of a zone's pods", () => {
  const hosts = { namespace: "a", kazoo: ["kazoo-0.k"], database: ["bigcouch-0.d"], brokers: ["rabbitmq-alpha.a"] };
  const nodes = nodesOf(hosts, { kind: "sandbox", name: "local" } as ExaminedZone["cluster"]);
  const ring = {
    name: "main",
    database: requireDatabaseKind("couchdb-3.4"),
    quorum: { n: 3 },
    kazoo: "4.3",
    rabbitmq: "3.13",
  } as unknown as Ring;
  const place = {
    selected: { name: "a", zone: { nodes: { kazoo: ["kazoo@kazoo-0.k"], database: ["couchdb@bigcouch-0.d"] } } },
    zone: { name: "a", ring: "main", drained: [] },
    ring,
    nodes,
  } as unknown as ExaminedZone;
  const http = (body: string) => `HTTP/1.1 200 OK\r\n\r\n${body}`;
  const healthy = {
    kazoo: {
      nodes: "Node         : kazoo@kazoo-0.k\nVersion      : 4.3.12 - 21\nZone         : a (local)\n",
      "welcome bigcouch-0.d": '{"couchdb":"Welcome","version":"3.4.2"}',
      "members bigcouch-0.d": '{"all_nodes":["couchdb@bigcouch-0.d"],"cluster_nodes":["couchdb@bigcouch-0.d"]}\n200',
      "login rabbitmq-alpha.a": "200",
      names: "rabbitmq-alpha.a 0\n",
      ports: "rabbitmq-alpha.a:5672 0\n",
    },
    rabbitmq: { nodes: http("[]"), queues: http("[]"), overview: http('{"rabbitmq_version":"3.13.7"}') },
  };
  function judge(kazoo: Readonly<Record<string, string>>, rabbitmq: Readonly<Record<string, string>> = {}) {
    const unread: string[] = [];
    const answers: Record<string, Readonly<Record<string, string>>> = {
      kazoo: { ...healthy.kazoo, ...kazoo },
      rabbitmq: { ...healthy.rabbitmq, ...rabbitmq },
    };
    const asked = nodes.flatMap((node) => {
      const own = answers[node.workload];
      if (own === undefined) return [];
      const texts = Object.entries(own).map(([name, text]) => [name, { code: 0, text }] as const);
      return [{ place, node, from: `a/${node.name}`, answers: new Map(texts), sent: 10, received: 11 }];
    });
    const facts = podFacts(asked, (line) => unread.push(line));
    return { found: what(podFindings({ main: ring }, [place], facts)), unread, running: facts.running };
  }

  test("become findings for their nodes, and nothing if all is well", () => {
    const { found, unread, running } = judge({});
    assert.deepEqual([found, unread], [[], []]);
    assert.deepEqual(
      running.map(({ program, version }) => `${program} ${version}`),
      ["RabbitMQ 3.13.7", "the database 3.4.2", "Kazoo 4.3.12"],
    );
    assert.deepEqual(judge({ "login rabbitmq-alpha.a": "401" }).found, [
      "error a/kazoo-0: rabbitmq-alpha.a refuses the user and password of the Secret of the brokers",
    ]);
    assert.deepEqual(judge({ ports: "rabbitmq-alpha.a:5672 124\n" }).found, [
      "error a/kazoo-0: rabbitmq-alpha.a:5672 does not answer",
    ]);
  });

  test("to an unknown name: its ports are not mentioned as well", () => {
    assert.deepEqual(judge({ names: "rabbitmq-alpha.a 2\n", ports: "rabbitmq-alpha.a:5672 1\n" }).found, [
      "error a/kazoo-0: the name rabbitmq-alpha.a does not resolve",
    ]);
  });

  test("that cannot be read, or say nothing, are named, and the others still count", () => {
    const refused = '{"error":"unauthorized"}\n401';
    const { found, unread } = judge({ nodes: "", "members bigcouch-0.d": refused }, { nodes: "HTTP/1.1 500 \r\n\r\n" });
    assert.deepEqual(unread, [
      "a/rabbitmq-alpha-0: nodes: HTTP status 500",
      "a/kazoo-0: nodes: Kazoo does not know its nodes yet",
      "a/bigcouch-0: members: HTTP status 401",
    ]);
    assert.deepEqual(found, [
      "error a/kazoo-0: bigcouch-0.d refuses the user and password of the Secret of the database",
    ]);
  });
});
