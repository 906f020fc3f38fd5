import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { parse } from "yaml";
import { kazoo } from "../../tools/cli/commandLine";
import { until } from "../support/until";

const project = join(__dirname, "../..");
const comment = createRequire(__filename)("../../.github/comment.js") as (given: object) => Promise<void>;

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly if?: string;
  readonly id?: string;
  readonly with?: Record<string, unknown>;
  readonly env?: Record<string, string>;
}

interface Job {
  readonly uses?: string;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly strategy?: {
    readonly "max-parallel"?: string;
    readonly "fail-fast"?: boolean | string;
    readonly matrix: Readonly<Record<string, string>>;
  };
  readonly permissions?: Record<string, string>;
  readonly environment?: string;
  readonly needs?: string | readonly string[];
  readonly if?: string;
  readonly outputs?: Record<string, string>;
  readonly concurrency?: { readonly group: string; readonly "cancel-in-progress"?: boolean };
  readonly steps?: readonly Step[];
}

interface Workflow {
  readonly on: Record<string, unknown>;
  readonly permissions?: unknown;
  readonly jobs: Record<string, Job>;
}

const folder = join(project, ".github", "workflows");
const files = readdirSync(folder);
const workflows = new Map(files.map((file) => [file, parse(readFileSync(join(folder, file), "utf8")) as Workflow]));
const workflow = (name: string): Workflow => workflows.get(name) ?? assert.fail(`there is no workflow ${name}`);
const jobs = [...workflows].flatMap(([file, { jobs }]) =>
  Object.entries(jobs).map(([name, job]) => ({ file, name: `${file}: ${name}`, job })),
);
const actionFile = (name: string) => join(project, ".github", "actions", name, "action.yml");
const actions = readdirSync(join(project, ".github", "actions"));
const action = (name: string): readonly Step[] =>
  (parse(readFileSync(actionFile(name), "utf8")) as { runs: { steps: Step[] } }).runs.steps;
const steps = [...jobs.flatMap(({ job }) => job.steps ?? []), ...actions.flatMap(action)];
const sources = [...files.map((file) => join(folder, file)), ...actions.map(actionFile)];

describe("the workflows", () => {
  test("use actions that are pinned by commit, with the version beside it", () => {
    const lines = sources
      .flatMap((path) => readFileSync(path, "utf8").split("\n"))
      .filter((line) => /\buses:/.test(line));
    assert.ok(lines.length > 10);
    for (const line of lines) {
      assert.match(line, /uses: (\.\/\.github\/\S+|[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/);
    }
    const versions = new Map<string, Set<string>>();
    for (const line of lines) {
      const [, name = "", pin = ""] = /uses: ([\w-]+\/[\w-]+)@(.*)$/.exec(line) ?? [];
      versions.set(name, new Set([...(versions.get(name) ?? []), pin]));
    }
    assert.deepEqual(
      [...versions].filter(([, pins]) => pins.size > 1),
      [],
      "one version of each",
    );
  });

  test("have only the rights that a job requests, and only one job may write: it comments", () => {
    for (const [file, { permissions }] of workflows) assert.deepEqual(permissions, {}, file);
    for (const { name, job } of jobs) {
      const rights = Object.entries(job.permissions ?? assert.fail(`${name} does not say what it may`));
      const writes = rights.filter(([, right]) => right !== "read");
      assert.deepEqual(writes, name === "comment.yml: comment" ? [["pull-requests", "write"]] : [], name);
    }
  });

  test("give secrets only to jobs with an environment, and the repository's token to no job that runs untrusted code", () => {
    for (const { name, job } of jobs) {
      const text = JSON.stringify(job);
      // A job without an environment passes the names of secrets on to jobs that have one, and no values: the repository has none.
      const passed = Object.entries(job.secrets ?? {});
      for (const [secret, value] of passed) assert.equal(value, `\${{ secrets.${secret} }}`);
      if (/secrets\./.test(JSON.stringify({ ...job, secrets: {} }))) assert.notEqual(job.environment, undefined, name);
      assert.doesNotMatch(text, /secrets: *inherit/, name);
      if (name !== "comment.yml: comment") assert.doesNotMatch(text, /github\.token|GITHUB_TOKEN/, name);
    }
    for (const name of actions) {
      // It sends GitHub one request with it, and runs nothing from the repository.
      if (name === "newest") assert.deepEqual(action(name)[0]?.env, { GH_TOKEN: "${{ github.token }}" });
      else assert.doesNotMatch(JSON.stringify(action(name)), /github\.token|GITHUB_TOKEN/, name);
    }
    for (const step of steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"))) {
      assert.equal(step.with?.["persist-credentials"], false);
    }
  });

  test("never run a fork's code with rights or secrets", () => {
    for (const [file, { on }] of workflows) assert.equal("pull_request_target" in on, false, file);
    const [job] = Object.values(workflow("comment.yml").jobs);
    for (const { run, uses, with: given } of job?.steps ?? []) {
      assert.equal(run, undefined);
      if (uses?.startsWith("actions/checkout@")) assert.equal(given?.ref, undefined, "the default branch");
    }
    // Text from a pull request inside a script or command would be run as code.
    for (const text of steps.flatMap(({ run, with: given }) => [run ?? "", String(given?.script ?? "")])) {
      assert.doesNotMatch(text, /\$\{\{/);
    }
  });

  test("deploy each stack one run at a time, never cancelled, behind the stack's own environment", () => {
    const { up: call } = workflow("deploy.yml").jobs;
    assert.deepEqual(call?.concurrency, { group: "up-${{ matrix.stack }}", "cancel-in-progress": false });
    assert.equal(call.strategy?.["fail-fast"], false);
    assert.equal(call.uses, "./.github/workflows/deploy-stack.yml");
    assert.deepEqual(workflow("deploy.yml").on, { push: { branches: ["main"] } });
    const { up, region } = workflow("deploy-stack.yml").jobs;
    assert.equal(up?.environment, "${{ inputs.stack }}");
    assert.equal(region?.environment, "${{ matrix.stack }}");
  });

  test("pass on the name of every secret that the jobs of a called workflow use", () => {
    const { on, jobs: called } = workflow("deploy-stack.yml");
    const used = [...JSON.stringify(called).matchAll(/secrets\.([A-Z_]+)/g)].map(([, name]) => name);
    const { secrets } = on.workflow_call as { secrets: object };
    assert.deepEqual([...new Set(used)].sort(), Object.keys(secrets).sort());
    assert.deepEqual(Object.keys(workflow("deploy.yml").jobs.up?.secrets ?? {}), Object.keys(secrets));
  });

  test("deploy regions after what they share: one at a time where a live ring needs it, and then none after a failure", () => {
    const { region } = workflow("deploy-stack.yml").jobs;
    assert.equal(region?.needs, "up");
    const order = "fromJSON(needs.up.outputs.order)";
    assert.deepEqual(region.strategy, {
      "max-parallel": `\${{ ${order}.atOnce }}`,
      "fail-fast": `\${{ ${order}.atOnce == 1 }}`,
      matrix: { stack: `\${{ ${order}.regions }}` },
    });
  });

  test("preview and compare each region in a job of its own, with the secrets of the whole stack", () => {
    for (const job of [workflow("pull-request.yml").jobs.preview, workflow("drift.yml").jobs.drift]) {
      assert.equal(job?.needs, "stacks");
      assert.deepEqual(job.strategy?.matrix, { include: "${{ fromJSON(needs.stacks.outputs.list).parts }}" });
      assert.equal(job.environment, "preview-${{ matrix.whole }}");
    }
  });

  test("make one report of the previews of a stack's regions, without secrets", () => {
    const { report } = workflow("pull-request.yml").jobs;
    assert.deepEqual(report?.needs, ["stacks", "preview"]);
    assert.match(report.if ?? "", /!cancelled\(\)/, "also if a preview failed");
    assert.deepEqual(report.strategy?.matrix, { stack: "${{ fromJSON(needs.stacks.outputs.list).split }}" });
    assert.equal(report.environment, undefined);
    const { preview } = workflow("pull-request.yml").jobs;
    const { env } = preview?.steps?.find(({ id }) => id === "preview") ?? {};
    assert.equal(env?.KIND, "${{ matrix.split && 'part' || 'report' }}");
    const download = report.steps?.find(({ uses }) => uses?.startsWith("actions/download-artifact@"));
    assert.deepEqual(download?.with, { pattern: "part-*", path: "parts" });
  });

  test("let only the newest commit queue for a stack, and never deploy over a newer one", () => {
    const { newest, up } = workflow("deploy.yml").jobs;
    assert.equal(newest?.needs, "checks");
    assert.equal(newest.concurrency, undefined);
    assert.equal(newest.outputs?.newest, "${{ steps.look.outputs.newest }}");
    assert.equal(up?.needs, "newest");
    assert.equal(up.if, "vars.STACKS != '' && needs.newest.outputs.newest == 'true'");
    assert.match(newest.steps?.[0]?.uses ?? "", /^actions\/checkout@/);
    const [look, ...rest] = action("up");
    for (const step of [newest.steps?.[1], look])
      assert.deepEqual(step, { id: "look", uses: "./.github/actions/newest" });
    for (const step of rest) assert.equal(step.if, "steps.look.outputs.newest == 'true'");
  });

  test("name artifacts as their steps do, without slashes", () => {
    for (const [file, id] of [
      ["pull-request.yml", "preview"],
      ["pull-request.yml", "report"],
      ["drift.yml", "drift"],
    ] as const) {
      const own = workflow(file).jobs[id]?.steps ?? [];
      const upload = own.find(({ uses }) => uses?.startsWith("actions/upload-artifact@"));
      assert.equal(upload?.with?.name, `\${{ steps.${id}.outputs.name }}`);
      assert.equal(own.filter((step) => step.id === id).length, 1);
    }
  });

  test("cache the toolchain without the compiler's cache, by listing the folder's entries instead of the folder", () => {
    const cache = action("setup").find(({ uses }) => uses?.startsWith("actions/cache@"));
    assert.equal(cache?.with?.path, "~/.cache/kazoo/toolchain/*\n!~/.cache/kazoo/toolchain/go-build\n");
  });

  test("run existing commands", async () => {
    const commands = steps
      .flatMap(({ run }) => (run ?? "").split("\n"))
      .map((line) => line.trim().replace(/^\w+=\$\((.*)\)$/, "$1"));
    const called = (start: RegExp) => commands.filter((line) => start.test(line));
    for (const line of called(/^make /)) {
      const targets = line.split(" ").slice(1);
      await promisify(execFile)("make", ["--dry-run", ...targets], { cwd: project });
    }
    const { scripts } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    for (const line of called(/^npm run /)) assert.ok((line.split(" ")[2] ?? "") in scripts, line);
    const mine = called(/^npx kazoo /);
    assert.equal(mine.length, 6);
    for (const line of mine) {
      const [, , name, ...rest] = (line.split(" ||")[0] ?? "").split(" ");
      const command = kazoo().commands.find((candidate) => candidate.name() === name) ?? assert.fail(line);
      for (const option of rest.filter((word) => word.startsWith("--"))) {
        assert.ok(
          command.options.some(({ long }) => long === option),
          `${line}: ${option}`,
        );
      }
    }
    for (const line of called(/\bbash /)) assert.match(line, /bash \.ci\/run$/);
  });
});

/** A script as the runner runs it, with some programs replaced. */
interface Made {
  /** Shell code by program name. */
  readonly programs: Record<string, string>;
  readonly env?: Record<string, string>;
}

/** Runs a step's script in its own folder, which is also its home, and returns the files that it created. */
async function runStep({ run = "" }: Step, { programs, env = {} }: Made) {
  const directory = mkdtempSync(join(tmpdir(), "kazoo-step-"));
  try {
    mkdirSync(join(directory, "bin"));
    for (const [name, code] of Object.entries(programs)) {
      writeFileSync(join(directory, "bin", name), `#!/bin/sh\n${code}\n`, { mode: 0o755 });
    }
    const files = Object.fromEntries(
      ["GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_ENV"].map((name) => [name, join(directory, name)]),
    );
    const own = { PATH: `${directory}/bin:${process.env.PATH}`, HOME: directory, RUNNER_TEMP: directory, ...files };
    const given = ["--noprofile", "--norc", "-eo", "pipefail", "-c", run];
    const ended = await promisify(execFile)("bash", given, { cwd: directory, env: { ...own, ...env } }).then(
      () => 0,
      (error: { code: number }) => error.code,
    );
    const read = (name: string) =>
      existsSync(join(directory, name)) ? readFileSync(join(directory, name), "utf8").replaceAll(directory, "~") : "";
    const mode = (name: string) => statSync(join(directory, name)).mode & 0o777;
    return {
      ended,
      calls: read("calls").trim(),
      summary: read("GITHUB_STEP_SUMMARY"),
      output: read("GITHUB_OUTPUT"),
      environment: read("GITHUB_ENV"),
      kubeconfig: read("kubeconfig"),
      mode: existsSync(join(directory, "kubeconfig")) ? mode("kubeconfig") : undefined,
      made: readdirSync(directory).sort(),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe("a workflow's step", () => {
  const named = (list: readonly Step[], name: string) =>
    list.find((candidate) => candidate.name === name) ?? assert.fail(name);
  const step = (file: string, name: string) =>
    named(
      Object.values(workflow(file).jobs).flatMap((job) => job.steps ?? []),
      name,
    );
  /** A `kazoo` that exits with a code, and writes a report unless the code is 70. */
  const kazooEnds = (code: number, stack = "some stack", kind = "report"): Made => ({
    programs: {
      npx: `echo "$@" > calls\n[ ${code} = 70 ] || { mkdir -p report; echo '## Report' > report/report.md; }\nexit ${code}`,
    },
    env: { STACK: stack, KIND: kind },
  });

  test("that previews passes with changes, which a reviewer judges, and fails on errors", async () => {
    for (const [code, expected] of [
      [0, 0],
      [2, 0],
      [3, 0],
      [1, 1],
    ] as const) {
      for (const [name, how] of [
        ["Preview", "--alone"],
        ["Report", "--parts parts"],
      ] as const) {
        const { ended, summary, calls } = await runStep(step("pull-request.yml", name), kazooEnds(code));
        assert.equal(ended, expected, `kazoo ended with ${code}`);
        assert.equal(summary, "## Report\n");
        assert.equal(calls, `kazoo preview-report --stack some stack ${how} --out report`);
      }
    }
    assert.notEqual((await runStep(step("pull-request.yml", "Preview"), kazooEnds(70))).ended, 0, "no report");
  });

  test("that looks for drift fails if it finds any, so that someone is notified", async () => {
    for (const code of [0, 1, 2, 3]) {
      const { ended, summary } = await runStep(step("drift.yml", "Drift"), kazooEnds(code));
      assert.equal(ended, code);
      assert.equal(summary, "## Report\n");
    }
  });

  test("that uploads an artifact names it without the stack's organization", async () => {
    for (const [file, name, kind] of [
      ["pull-request.yml", "Preview", "report"],
      ["pull-request.yml", "Preview", "part"],
      ["pull-request.yml", "Report", "report"],
      ["drift.yml", "Drift", "drift"],
    ] as const) {
      const one = await runStep(step(file, name), kazooEnds(0, "acme/production", kind));
      assert.equal(one.output, `name=${kind}-production\n`);
      assert.match(one.calls, /--stack acme\/production /);
      assert.equal(
        (await runStep(step(file, name), kazooEnds(0, "production", kind))).output,
        `name=${kind}-production\n`,
      );
    }
  });

  test("that deploys a stack asks nothing, and exits with kazoo's code", async () => {
    for (const code of [0, 1, 255]) {
      const { ended, calls } = await runStep(named(action("up"), "Up"), kazooEnds(code, "acme/production"));
      assert.equal(ended, code);
      assert.equal(calls, "kazoo up --stack acme/production --alone --yes");
    }
  });

  test("that lists stacks, or a stack's regions in their order, hands on what kazoo prints, and fails with it", async () => {
    const list = named(action("stacks"), "List");
    const order = step("deploy-stack.yml", "Order");
    const said = (code: number, env: Record<string, string>): Made => ({
      programs: { npx: `echo "$@" > calls; echo '{"some":["json"]}'; exit ${code}` },
      env,
    });
    const listed = await runStep(list, said(0, { NAMES: '["staging", "acme/prod"]' }));
    assert.deepEqual([listed.ended, listed.output], [0, 'list={"some":["json"]}\n']);
    assert.equal(listed.calls, "kazoo stacks staging acme/prod");
    const ordered = await runStep(order, said(0, { STACK: "acme/prod" }));
    assert.deepEqual([ordered.ended, ordered.output], [0, 'order={"some":["json"]}\n']);
    assert.equal(ordered.calls, "kazoo stacks --order acme/prod");
    for (const failed of [
      await runStep(list, said(1, { NAMES: '["a"]' })),
      await runStep(order, said(1, { STACK: "a" })),
    ])
      assert.deepEqual([failed.ended, failed.output], [1, ""]);
  });

  test("that looks for the newest commit says so, or why nothing is deployed, and fails if it cannot find out", async () => {
    const [mine, other] = ["a".repeat(40), "b".repeat(40)];
    const look = (gh: string) =>
      runStep(named(action("newest"), "Look"), {
        programs: { gh: `echo "$@" > calls\n${gh}` },
        env: { GITHUB_SHA: mine, GITHUB_REF_NAME: "main", GITHUB_REPOSITORY: "us/kazoo" },
      });
    const newest = await look(`echo ${mine}`);
    assert.deepEqual([newest.ended, newest.output, newest.summary], [0, "newest=true\n", ""]);
    assert.equal(newest.calls, "api repos/us/kazoo/commits/main --jq .sha");
    const older = await look(`echo ${other}`);
    assert.deepEqual([older.ended, older.output], [0, ""]);
    assert.match(older.summary, /^Not deployed: a{7} is no longer the newest commit on main; b{7} is\.\n$/);
    const failed = await look("echo '{}'; exit 1");
    assert.notEqual(failed.ended, 0);
    assert.equal(failed.output, "");
  });

  test("that writes the kubeconfig writes it unchanged, readable by its owner only, and touches no other", async () => {
    const content = "apiVersion: v1\nusers: [{ name: 'a %s \\n $HOME `id`' }]\n";
    const made = await runStep(named(action("setup"), "Kubeconfig"), { programs: {}, env: { CONTENT: content } });
    assert.deepEqual([made.ended, made.kubeconfig, made.mode], [0, content, 0o600]);
    assert.equal(made.environment, "KUBECONFIG=~/kubeconfig\n");
    assert.deepEqual(made.made, ["GITHUB_ENV", "bin", "kubeconfig"]);
  });

  test("that returns the caches to the runner works with and without caches", async () => {
    const given = step("checks.yml", "Return the caches to the runner");
    assert.equal(given.if, "always()");
    const { ended, calls, made } = await runStep(given, {
      programs: { sudo: 'echo "$@" > calls', id: 'case "$1" in -u) echo 1001 ;; -g) echo 118 ;; esac' },
    });
    assert.equal(ended, 0);
    assert.equal(calls, "chown -R 1001:118 ~/.cache/kazoo ~/.npm");
    assert.deepEqual(made, [".cache", ".npm", "bin", "calls"]);
  });
});

describe("the gate", () => {
  /** Starts the script with its own home, as root on a machine without any package, with a stand-in for `apt-get`. */
  async function gate(aptGet: string, signal?: NodeJS.Signals) {
    const directory = mkdtempSync(join(tmpdir(), "kazoo-gate-"));
    const policy = join(directory, "policy-rc.d");
    try {
      mkdirSync(join(directory, ".ci"));
      const script = readFileSync(join(project, ".ci", "run"), "utf8");
      writeFileSync(join(directory, ".ci", "run"), script.replaceAll("/usr/sbin/policy-rc.d", policy));
      mkdirSync(join(directory, "bin"));
      const programs = {
        id: "echo 0",
        "dpkg-query": "exit 1",
        sleep: "exit 0",
        "apt-get": `cat ${policy} >> seen 2>&1; ls -l ${policy} >> seen; ${aptGet}`,
        npm: `[ -e ${policy} ] && echo there > late; exit 9`,
      };
      for (const [name, code] of Object.entries(programs)) {
        writeFileSync(join(directory, "bin", name), `#!/bin/sh\n${code}\n`, { mode: 0o755 });
      }
      const env = { PATH: `${directory}/bin:${process.env.PATH}` };
      const child = spawn("bash", [join(directory, ".ci", "run")], { env, detached: true, stdio: "ignore" });
      const ended = new Promise<number | NodeJS.Signals | null>((done) =>
        child.on("close", (code, by) => done(code ?? by)),
      );
      if (signal !== undefined) {
        await until("apt-get", () => existsSync(join(directory, "waits")));
        process.kill(-(child.pid ?? assert.fail()), signal);
      }
      const result = await ended;
      // A signal ends the outer shell first.
      await until("the policy to go", () => !existsSync(policy));
      const seen = readFileSync(join(directory, "seen"), "utf8");
      return { result, seen, left: existsSync(policy), late: existsSync(join(directory, "late")) };
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  test("prevents services from starting during the installation only, however it ends", async () => {
    for (const [aptGet, signal, result] of [
      ["exit 0", undefined, 9],
      ["exit 100", undefined, 1],
      ["touch waits; exec tail -f /dev/null", "SIGINT", "SIGINT"],
      ["touch waits; exec tail -f /dev/null", "SIGTERM", "SIGTERM"],
    ] as const) {
      const run = await gate(aptGet, signal);
      assert.equal(run.result, result, aptGet);
      assert.match(run.seen, /^#!\/bin\/sh\nexit 101\n-rwxr-xr-x/);
      assert.deepEqual([run.left, run.late], [false, false], `${aptGet} ${signal ?? ""}`);
    }
  });
});

describe("the comments", () => {
  const sha = "a".repeat(40);
  const url = "https://github.com/us/kazoo/actions/runs/1";
  const report = (stack: string, text = "new") => `<!-- kazoo preview of ${stack} -->\n## ${text}\n`;
  /** The comment with a report, which names its commit. */
  const told = (stack: string, text = "new", of = sha) =>
    `<!-- kazoo preview of ${stack} -->\nFor commit [\`${of.slice(0, 7)}\`](${url}):\n\n## ${text}\n`;

  interface Existing {
    readonly id: number;
    readonly user: { readonly login: string };
    readonly body: string;
  }

  /** Runs the script with reports, against a GitHub double that records its calls. */
  async function run(
    reports: Record<string, string>,
    comments: readonly Existing[] = [],
    pulls = [{ number: 7, head: { sha } }],
    prepare: (directory: string) => void = () => undefined,
  ) {
    const directory = mkdtempSync(join(tmpdir(), "kazoo-reports-"));
    const calls: unknown[] = [];
    const note = (what: string) => (given: unknown) => {
      calls.push([what, given]);
      return Promise.resolve({ data: pulls });
    };
    const github = {
      rest: {
        pulls: { list: note("list pulls") },
        issues: { listComments: "comments", createComment: note("create"), updateComment: note("update") },
      },
      paginate: () => Promise.resolve(comments),
    };
    const context = {
      repo: { owner: "us", repo: "kazoo" },
      payload: {
        workflow_run: {
          head_sha: sha,
          head_branch: "topic",
          head_repository: { owner: { login: "them" } },
          html_url: url,
        },
      },
    };
    const said: string[] = [];
    const core = { info: (text: string) => said.push(text), warning: (text: string) => said.push(text) };
    try {
      for (const [name, text] of Object.entries(reports)) {
        mkdirSync(join(directory, name), { recursive: true });
        writeFileSync(join(directory, name, "report.md"), text);
      }
      prepare(directory);
      await comment({ github, context, core, folder: directory });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
    assert.deepEqual(calls[0], ["list pulls", { owner: "us", repo: "kazoo", state: "open", head: "them:topic" }]);
    return { calls: calls.slice(1), said };
  }

  const target = { owner: "us", repo: "kazoo" };

  const bot = { login: "github-actions[bot]" };

  test("are created for each stack and edited in place, each with its commit", async () => {
    const old = { id: 1, user: bot, body: told("staging", "old", "c".repeat(40)) };
    const { calls } = await run({ "report-staging": report("staging"), "report-prod": report("prod") }, [old]);
    assert.deepEqual(calls, [
      ["create", { ...target, issue_number: 7, body: told("prod") }],
      ["update", { ...target, comment_id: 1, body: told("staging") }],
    ]);
  });

  test("that are up to date are not edited, and neither are other people's", async () => {
    const own = { id: 1, user: bot, body: told("prod") };
    assert.deepEqual((await run({ "report-prod": report("prod") }, [own])).calls, []);
    const quoted = { id: 2, user: { login: "somebody" }, body: told("prod", "old") };
    const others = { id: 3, user: bot, body: "Of something else" };
    const { calls } = await run({ "report-prod": report("prod") }, [quoted, others]);
    assert.deepEqual(calls, [["create", { ...target, issue_number: 7, body: told("prod") }]]);
  });

  test("of stacks without a report say so, instead of showing an earlier commit's report", async () => {
    const [staging, prod] = ["staging", "acme/prod"].map((stack, index) => ({
      id: index + 1,
      user: bot,
      body: told(stack, "No changes", "c".repeat(40)),
    })) as [Existing, Existing];
    const outdated = (stack: string) =>
      `<!-- kazoo preview of ${stack} -->\n## Preview of stack \`${stack}\`\n\n**No report for commit [\`aaaaaaa\`](${url}): its job failed or did not run.**\n`;
    const one = await run({ "report-staging": report("staging") }, [staging, prod]);
    assert.deepEqual(one.calls, [
      ["update", { ...target, comment_id: 1, body: told("staging") }],
      ["update", { ...target, comment_id: 2, body: outdated("acme/prod") }],
    ]);
    const none = await run({}, [staging, prod, { ...prod, id: 3, user: { login: "somebody" } }]);
    assert.deepEqual(none.calls, [
      ["update", { ...target, comment_id: 1, body: outdated("staging") }],
      ["update", { ...target, comment_id: 2, body: outdated("acme/prod") }],
    ]);
    // Files that are not reports do not count.
    const bad = await run({ "report-staging": "hello" }, [staging]);
    assert.deepEqual(bad.calls, [["update", { ...target, comment_id: 1, body: outdated("staging") }]]);
    const again = await run({ "report-staging": report("staging") }, [{ ...staging, body: outdated("staging") }]);
    assert.deepEqual(again.calls, [["update", { ...target, comment_id: 1, body: told("staging") }]]);
  });

  test("of a stack with an organization are found again", async () => {
    const old = { id: 1, user: bot, body: told("acme/prod", "old") };
    const { calls } = await run({ "report-prod": report("acme/prod") }, [old]);
    assert.deepEqual(calls, [["update", { ...target, comment_id: 1, body: told("acme/prod") }]]);
  });

  test("of a single report are created as well, wherever its file is", async () => {
    assert.equal((await run({ ".": report("prod") })).calls.length, 1);
  });

  test("are not created for a commit that is no longer the newest, or without a report", async () => {
    const { calls, said } = await run(
      { "report-prod": report("prod") },
      [{ id: 1, user: bot, body: told("staging") }],
      [{ number: 7, head: { sha: "b".repeat(40) } }],
    );
    assert.deepEqual(calls, []);
    assert.match(said.join(), /is not the newest commit of an open pull request/);
    assert.deepEqual((await run({})).calls, []);
  });

  test("are not created from files that are not reports, or from symbolic links", async () => {
    const { calls, said } = await run(
      {
        "report-text": "hello @everybody",
        "report-long": report("prod", "x".repeat(66_000)),
        "report-late": `\n${report("prod")}`,
        "other-prod": report("prod"),
      },
      [],
      undefined,
      (directory) => {
        mkdirSync(join(directory, "report-linked"));
        writeFileSync(join(directory, "secret"), report("secret"));
        symlinkSync(join(directory, "secret"), join(directory, "report-linked", "report.md"));
      },
    );
    assert.deepEqual(calls, []);
    assert.equal(said.length, 3);
  });
});
