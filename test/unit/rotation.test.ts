import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { type Rotation, rotationSteps, numbersOf } from "../../config/credentials";
import { rules } from "../../policy/rules";
import { withRotation, withoutCredential } from "../../tools/cli/stackFile/stackEdit";
import { opened } from "../support/digests";
import { deployWithMocks, objects, platformFrom } from "../support/mocks";
import { fits } from "../support/rabbitmq";
import { resourcesOf } from "../support/policyResources";

type Tree = Record<string, unknown>;

const stack = (rotation?: Rotation, credentials?: Tree): Tree => ({
  image: { prebuilt: `registry.example.com/kazoo@sha256:${"a".repeat(64)}` },
  clusters: { east: { context: "prod-east" } },
  rings: { main: rotation === undefined ? {} : { rotations: { rabbitmq: rotation } } },
  regions: { "us-east": { cluster: "east", datacenters: { nyc: { ring: "main" }, bos: { ring: "main" } } } },
  ...(credentials === undefined ? {} : { credentials: { main: credentials } }),
});
const secrets = ["credentials"];

/** What each state deploys: the Secrets and StatefulSets in `us-east-nyc`, and the passwords and guards with their protection. */
async function deployed(rotation?: Rotation, credentials?: Tree) {
  const { resources, asked } = await deployWithMocks(platformFrom(stack(rotation, credentials), ...secrets));
  const inZone = (kind: string) =>
    Object.fromEntries(
      Object.entries(objects(resources, kind)).map(([name, object]) => [name.replace("us-east-nyc/", ""), object]),
    );
  const data = (name: string) => opened(inZone("Secret")[name]?.stringData) as Record<string, string> | undefined;
  const sets = inZone("StatefulSet");
  return {
    login: data("rabbitmq"),
    definitions: JSON.parse(data("rabbitmq-users")?.["definitions.json"] ?? "null") as Definitions | null,
    kazoo: sets.kazoo,
    brokers: [sets["rabbitmq-alpha"], sets["rabbitmq-beta"]],
    brokerFiles: resources.filter(({ name }) => /rabbitmq-(alpha|beta)-config$/.test(name)),
    others: resources.filter(({ name }) => !/rabbitmq|-kazoo-nodes$/.test(name)),
    kept: Object.fromEntries(
      asked
        .filter(({ name }) => /^ring-main-(rabbitmq-password|given-rabbitmq)/.test(name))
        .map(({ name, protect }) => [name, protect]),
    ),
  };
}

interface Definitions {
  readonly users: readonly { name: string; password_hash: string; hashing_algorithm: string }[];
  readonly permissions: readonly { user: string; vhost: string; configure: string }[];
}

const first = "random-of-ring-main-rabbitmq-password";

describe("a rotation of the brokers' user", () => {
  test("add: brokers load both users at each start, Kazoo does not change", async () => {
    const [before, add] = [await deployed(), await deployed({ number: 2, step: "add" })];
    const { users = [], permissions = [] } = add.definitions ?? assert.fail("there are no definitions");
    const passwords = { kazoo: first, "kazoo-2": `${first}-2` };
    assert.deepEqual(
      users.map(({ name }) => name),
      Object.keys(passwords),
    );
    for (const { name, password_hash, hashing_algorithm } of users) {
      assert.equal(hashing_algorithm, "rabbit_password_hashing_sha256");
      assert.ok(fits(password_hash, passwords[name as keyof typeof passwords]), name);
    }
    for (const { vhost, configure } of permissions) assert.deepEqual([vhost, configure], ["/", ".*"]);
    assert.equal(permissions.length, 2);
    for (const { inputs } of add.brokerFiles)
      assert.match(JSON.stringify(inputs), /load_definitions = \/etc\/rabbitmq\/definitions\/definitions\.json/);
    for (const broker of add.brokers) assert.match(JSON.stringify(broker), /"secretName":"rabbitmq-users"/);
    assert.deepEqual(add.login, { username: "kazoo", password: first });
    assert.deepEqual([add.kazoo, add.login, add.others], [before.kazoo, before.login, before.others]);
    assert.deepEqual(add.kept, { "ring-main-rabbitmq-password": true, "ring-main-rabbitmq-password-2": true });
  });

  test("move: Kazoo restarts with the second user, brokers do not change, and the first password loses its protection", async () => {
    const [add, move] = [await deployed({ number: 2, step: "add" }), await deployed({ number: 2, step: "move" })];
    assert.deepEqual(move.login, { username: "kazoo-2", password: `${first}-2` });
    assert.match(
      JSON.stringify(move.kazoo),
      /"template":\{"metadata":\{"annotations":\{"kazoo\/broker-user":"kazoo-2"/,
    );
    assert.deepEqual([move.brokers, move.brokerFiles, move.others], [add.brokers, add.brokerFiles, add.others]);
    assert.deepEqual(move.definitions, add.definitions);
    assert.deepEqual(move.kept, {
      "ring-main-rabbitmq-password-2": true,
      "ring-main-rabbitmq-password-replaced": false,
    });
  });

  test("remove: brokers are as before the rotation, Kazoo does not change, and nothing of the first user is left; the same when done", async () => {
    const [before, move] = [await deployed(), await deployed({ number: 2, step: "move" })];
    const remove = await deployed({ number: 2, step: "remove" });
    assert.equal(remove.definitions, null);
    assert.deepEqual([remove.brokers, remove.brokerFiles], [before.brokers, before.brokerFiles]);
    assert.deepEqual([remove.kazoo, remove.login, remove.others], [move.kazoo, move.login, move.others]);
    assert.deepEqual(remove.kept, { "ring-main-rabbitmq-password-2": true });
    assert.deepEqual(await deployed({ number: 2 }), remove);
  });

  test("a configured password belongs to the first user, and may change or be removed once Kazoo no longer uses it", async () => {
    const given = { rabbitmq: "a-password-that-is-given" };
    const guard = "ring-main-given-rabbitmq";
    assert.deepEqual((await deployed(undefined, given)).kept, { [guard]: true });
    const add = await deployed({ number: 2, step: "add" }, given);
    assert.deepEqual(add.login, { username: "kazoo", password: given.rabbitmq });
    assert.deepEqual(add.kept, { [guard]: true, "ring-main-rabbitmq-password-2": true });
    const [kazoo] = add.definitions?.users ?? [];
    assert.ok(fits(kazoo?.password_hash ?? "", given.rabbitmq));
    const move = await deployed({ number: 2, step: "move" }, given);
    assert.deepEqual(move.kept, { [guard]: false, "ring-main-rabbitmq-password-2": true });
    const remove = await deployed({ number: 2, step: "remove" }, given);
    assert.deepEqual(remove.kept, { "ring-main-rabbitmq-password-2": true });
  });

  test("skipping a step would delete a protected password, so it is refused", async () => {
    for (const [from, to] of [
      [undefined, { number: 2 }],
      [
        { number: 2, step: "add" },
        { number: 2, step: "remove" },
      ],
      [{ number: 2 }, { number: 3 }],
      [{ number: 2 }, undefined],
    ] satisfies [Rotation | undefined, Rotation | undefined][]) {
      const [before, after] = [(await deployed(from)).kept, (await deployed(to)).kept];
      const lost = Object.keys(before).filter((name) => before[name] === true && after[name] === undefined);
      assert.notDeepEqual(lost, [], JSON.stringify([from, to]));
    }
  });

  test("the next rotation starts where the previous one ended", () => {
    assert.deepEqual(numbersOf({ number: 2 }), [2]);
    assert.deepEqual(numbersOf({ number: 3, step: "add" }), [2, 3]);
    assert.deepEqual(numbersOf({ number: 3, step: "move" }), [3, 2]);
    assert.deepEqual(numbersOf({ number: 3, step: "remove" }), [3]);
  });

  test("no step breaks a mandatory rule", async () => {
    for (const step of [...rotationSteps.rabbitmq, undefined]) {
      const rotation = { number: 2, ...(step === undefined ? {} : { step }) };
      const cookie = { ...rotation, ...(step === "add" ? { step: "move" } : {}) };
      const rotations = {
        rabbitmq: rotation,
        database: rotation,
        cookie,
        databaseCookie: cookie,
        masterAccount: cookie,
      };
      const masterAccount = { name: "example", realm: "sip.example.com", user: "admin" };
      const resources = await resourcesOf(platformFrom({ ...stack(), rings: { main: { masterAccount, rotations } } }));
      for (const rule of rules.filter(({ level }) => level === "mandatory")) {
        const found =
          "resource" in rule
            ? resources.flatMap((each) => rule.resource(each, { throwAway: false }))
            : rule.stack(resources, { throwAway: false });
        assert.deepEqual(found, [], `${step} ${rule.name}`);
      }
    }
  });
});

describe("a rotation of the database's administrator", () => {
  const rotated = async (rotation?: Rotation) => {
    const rotations = rotation === undefined ? {} : { rotations: { database: rotation } };
    const { resources, asked } = await deployWithMocks(platformFrom({ ...stack(), rings: { main: rotations } }));
    const zone = "us-east-nyc/";
    const [secrets, sets] = [objects(resources, "Secret"), objects(resources, "StatefulSet")];
    const data = (name: string) => opened(secrets[zone + name]?.stringData) as Record<string, string>;
    return {
      login: data("bigcouch"),
      ini: data("bigcouch-ring")["ring.ini"] ?? "",
      database: JSON.stringify(sets[`${zone}bigcouch`]),
      kazoo: JSON.stringify(sets[`${zone}kazoo`]),
      others: resources.filter(({ name }) => !/-bigcouch|-kazoo-nodes$|database-password/.test(name)),
      kept: Object.fromEntries(
        asked
          .filter(({ name }) => name.startsWith("ring-main-database-password"))
          .map((all) => [all.name, all.protect]),
      ),
    };
  };
  const administrators = (ini: string) => [...ini.matchAll(/^\[admins\]\n(\S+) = -pbkdf2-/gm)].map(([, name]) => name);
  const password = "ring-main-database-password";

  test("add: nodes restart with both, Kazoo does not change", async () => {
    const [before, add] = [await rotated(), await rotated({ number: 2, step: "add" })];
    assert.deepEqual(administrators(before.ini), ["kazoo"]);
    assert.deepEqual(administrators(add.ini), ["kazoo", "kazoo-2"]);
    assert.ok(add.ini.startsWith(before.ini));
    assert.match(add.database, /"annotations":\{"kazoo\/administrators":"kazoo,kazoo-2"\}/);
    assert.deepEqual([add.login, add.kazoo, add.others], [before.login, before.kazoo, before.others]);
    assert.deepEqual(add.kept, { [password]: true, [`${password}-2`]: true });
  });

  test("move: Kazoo restarts with the second one, nodes do not change", async () => {
    const [add, move] = [await rotated({ number: 2, step: "add" }), await rotated({ number: 2, step: "move" })];
    assert.deepEqual(move.login, { ...add.login, username: "kazoo-2", password: `random-of-${password}-2` });
    assert.match(move.kazoo, /"annotations":\{"kazoo\/database-user":"kazoo-2"\}/);
    assert.deepEqual([move.ini, move.database, move.others], [add.ini, add.database, add.others]);
    assert.deepEqual(move.kept, { [`${password}-2`]: true, [`${password}-replaced`]: false });
  });

  test("remove: nodes restart with only the second one; the same when done", async () => {
    const [move, remove] = [await rotated({ number: 2, step: "move" }), await rotated({ number: 2, step: "remove" })];
    assert.deepEqual(administrators(remove.ini), ["kazoo-2"]);
    assert.match(remove.database, /"annotations":\{"kazoo\/administrators":"kazoo-2"\}/);
    assert.deepEqual([remove.login, remove.kazoo, remove.others], [move.login, move.kazoo, move.others]);
    assert.deepEqual(remove.kept, { [`${password}-2`]: true });
    assert.deepEqual(await rotated({ number: 2 }), remove);
  });
});

describe("a rotation of cookies", () => {
  const rotated = async (rotation?: Rotation, credentials?: Tree) => {
    const rotations = rotation === undefined ? {} : { rotations: { cookie: rotation, databaseCookie: rotation } };
    const config = { ...stack(undefined, credentials), rings: { main: rotations } };
    const { resources, asked } = await deployWithMocks(platformFrom(config, ...secrets));
    const data = (name: string) =>
      opened(objects(resources, "Secret")[`us-east-nyc/${name}`]?.stringData) as Record<string, string>;
    const sets = objects(resources, "StatefulSet");
    return {
      cookies: [data("erlang-cookie").cookie, data("bigcouch").cookie],
      sets: [JSON.stringify(sets["us-east-nyc/kazoo"]), JSON.stringify(sets["us-east-nyc/bigcouch"])],
      others: resources.filter(({ name }) => !/cookie|-bigcouch|-kazoo-nodes$/.test(name)),
      kept: Object.fromEntries(
        asked
          .filter(({ type, name }) => /^ring-main-.*cookie/.test(name) && /:Random(Password|Id)$/.test(type))
          .map(({ name, protect }) => [name, protect]),
      ),
    };
  };
  const cookies = ["ring-main-erlang-cookie", "ring-main-database-cookie"];

  test("move: Kazoo and the database restart with new ones, and the first ones lose their protection", async () => {
    const [before, move] = [await rotated(), await rotated({ number: 2, step: "move" })];
    assert.deepEqual(before.cookies, [`random-of-${cookies[0]}-value`, `random-of-${cookies[1]}`]);
    assert.deepEqual(move.cookies, [`random-of-${cookies[0]}-2-value`, `random-of-${cookies[1]}-2`]);
    for (const set of move.sets) assert.match(set, /"annotations":\{"kazoo\/cookie":"2"\}/);
    assert.deepEqual(move.others, before.others);
    assert.deepEqual(move.kept, {
      [`${cookies[0]}-2-value`]: true,
      [`${cookies[0]}-replaced-value`]: false,
      [`${cookies[1]}-2`]: true,
      [`${cookies[1]}-replaced`]: false,
    });
    const remove = await rotated({ number: 2, step: "remove" });
    assert.deepEqual(remove.kept, { [`${cookies[0]}-2-value`]: true, [`${cookies[1]}-2`]: true });
    assert.deepEqual([remove.cookies, remove.sets, remove.others], [move.cookies, move.sets, move.others]);
    assert.deepEqual(await rotated({ number: 2 }), remove);
  });

  test("a configured cookie is the first one", async () => {
    const given = { cookie: "a-cookie-of-a-live-system" };
    assert.equal((await rotated(undefined, given)).cookies[0], given.cookie);
    const move = await rotated({ number: 2, step: "move" }, given);
    assert.equal(move.cookies[0], `random-of-${cookies[0]}-2-value`);
    assert.equal(move.kept["ring-main-given-cookie"], false);
    assert.equal((await rotated({ number: 2, step: "remove" }, given)).kept["ring-main-given-cookie"], undefined);
  });
});

describe("a rotation of the master account's password", () => {
  const account = { name: "example", realm: "sip.example.com", user: "admin" };
  const rotated = async (rotation?: Rotation, credentials?: Tree) => {
    const ring = {
      masterAccount: account,
      ...(rotation === undefined ? {} : { rotations: { masterAccount: rotation } }),
    };
    const config = { ...stack(undefined, credentials), rings: { main: ring } };
    const { resources, asked, returned } = await deployWithMocks(platformFrom(config, ...secrets));
    const { password, previousPassword } = returned.masterAccounts.main ?? assert.fail();
    const shown = (value: typeof previousPassword) =>
      value && new Promise((resolve) => value.apply((text) => resolve(text)));
    return {
      shown: [await shown(password), await shown(previousPassword)],
      secret: opened(objects(resources, "Secret")["us-east-bos/kazoo-master-account"]?.stringData),
      job: objects(resources, "Job")["us-east-bos/kazoo-bootstrap"],
      others: resources.filter(({ name }) => !/master-?account|-bootstrap-account$/i.test(name)),
      kept: Object.fromEntries(
        asked
          .filter(({ name }) => /^ring-main-(master-account|given-masterAccount)/.test(name))
          .map(({ name, protect }) => [name, protect]),
      ),
    };
  };
  const password = "ring-main-master-account-password";

  test("move: the outputs show both passwords, and nothing but the Secret changes: the Job does not run again", async () => {
    const [before, move] = [await rotated(), await rotated({ number: 2, step: "move" })];
    assert.deepEqual(before.shown, [`random-of-${password}`, undefined]);
    assert.deepEqual(move.shown, [`random-of-${password}-2`, `random-of-${password}`]);
    assert.deepEqual(move.secret, { password: `random-of-${password}-2` });
    assert.ok(move.job !== undefined);
    assert.deepEqual([move.job, move.others], [before.job, before.others]);
    assert.deepEqual(move.kept, { [`${password}-2`]: true, [`${password}-replaced`]: false });
  });

  test("remove: the stack forgets the old one; the same when done", async () => {
    const [move, remove] = [await rotated({ number: 2, step: "move" }), await rotated({ number: 2, step: "remove" })];
    assert.deepEqual(remove.shown, [`random-of-${password}-2`, undefined]);
    assert.deepEqual([remove.secret, remove.job, remove.others], [move.secret, move.job, move.others]);
    assert.deepEqual(remove.kept, { [`${password}-2`]: true });
    assert.deepEqual(await rotated({ number: 2 }), remove);
  });

  test("a configured password is the first one; it stays in the outputs until the last step", async () => {
    const given = { masterAccount: "given-password" };
    assert.deepEqual((await rotated(undefined, given)).shown, [given.masterAccount, undefined]);
    const move = await rotated({ number: 2, step: "move" }, given);
    assert.deepEqual(move.shown, [`random-of-${password}-2`, given.masterAccount]);
    assert.deepEqual(move.kept, { "ring-main-given-masterAccount": false, [`${password}-2`]: true });
    const remove = await rotated({ number: 2, step: "remove" }, given);
    assert.deepEqual(remove.kept, { [`${password}-2`]: true });
  });
});

describe("the stack's file", () => {
  const file = `config:
  kazoo:rings:
    main:
      kazoo: "4.3" # our ring
  kazoo:credentials:
    main: { rabbitmq: { secure: v1:abc }, cookie: { secure: v1:def } }
    other: { rabbitmq: { secure: v1:ghi } }
`;

  test("gets a ring's rotation and keeps its comments, also for a ring that it does not describe", () => {
    const text = withRotation(file, "main", "rabbitmq", { number: 2, step: "add" });
    assert.match(
      text,
      /main:\n {6}kazoo: "4\.3" # our ring\n {6}rotations:\n {8}rabbitmq: \{ number: 2, step: add \}\n/,
    );
    const ringOf = (text: string, ring: string) =>
      (parse(text) as { config: Record<string, Tree> }).config["kazoo:rings"]?.[ring];
    const rotated = { rotations: { rabbitmq: { number: 2 } } };
    assert.deepEqual(
      ringOf(withRotation("config: {}\n", "us-east-nyc", "rabbitmq", { number: 2 }), "us-east-nyc"),
      rotated,
    );
    const empty = "config:\n  kazoo:rings:\n    main:\n";
    assert.deepEqual(ringOf(withRotation(empty, "main", "rabbitmq", { number: 2 }), "main"), rotated);
  });

  test("loses a configured password that nobody uses any more, and no other", () => {
    const text = withoutCredential(file, "main", "rabbitmq");
    assert.match(text, /main: \{ cookie: \{ secure: v1:def \} \}\n {4}other: \{ rabbitmq: \{ secure: v1:ghi \} \}/);
    assert.match(withoutCredential(file, "other", "rabbitmq"), /cookie: \{ secure: v1:def \} \}\n$/);
    assert.equal(withoutCredential("config: {}\n", "main", "rabbitmq"), "config: {}\n");
  });
});
