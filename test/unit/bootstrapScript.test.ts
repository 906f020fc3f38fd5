import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bootstrapEnvironment } from "../../components/bootstrapJob";
import { bootstrapScript } from "../../components/bootstrapScript";
import type { MasterAccount } from "../../config/platform";
import { type Answers, runScript } from "../support/script";

const database = "http://db.nyc:5984";
const password = "s3cret.pass";
const up: Answers = {
  [`GET ${database}/`]: 200,
  [`PUT ${database}/_users`]: 201,
  [`PUT ${database}/_replicator`]: 201,
  [`PUT ${database}/_global_changes`]: 202,
  [`GET ${database}/_all_dbs`]: [200, "[]"],
};
const fresh: Answers = { ...up, [`GET ${database}/accounts`]: 404 };
const master: Answers = {
  ...up,
  [`GET ${database}/accounts`]: 200,
  [`GET ${database}/accounts/_all_docs`]: [
    200,
    '{"total_rows":2,"offset":0,"rows":[{"id":"4b1f8e","key":"4b1f8e","value":{"rev":"1-a"}},{"id":"_design/accounts","key":"_design/accounts","value":{"rev":"1-b"}}]}',
  ],
};

/** A `sup` that answers like a running Kazoo node; the caller provides the functions' answers. */
const sup = (functions: Readonly<Record<string, string>>) => `
[ $# -gt 0 ] || { echo 'usage: sup [-e VARIABLE] MODULE FUNCTION' >&2; exit 1; }
[ "$1" != -e ] || { last=$(printenv "$2"); shift 2; set -- "$@" "$last"; }
${oldSup(functions)}`;

/** The same for an older image, whose `sup` cannot take an argument from the environment. */
const oldSup = (functions: Readonly<Record<string, string>>) => `
case "$2" in
  node) echo kazoo_apps@kazoo-0.nyc ;;
${Object.entries(functions)
  .map(([name, code]) => `  ${name}) ${code} ;;`)
  .join("\n")}
  *) echo "Invalid command" >&2; exit 1 ;;
esac`;
const created = `echo "created new account '4b1f8e' in db 'account/4b/1f/8e'"; echo "created new account admin user '9a'"; echo ok`;

const facts: MasterAccount = { name: "example", realm: "sip.example.com", user: "admin" };

function bootstrap(options: {
  readonly version?: string;
  readonly account?: MasterAccount;
  readonly answers: Answers;
  readonly sup?: string;
}) {
  const { account, answers } = options;
  const environment = bootstrapEnvironment({
    databaseVersion: options.version ?? "couchdb-2.3.1",
    databaseUrl: "http://db.nyc:5984",
    ...(account === undefined ? {} : { account, node: { vm: "kazoo_apps", host: "kazoo-0.nyc" } }),
  });
  const run = runScript({
    script: bootstrapScript,
    environment: {
      ...environment,
      ...(account === undefined ? {} : { KAZOO_ENTRYPOINT: "entrypoint" }),
      DATABASE_USER: "kazoo",
      DATABASE_PASSWORD: "database-password",
      ACCOUNT_PASSWORD: password,
    },
    answers,
    ...(options.sup === undefined ? {} : { sup: options.sup }),
  });
  assert.doesNotMatch(run.stdout + run.stderr, /s3cret|database-password/, "a secret is written to the log");
  return run;
}

describe("system databases", () => {
  test("are created if missing, on CouchDB 2 and 3; no account is created unless the config names one", () => {
    for (const version of ["couchdb-2.3.1", "couchdb-3.3.3"]) {
      const run = bootstrap({ version, answers: up });
      assert.equal(run.code, 0, run.stderr);
      const made = run.requests.filter((request) => request.startsWith("PUT"));
      assert.deepEqual(
        made,
        ["_users", "_replicator", "_global_changes"].map((name) => `PUT ${database}/${name}`),
      );
      assert.deepEqual(run.sup, []);
    }
  });

  test("that exist are not touched", () => {
    const answers = Object.fromEntries(
      Object.entries(up).map(([request, answer]) => [request, request.startsWith("PUT") ? 412 : answer]),
    );
    const run = bootstrap({ answers });
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /_users: is there/);
  });

  test("are not created on BigCouch", () => {
    const run = bootstrap({
      version: "bigcouch-0.4.2",
      account: facts,
      answers: fresh,
      sup: sup({ create_account: created }),
    });
    assert.equal(run.code, 0, run.stderr);
    assert.ok(!run.requests.some((request) => request.startsWith("PUT")));
  });

  test("a refused request is reported with its status", () => {
    const run = bootstrap({ answers: { ...up, [`PUT ${database}/_replicator`]: 401 } });
    assert.equal(run.code, 1);
    assert.equal(run.stderr, "bootstrap failed: making database _replicator ended with HTTP status 401\n");
  });

  test("a database that is down is named after a wait", () => {
    const run = bootstrap({ account: facts, answers: {} });
    assert.equal(run.code, 1);
    assert.equal(run.stderr, `bootstrap failed: no answer from the database at ${database}\n`);
    assert.equal(run.requests.length, 36);
    assert.deepEqual(run.sup, []);
  });
});

describe("the master account", () => {
  test("is created on a ring without accounts", () => {
    const run = bootstrap({ account: facts, answers: fresh, sup: sup({ create_account: created }) });
    assert.equal(run.code, 0, run.stderr);
    assert.equal(
      run.sup.at(-1),
      "-e ACCOUNT_PASSWORD crossbar_maintenance create_account example sip.example.com admin",
    );
    assert.match(run.stdout, /^master account example: made$/m);
  });

  test("is created by an older image, too", () => {
    const run = bootstrap({ account: facts, answers: fresh, sup: oldSup({ create_account: created }) });
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.sup.at(-1), `crossbar_maintenance create_account example sip.example.com admin ${password}`);
  });

  test("with its apps and prompts", (context) => {
    const prompts = mkdtempSync(join(tmpdir(), "kazoo-prompts-"));
    context.after(() => rmSync(prompts, { recursive: true, force: true }));
    for (const file of ["hello.wav", "bye.mp3", "README"]) writeFileSync(join(prompts, file), "");
    const account = {
      ...facts,
      monsterUi: { path: "/apps", url: "https://kazoo.example.com/v2" },
      prompts: { path: prompts, language: "en-us" },
    };
    const maintenance = sup({
      create_account: created,
      init_apps: `echo "trying to init app from /apps/voip"; echo " saved app voip as doc 12"; echo "  failed to find icon in 12"; echo ok`,
      import_prompts: `echo "importing went successfully"; echo ok`,
    });
    const run = bootstrap({ account, answers: { ...fresh, [`GET ${database}/system_media`]: 404 }, sup: maintenance });
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(run.sup.slice(-2), [
      "crossbar_maintenance init_apps /apps https://kazoo.example.com/v2",
      `kazoo_media_maintenance import_prompts ${prompts} en-us`,
    ]);

    const again = bootstrap({
      account,
      answers: {
        ...master,
        [`GET ${database}/system_media`]: 200,
        [`GET ${database}/system_media/_all_docs`]: [200, '{"rows":[{"id":"en-us/hello"},{"id":"en-us/bye"}]}'],
      },
      sup: `${sup({
        find_account_by_name: `echo "Account ID: 4b1f8e (account)"; echo "  System Admin: true"`,
        init_apps: `echo " app voip already loaded in system"; echo ok`,
      })}`,
    });
    assert.equal(again.code, 0, again.stderr);
    assert.ok(!again.sup.some((call) => /create_account|import_prompts/.test(call)), again.sup.join("\n"));
  });

  test("that exists is not touched", () => {
    const maintenance = sup({
      find_account_by_name: `echo "Account ID: 4b1f8e (account)"; echo "  System Admin: true"`,
    });
    const run = bootstrap({ account: facts, answers: master, sup: maintenance });
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^master account example: is there$/m);
  });

  test("on a ring with other accounts, nothing is changed, apps included", () => {
    const account = { ...facts, monsterUi: { path: "/apps", url: "https://kazoo.example.com/v2" } };
    const maintenance = sup({
      find_account_by_name: `echo "failed to find account: not_found"; echo "{error,not_found}"`,
    });
    const run = bootstrap({ account, answers: master, sup: maintenance });
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.sup.at(-1), "crossbar_maintenance find_account_by_name example");
    assert.match(run.stdout, /left alone/);
  });

  test("an account with its name that is not the master account is an error", () => {
    const maintenance = sup({
      find_account_by_name: `echo "Account ID: 4b1f8e (account)"; echo "  System Admin: false"`,
    });
    const run = bootstrap({ account: facts, answers: master, sup: maintenance });
    assert.equal(run.code, 1);
    assert.match(run.stderr, /account example is there, but is no master account/);
  });

  test("the Job fails with sup's error text, even though sup exits with 0, and the password in it is masked", () => {
    const maintenance = sup({
      create_account: `echo "failed to create 'example': {\\"password\\":\\"$6\\"}"; echo failed`,
    });
    const run = bootstrap({ account: facts, answers: fresh, sup: maintenance });
    assert.equal(run.code, 1);
    assert.equal(
      run.stderr,
      `bootstrap failed: sup create_account: failed to create 'example': {"password":"[secret]"}\nfailed\n`,
    );
  });

  test("a Kazoo node that does not answer is named after a wait", () => {
    const run = bootstrap({ account: facts, answers: fresh, sup: "echo 'No answer' >&2; exit 1" });
    assert.equal(run.code, 1);
    assert.equal(run.stderr, "bootstrap failed: no answer from Kazoo at kazoo-0.nyc\n");
  });

  test("a ring whose accounts cannot be read does not count as empty", () => {
    const run = bootstrap({
      account: facts,
      answers: { ...up, [`GET ${database}/accounts`]: 500 },
      sup: sup({ create_account: created }),
    });
    assert.equal(run.code, 1);
    assert.ok(!run.sup.some((call) => call.includes("create_account")));
    assert.equal(run.stderr, "bootstrap failed: reading database accounts ended with HTTP status 500\n");
  });
});

test("steps can run alone, inside a Kazoo container", () => {
  const run = runScript({
    script: bootstrapScript,
    environment: {
      STEPS: "apps",
      DATABASE_URL: database,
      DATABASE_USER: "kazoo",
      DATABASE_PASSWORD: "database-password",
      APPS_PATH: "/apps",
      APPS_URL: "https://kazoo.example.com/v2",
    },
    answers: master,
    sup: sup({ init_apps: `echo " app voip already loaded in system"; echo ok` }),
  });
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(run.sup, ["crossbar_maintenance init_apps /apps https://kazoo.example.com/v2"]);
});

describe("apps and prompts", () => {
  let prompts: string;
  before(() => (prompts = mkdtempSync(join(tmpdir(), "kazoo-prompts-"))));
  after(() => rmSync(prompts, { recursive: true, force: true }));

  const failures: Record<string, [Partial<MasterAccount>, Record<string, string>, RegExp]> = {
    "a folder without apps": [
      { monsterUi: { path: "/apps", url: "https://a" } },
      { init_apps: "echo ok" },
      /no app in \/apps on the Kazoo node$/m,
    ],
    "an app that cannot be saved": [
      { monsterUi: { path: "/apps", url: "https://a" } },
      { init_apps: `echo " saved app voip as doc 1"; echo " failed to save app fax to db: timeout"; echo ok` },
      /failed to save app fax to db: timeout$/m,
    ],
  };
  for (const [what, [more, functions, expected]] of Object.entries(failures)) {
    test(`${what} fails the Job`, () => {
      const run = bootstrap({
        account: { ...facts, ...more },
        answers: fresh,
        sup: sup({ create_account: created, ...functions }),
      });
      assert.equal(run.code, 1);
      assert.match(run.stderr, expected);
    });
  }

  test("a folder without recordings fails the Job", () => {
    const account = { ...facts, prompts: { path: prompts, language: "en-us" } };
    const run = bootstrap({ account, answers: fresh, sup: sup({ create_account: created }) });
    assert.equal(run.code, 1);
    assert.match(run.stderr, /no recordings \(\*\.wav, \*\.mp3\) in /);
  });

  test("recordings that cannot be imported fail the Job", () => {
    writeFileSync(join(prompts, "hello.wav"), "");
    const account = { ...facts, prompts: { path: prompts, language: "en-us" } };
    const run = bootstrap({
      account,
      answers: { ...fresh, [`GET ${database}/system_media`]: 404 },
      sup: sup({
        create_account: created,
        import_prompts: `echo "errors encountered during import:"; echo "  'hello.wav': {error,enoent}"; echo ok`,
      }),
    });
    assert.equal(run.code, 1);
    assert.match(run.stderr, /errors encountered during import/);
  });
});
