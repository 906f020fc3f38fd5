import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { parse } from "yaml";
import { kazoo } from "../../cli/main";

const project = join(__dirname, "../..");
const comment = createRequire(__filename)("../../.github/comment.js") as (given: object) => Promise<void>;

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly if?: string;
  readonly with?: Record<string, unknown>;
  readonly env?: Record<string, string>;
}

interface Job {
  readonly uses?: string;
  readonly permissions?: Record<string, string>;
  readonly environment?: string;
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
const action = parse(readFileSync(join(project, ".github/actions/setup/action.yml"), "utf8")) as {
  runs: { steps: Step[] };
};
const steps = [...jobs.flatMap(({ job }) => job.steps ?? []), ...action.runs.steps];
const sources = [...files.map((file) => join(folder, file)), join(project, ".github/actions/setup/action.yml")];

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

  test("have no right but those that a job asks for, and one job alone may write: comments", () => {
    for (const [file, { permissions }] of workflows) assert.deepEqual(permissions, {}, file);
    for (const { name, job } of jobs) {
      const rights = Object.entries(job.permissions ?? assert.fail(`${name} does not say what it may`));
      const writes = rights.filter(([, right]) => right !== "read");
      assert.deepEqual(writes, name === "comment.yml: comment" ? [["pull-requests", "write"]] : [], name);
    }
  });

  test("give secrets only to jobs behind an environment, and the repository's token to none that runs others' code", () => {
    for (const { name, job } of jobs) {
      const text = JSON.stringify(job);
      if (/secrets\./.test(text)) assert.notEqual(job.environment, undefined, name);
      assert.doesNotMatch(text, /secrets: *inherit/, name);
      if (name !== "comment.yml: comment") assert.doesNotMatch(text, /github\.token|GITHUB_TOKEN/, name);
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
    // Text of a pull request in a script or a command would be code.
    for (const text of steps.flatMap(({ run, with: given }) => [run ?? "", String(given?.script ?? "")])) {
      assert.doesNotMatch(text, /\$\{\{/);
    }
  });

  test("bring each stack up one run at a time, never cut off, behind the stack's own gate", () => {
    const { up } = workflow("deploy.yml").jobs;
    assert.deepEqual(up?.concurrency, { group: "up-${{ matrix.stack }}", "cancel-in-progress": false });
    assert.equal(up?.environment, "${{ matrix.stack }}");
    assert.deepEqual(workflow("deploy.yml").on, { push: { branches: ["main"] } });
  });

  test("run commands that there are", async () => {
    const commands = steps.flatMap(({ run }) => (run ?? "").split("\n")).map((line) => line.trim());
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
    assert.equal(mine.length, 3);
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

/** Runs a step's script as the runner does, with a `kazoo` that writes a report and ends with a code. */
async function runStep(step: Step, code: number) {
  const directory = mkdtempSync(join(tmpdir(), "kazoo-step-"));
  try {
    writeFileSync(
      join(directory, "npx"),
      `#!/bin/sh\necho "$@" > calls\n[ ${code} = 70 ] || { mkdir -p report; echo '## Report' > report/report.md; }\nexit ${code}\n`,
    );
    chmodSync(join(directory, "npx"), 0o755);
    const env = {
      PATH: `${directory}:${process.env.PATH}`,
      STACK: "some stack",
      GITHUB_STEP_SUMMARY: join(directory, "summary"),
    };
    const ended = await promisify(execFile)(
      "bash",
      ["--noprofile", "--norc", "-eo", "pipefail", "-c", step.run ?? ""],
      {
        cwd: directory,
        env,
      },
    ).then(
      () => 0,
      (error: { code: number }) => error.code,
    );
    const summary = code === 70 ? "" : readFileSync(join(directory, "summary"), "utf8");
    return { ended, summary, calls: readFileSync(join(directory, "calls"), "utf8").trim() };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe("a workflow's step", () => {
  const step = (file: string, name: string) =>
    Object.values(workflow(file).jobs)
      .flatMap((job) => job.steps ?? [])
      .find((candidate) => candidate.name === name) ?? assert.fail(name);

  test("that previews passes with changes, which a reviewer judges, and fails with errors", async () => {
    for (const [code, expected] of [
      [0, 0],
      [2, 0],
      [3, 0],
      [1, 1],
    ] as const) {
      const { ended, summary, calls } = await runStep(step("pull-request.yml", "Preview"), code);
      assert.equal(ended, expected, `kazoo ended with ${code}`);
      assert.equal(summary, "## Report\n");
      assert.equal(calls, "kazoo preview-report --stack some stack --out report");
    }
    assert.notEqual((await runStep(step("pull-request.yml", "Preview"), 70)).ended, 0, "no report is an error");
  });

  test("that looks for drift fails with what it finds, so that somebody hears of it", async () => {
    for (const code of [0, 1, 2, 3]) {
      const { ended, summary } = await runStep(step("drift.yml", "Drift"), code);
      assert.equal(ended, code);
      assert.equal(summary, "## Report\n");
    }
  });
});

describe("the comments", () => {
  const sha = "a".repeat(40);
  const report = (stack: string, text = "new") => `<!-- kazoo preview of ${stack} -->\n## ${text}\n`;

  interface Existing {
    readonly id: number;
    readonly user: { readonly login: string };
    readonly body: string;
  }

  /** Runs the script over reports, on a GitHub that notes down what is asked of it. */
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
      payload: { workflow_run: { head_sha: sha, head_branch: "topic", head_repository: { owner: { login: "them" } } } },
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

  test("are made for each stack, and edited in place", async () => {
    const old = { id: 1, user: { login: "github-actions[bot]" }, body: report("staging", "old") };
    const { calls } = await run({ "report-staging": report("staging"), "report-prod": report("prod") }, [old]);
    assert.deepEqual(calls, [
      ["create", { ...target, issue_number: 7, body: report("prod") }],
      ["update", { ...target, comment_id: 1, body: report("staging") }],
    ]);
  });

  test("that are right already are left alone, and so are other people's", async () => {
    const own = { id: 1, user: { login: "github-actions[bot]" }, body: report("prod") };
    assert.deepEqual((await run({ "report-prod": report("prod") }, [own])).calls, []);
    const quoted = { id: 2, user: { login: "somebody" }, body: report("prod", "old") };
    const other = { ...own, id: 3, body: report("prod-2") };
    const { calls } = await run({ "report-prod": report("prod") }, [quoted, other]);
    assert.deepEqual(calls, [["create", { ...target, issue_number: 7, body: report("prod") }]]);
  });

  test("of a single report are made as well, wherever it was put", async () => {
    assert.equal((await run({ ".": report("prod") })).calls.length, 1);
  });

  test("are not made of a commit that is no longer the last, or without a report", async () => {
    const { calls, said } = await run(
      { "report-prod": report("prod") },
      [],
      [{ number: 7, head: { sha: "b".repeat(40) } }],
    );
    assert.deepEqual(calls, []);
    assert.match(said.join(), /no open pull request/);
    assert.deepEqual((await run({})).calls, []);
  });

  test("are not made of what is no report, nor of what links lead to", async () => {
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
