import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { type Clone, cloneProject } from "../support/clone";
import { codeBlocks, pages } from "../support/markdown";

/** Why a code block of shell commands does not run here, by its page and the beginning of its first line. */
const elsewhere: Readonly<Record<string, string>> = {
  "README.md: eval": "needs clusters and a backend of the user",
  "README.md: make test-unit": "runs this test",
  "docs/configuration.md: pulumi config set": "needs a stack in a backend of the user",
  "docs/docker.md: make up STACK=docker":
    "needs a Docker Engine; test/image/stackDocker.test.ts and targets.test.ts run them",
  "docs/from-docker-kazoo.md: docker run": "needs a Docker Engine; test/image/imageRun.test.ts runs it",
  "docs/image.md: make -s images": "needs skopeo, a mirror and Docker Hub",
  "docs/operations.md: npx kazoo init": "needs a cluster of the user; test/unit/init.test.ts runs it",
  "docs/operations.md: eval": "needs a backend of the user",
  "docs/operations.md: openssl rand": "needs a stack of the user; test/integration/backup.test.ts runs them",
  "docs/policy.md: npx kazoo preview --stack prod":
    "needs a stack of the user; test/integration/policy.test.ts uses such a file",
  "docs/regions.md: make up STACK=prod": "needs a stack of the user; test/integration/regions.test.ts runs them",
  "docs/regions.md: eval": "needs a backend of the user",
  "docs/regions.md: pulumi up": "needs a backend of the user",
  "docs/rings.md: kubectl": "the sandbox runs no containers; test/unit/joinScript.test.ts runs it",
  "docs/runbooks.md: make drain": "needs a stack of the user; test/integration/runbooks.test.ts runs them",
  "docs/runbooks.md: make grow": "needs a stack of the user; test/integration/runbooks.test.ts runs it",
  "docs/runbooks.md: kubectl -n us-east-nyc patch": "needs a stack of the user",
  "docs/runbooks.md: make rotate": "needs a stack of the user; test/integration/runbooks.test.ts runs them",
  "docs/runbooks.md: kubectl -n us-east-nyc exec": "the sandbox runs no containers",
  "docs/sandbox.md: apt-get": "needs root; the gate runs them",
  "docs/sandbox.md: kind create": "needs kind",
  "docs/sandbox.md: eval": "needs kind",
  "docs/security.md: user=kazoo":
    "needs a cluster of the user; test/unit/existingSecrets.test.ts runs the part that makes the file",
};

test("each code block of shell commands runs here, or has a reason why it does not", () => {
  const others = pages().flatMap(({ path, text }) =>
    codeBlocks(text)
      .filter(({ language, words }) => language === "sh" && !words.includes("sandbox"))
      .map(({ code }) => `${path}: ${code}`),
  );
  const beginnings = Object.keys(elsewhere);
  const reasonsFor = (block: string) => beginnings.filter((beginning) => block.startsWith(beginning));
  assert.deepEqual(
    others.filter((block) => reasonsFor(block).length === 0),
    [],
  );
  assert.deepEqual(
    beginnings.filter((beginning) => !others.some((block) => block.startsWith(beginning))),
    [],
  );
});

/** Runs the code blocks marked with `sandbox` in a fresh clone, word for word, page by page. */
describe("the commands of the documentation run on the sandbox", () => {
  let clone: Clone;
  before(async () => {
    clone = await cloneProject();
  });
  after(() => clone.dispose());

  for (const { path, text } of pages()) {
    for (const { words, code, line } of codeBlocks(text)) {
      if (!words.includes("sandbox")) continue;
      test(`${path}:${line}`, { timeout: 20 * 60_000 }, async () => {
        const { code: exitCode, output } = await bash(clone.directory, code);
        assert.equal(exitCode, 0, output);
      });
    }
  }
});

/** Runs a script that stops at the first failing command; the returned output has each command before its own output. */
function bash(directory: string, script: string): Promise<{ readonly code: number | null; readonly output: string }> {
  // Otherwise a test run by the script would report as part of this one.
  const environment = { ...process.env, NODE_TEST_CONTEXT: undefined };
  return new Promise((done, fail) => {
    const child = spawn("bash", ["-xeuo", "pipefail", "-c", script], {
      cwd: directory,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("error", fail);
    child.on("close", (code) => done({ code, output }));
  });
}
