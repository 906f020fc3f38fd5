import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import type { StoreFacts } from "../../components/ring";
import { type Engine, temporaryEngine } from "../support/engine";

const project = resolve(__dirname, "../..");

/** A program with only a ring and the guards of a zone's database nodes, from the config. */
const program = `
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { Ring } from "${project}/components/ring";
import { refuseLoss } from "${project}/components/guard";

const config = new pulumi.Config();
const { replicas, ...stores } = config.requireObject<any>("stores");
const provider = new random.Provider("random");
new Ring("ring-main", { stores }, { providers: [provider] });
refuseLoss(
  Array.from({ length: replicas - 1 }, (_, index) => "nyc-database-node-" + (index + 1)),
  { provider, protect: true },
);
`;

type Facts = StoreFacts & { readonly replicas: number };
const live: Facts = { database: "couchdb-2.3.1", copies: 4, rabbitmq: "3.13", replicas: 3 };

/** Changes of a live stack, with the guard that refuses each; undefined: it is allowed. */
type Changes = Record<string, [Partial<Facts>, refusal: string | undefined]>;

describe("changes of a live, protected stack", { concurrency: 1 }, () => {
  let engine: Engine;
  let folder: string;
  before(async () => {
    engine = await temporaryEngine();
    folder = mkdtempSync(join(tmpdir(), "kazoo-guards-"));
    symlinkSync(join(project, "node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, "Pulumi.yaml"), "name: guards\nruntime: nodejs\nmain: index.ts\n");
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: join(project, "tsconfig.json") }));
    writeFileSync(join(folder, "index.ts"), program);
    await pulumi("stack", "init", "live");
    await up(live);
  });
  after(() => {
    engine.dispose();
    rmSync(folder, { recursive: true, force: true });
  });
  const pulumi = async (...args: string[]) => {
    const { code, stdout, stderr } = await engine.run(folder, [...args]);
    assert.equal(code, 0, stdout + stderr);
  };
  const configure = (facts: Facts) =>
    writeFileSync(
      join(folder, "Pulumi.live.yaml"),
      `config: ${JSON.stringify({ "guards:stores": JSON.stringify(facts) })}`,
    );
  const up = async (facts: Facts) => {
    configure(facts);
    await pulumi("up", "--yes", "--stack", "live");
  };
  const check = async (from: Facts, changes: Changes) => {
    for (const [what, [change, refusal]] of Object.entries(changes)) {
      configure({ ...from, ...change });
      const { code, stdout, stderr } = await engine.run(folder, ["preview", "--stack", "live"]);
      const said = stdout + stderr;
      if (refusal === undefined) assert.equal(code, 0, `${what}: ${said}`);
      else {
        assert.notEqual(code, 0, what);
        assert.match(said, new RegExp(`::${refusal}" cannot be deleted\\s+because it is protected`), what);
      }
    }
  };

  test("harmless changes are allowed; a guard refuses each change that would lose data, and says why", () =>
    check(live, {
      "nothing changes": [{}, undefined],
      "a broker goes to the next series": [{ rabbitmq: "4.0" }, undefined],
      "a broker skips series that it may": [{ rabbitmq: "4.2" }, undefined],
      "a broker skips one that it may not": [{ rabbitmq: "4.3" }, "ring-main-rabbitmq-series-3.13"],
      "a broker goes back": [{ rabbitmq: "3.12" }, "ring-main-rabbitmq-series-3.13"],
      "the database goes to a newer format": [{ database: "couchdb-3.5.0", copies: 3 }, undefined],
      "a node more": [{ replicas: 4 }, undefined],
      "a node fewer": [{ replicas: 2 }, "nyc-database-node-2"],
      "more copies": [{ copies: 5 }, undefined],
      "fewer copies than databases have": [{ copies: 3 }, "ring-main-database-copies-4"],
    }));

  test("an upgrade cannot be undone", async () => {
    const upgraded = { ...live, database: "couchdb-3.3.3", copies: 3, rabbitmq: "4.2" };
    await up(upgraded);
    await check(upgraded, {
      "nothing changes": [{}, undefined],
      "another release of the format": [{ database: "couchdb-3.2.0" }, undefined],
      "an older format": [{ database: "couchdb-2.3.1", copies: 4 }, "ring-main-database-format-couchdb-3"],
      "an older broker": [{ rabbitmq: "3.13" }, "ring-main-rabbitmq-series-4.2"],
    });
  });
});
