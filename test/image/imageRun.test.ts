import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it, type TestContext } from "node:test";
import { until } from "../support/until";
import { freePort } from "./support/commands";
import { couchdbImage } from "./support/couchdbImage";
import { acquireEngine, noEngine, type Engine } from "./support/engine";
import { kazooImage } from "./support/kazooImage";
import { serveKazooSources } from "./support/kazooSources";
import { rabbitmqImage } from "./support/rabbitmqImage";

/** The stand-in's report about itself on port 8000. */
interface Node {
  readonly node: string;
  readonly zone: string;
  readonly primary: string;
  readonly brokers: readonly { readonly zone: string; readonly broker: string; readonly connected: boolean }[];
  readonly database: { readonly host: string; readonly port: number; readonly connected: boolean };
  readonly nodes: readonly string[];
}

describe("running the Kazoo image", { timeout: 30 * 60_000 }, () => {
  let skip: string | false;
  let engine: Engine;
  let image: string;
  // Unique names, so that parallel runs do not collide.
  const id = randomBytes(3).toString("hex");
  const network = `kazoo-test-${id}`;
  const named = (name: string) => `${name}-${id}`;

  before(async () => {
    skip = await noEngine();
    if (skip !== false) return;
    engine = await acquireEngine();
    const sources = await serveKazooSources();
    try {
      image = await kazooImage(engine, sources);
    } finally {
      await sources.stop();
    }
    const [rabbitmq, couchdb] = [await rabbitmqImage(engine), await couchdbImage(engine)];
    await engine.docker(["network", "create", network]);
    for (const broker of ["rabbitmq-alpha", "rabbitmq-beta"]) {
      await start(broker, [`--hostname=${broker}`, "--env=RABBITMQ_NODENAME=rabbit@localhost", rabbitmq]);
    }
    await start("bigcouch.local", [couchdb]);
    await Promise.all(["rabbitmq-alpha", "rabbitmq-beta", "bigcouch.local"].map((name) => healthy(name)));
  });
  after(async () => {
    if (engine === undefined) return;
    const left = (await engine.docker(["ps", "-aq", "--filter", `label=kazoo-test=${id}`]))
      .split("\n")
      .filter((line) => line !== "");
    if (left.length > 0) await engine.docker(["rm", "-f", "-v", ...left]);
    await engine.tryDocker(["network", "rm", network]);
    await engine.release();
  });

  const check = (name: string, work: (t: TestContext) => Promise<void>): void => {
    it(name, (t) => (skip === false ? work(t) : t.skip(skip)));
  };

  /** `docker run -d` in the tests' network, under a name by which other containers can reach it. */
  async function start(name: string, args: readonly string[]): Promise<void> {
    await engine.docker([
      "run",
      "-d",
      "--name",
      named(name),
      "--label",
      `kazoo-test=${id}`,
      "--network",
      network,
      "--network-alias",
      name,
      ...args,
    ]);
  }
  const remove = (name: string) => engine.docker(["rm", "-f", "-v", named(name)]);
  const logs = async (name: string) => {
    const { stdout, stderr } = await engine.tryDocker(["logs", named(name)]);
    return stdout + stderr;
  };
  const inside = (name: string, ...command: string[]) => engine.docker(["exec", named(name), ...command]);

  async function healthy(name: string): Promise<void> {
    await until(`${name} to be healthy`, async () => {
      const state = await engine.docker([
        "inspect",
        "--format",
        "{{.State.Status}} {{.State.Health.Status}}",
        named(name),
      ]);
      if (state.startsWith("exited")) throw new Error(await logs(name));
      return state.trim() === "running healthy";
    });
  }

  const node = async (name: string): Promise<Node> =>
    JSON.parse(await inside(name, "curl", "-fsS", "http://127.0.0.1:8000/node")) as Node;

  const hardened = [
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp",
    "--tmpfs=/opt/kazoo/etc:uid=1000,gid=1000,mode=700",
    "--tmpfs=/opt/kazoo/log:uid=1000,gid=1000,mode=700",
  ];

  check("docker run as in the original README, with the insecure cookie, is healthy and connected", async () => {
    const port = await freePort();
    await start("kazoo", [
      "-h",
      "kazoo.local",
      ...[
        "BIGCOUCH_HOST=bigcouch.local",
        "RABBITMQ_AMQP_HOST=rabbitmq-alpha",
        "RABBITMQ_SECONDARY_AMQP_HOST=rabbitmq-beta",
      ].flatMap((v) => ["-e", v]),
      ...["KAZOO_LOG_LEVEL=debug", "ALLOW_INSECURE_COOKIE=true"].flatMap((v) => ["-e", v]),
      "-p",
      `127.0.0.1:${port}:8000`,
      image,
    ]);
    await healthy("kazoo");
    const state = await until("all connections", async () => {
      const answer = (await (await fetch(`http://127.0.0.1:${port}/node`)).json()) as Node;
      return answer.brokers.every(({ connected }) => connected) && answer.database.connected && answer;
    });
    assert.deepEqual(state, {
      node: "kazoo_apps@kazoo.local",
      zone: "local-dev",
      primary: "rabbitmq-alpha:5672",
      brokers: [
        { zone: "local-dev", broker: "rabbitmq-alpha:5672", connected: true },
        { zone: "local-dev", broker: "rabbitmq-beta:5672", connected: true },
      ],
      database: { host: "bigcouch.local", port: 5984, connected: true },
      nodes: [],
    });
  });

  check("it fails over to beta while alpha is down, and returns to alpha", async () => {
    await engine.docker(["stop", "--time", "5", named("rabbitmq-alpha")]);
    await until("beta to be in use", async () => (await node("kazoo")).primary === "rabbitmq-beta:5672");
    await engine.docker(["start", named("rabbitmq-alpha")]);
    await until("alpha to be in use again", async () => (await node("kazoo")).primary === "rabbitmq-alpha:5672");
  });

  check("sup calls the node and stores accounts in the database", async () => {
    const sup = (...args: string[]) => inside("kazoo", "sup", ...args);
    assert.match(
      await sup("kazoo_maintenance", "nodes"),
      /^Node +: kazoo_apps@kazoo\.local$[^]*^Zone +: local-dev$[^]*^Broker +: amqp:\/\/rabbitmq-alpha:5672$/m,
    );
    const create = [
      "crossbar_maintenance",
      "create_account",
      "Master É",
      "master.local",
      "admin",
      'a "quoted" $word',
    ] as const;
    assert.match(await sup(...create), /created new account[^]*\nok\n$/);
    assert.match(await sup(...create), /failed to create 'Master É'[^]*\nfailed\n$/);
    const [name, ...others] = ["Zweite É", "second.local", "admin", "ein Paßwort"];
    const fromEnvironment = ["env", `LAST=${others.pop()}`, "sup", "-e", "LAST", ...create.slice(0, 2)];
    assert.match(await inside("kazoo", ...fromEnvironment, name!, ...others), /created new account[^]*\nok\n$/);
    assert.match(
      await sup("crossbar_maintenance", "find_account_by_name", "Master É"),
      /Realm: master\.local\n[^]*System Admin: true/,
    );
    assert.match(
      await sup("crossbar_maintenance", "init_apps", "/var/www/html/monster-ui/apps", "http://kazoo.local:8000/v2"),
      /app voip saved to master account/,
    );
    await assert.rejects(sup("no_such_module", "no_function"), /Invalid command or wrong number of arguments/);
  });

  check(
    "it runs as an unprivileged user without capabilities, on a read-only root, and its rendered secrets are readable only by that user",
    async () => {
      await start("hardened", [
        ...hardened,
        "-h",
        "hardened.local",
        "-e",
        "ERLANG_COOKIE=a-secret-cookie",
        "-e",
        "BIGCOUCH_HOST=bigcouch.local",
        image,
      ]);
      await healthy("hardened");
      assert.equal((await inside("hardened", "id", "-u")).trim(), "1000");
      assert.match(await inside("hardened", "cat", "/proc/1/status"), /^CapEff:\s+0+$[^]*^NoNewPrivs:\s+1$/m);
      assert.match(await inside("hardened", "cat", "/proc/1/cmdline"), /^\/usr\/bin\/dumb-init/);
      assert.match(
        await inside("hardened", "stat", "-c", "%a %n", "/opt/kazoo/etc/.erlang.cookie", "/opt/kazoo/etc/config.ini"),
        /^400 .*\n600 /,
      );
      // The cookie is in no process list and no log.
      assert.doesNotMatch(await inside("hardened", "sh", "-c", "cat /proc/[0-9]*/cmdline"), /a-secret-cookie/);
      assert.doesNotMatch(await logs("hardened"), /a-secret-cookie/);
    },
  );

  check("SIGTERM stops the node in order, with exit code 0", async () => {
    // A killed node would have another exit code.
    await engine.docker(["stop", "--time", "300", named("hardened")]);
    assert.equal((await engine.docker(["inspect", "--format", "{{.State.ExitCode}}", named("hardened")])).trim(), "0");
    assert.match(
      await logs("hardened"),
      /Stopping kazoo_apps@hardened\.local in order[^]*kazoo_apps has stopped in order[^]*exit code 0/,
    );
    await remove("hardened");
  });

  check("the log has the settings that Kazoo logs at its start, but no secret", async () => {
    const secrets = {
      ERLANG_COOKIE: "a-cookie-with-'quotes'-and-\\backslashes",
      RABBITMQ_PASS: `pass/word:of@the%broker ${"long".repeat(30)}`,
      COUCHDB_PASS: `secret of the database ${"long".repeat(30)}`,
    };
    const environment = { RABBITMQ_USER: "kazoo", COUCHDB_USER: "couch", ...secrets };
    await start("talking", [
      ...hardened,
      "-h",
      "talking.local",
      ...Object.entries(environment).flatMap(([name, value]) => ["-e", `${name}=${value}`]),
      image,
    ]);
    await healthy("talking");
    await engine.docker(["stop", "--time", "30", named("talking")]);
    const log = await logs("talking");
    assert.match(log, /loaded settings : \[[^]*amqp:\/\/kazoo:\[masked\]@rabbitmq-alpha:5672[^]*"couch"/);
    assert.match(log, /\u001b\[1;37msetting kazoo_apps cookie to '\[masked\]'\u001b\[0m/);
    assert.match(log, /kazoo_apps has stopped in order\nStopped kazoo_apps@talking\.local \(exit code 0\)\n$/);
    const pieces = /longlong|pass%2Fword|a-cookie-with|secret of/;
    assert.doesNotMatch(log, pieces);
    await remove("talking");
  });

  check("started as root, it continues as its user", async () => {
    await start("root", ["-u", "root", "-h", "root.local", "-e", "ALLOW_INSECURE_COOKIE=true", image]);
    await healthy("root");
    assert.match(await inside("root", "sh", "-c", "cat /proc/$(pgrep -o beam)/status"), /^Uid:\s+1000\s/m);
    await remove("root");
  });

  check(
    "KUBERNETES_HOSTNAME_FIX sets the node's host to its address's name in the cluster's DNS, without root",
    async () => {
      await start("fixed", [
        ...hardened,
        "-h",
        "kazoo-5b7f9",
        "--dns-search",
        "us-east-nyc.svc.east.internal",
        "-e",
        "KUBERNETES_HOSTNAME_FIX=true",
        "-e",
        "ALLOW_INSECURE_COOKIE=true",
        image,
      ]);
      await healthy("fixed");
      const address = (
        await engine.docker([
          "inspect",
          "--format",
          "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
          named("fixed"),
        ])
      ).trim();
      const host = `${address.replaceAll(".", "-")}.us-east-nyc.pod.east.internal`;
      const { node: name, zone } = await node("fixed");
      assert.equal(name, `kazoo_apps@${host}`);
      assert.equal(zone, "local-dev", "Kazoo finds its section by that host");
      assert.equal((await inside("fixed", "hostname", "-f")).trim(), host);
      assert.match(await inside("fixed", "sup", "kazoo_maintenance", "nodes"), new RegExp(host.replaceAll(".", "\\.")));
      await remove("fixed");
    },
  );

  check("ERLANG_HOSTNAME other than the container's own name: Kazoo finds itself all the same", async () => {
    await start("renamed", [
      "-h",
      "something-else",
      "-e",
      "ERLANG_HOSTNAME=kazoo-0.kazoo-nodes.ns.svc.east.internal",
      "-e",
      "KAZOO_ZONE=here",
      "-e",
      "ALLOW_INSECURE_COOKIE=true",
      image,
    ]);
    await healthy("renamed");
    assert.equal((await node("renamed")).zone, "here");
    await remove("renamed");
  });

  check("an invalid environment stops it before Erlang starts, with exit code 64", async () => {
    const { code, stderr } = await engine.tryDocker([
      "run",
      "--rm",
      "-e",
      "KAZOO_LOG_LEVEL=loud",
      "-e",
      "ERLANG_THREADS=x",
      image,
    ]);
    assert.equal(code, 64);
    assert.match(stderr, /ERLANG_THREADS[^]*KAZOO_LOG_LEVEL[^]*ERLANG_COOKIE[^]*ERLANG_HOSTNAME/);
    assert.doesNotMatch(stderr, /Starting/);
  });
});
