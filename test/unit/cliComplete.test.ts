import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const program = join(__dirname, "../../tools/cli/kazoo.js");
const complete = (...words: string[]) =>
  spawnSync(process.execPath, [program, "complete", ...words], { encoding: "utf8", timeout: 5 * 60_000 });
const offered = (...words: string[]) =>
  complete("--", ...words)
    .stdout.split("\n")
    .map((line) => line.split("\t")[0] ?? "");

test("completion offers commands, options, stacks, and the zones of the named stack", () => {
  const commands = offered("kube-r");
  assert.ok(
    ["kube-rollout-status", "kube-rollout-history"].every((name) => commands.includes(name)),
    String(commands),
  );
  assert.ok(offered("docker", "la").includes("launch-net"));
  assert.ok(offered("status", "--w").includes("--watch"));
  assert.ok(offered("up", "--stack", "").includes("rehearsal"));
  assert.ok(offered("logs", "--zone", "").includes("local-dev"));
  assert.ok(offered("logs", "--stack", "rehearsal", "--zone", "").includes("us-east-nyc"));
  assert.ok(offered("rotate", "rabbitmq", "--stack", "rehearsal", "--ring", "").includes("main"));
  assert.ok(!offered("logs", "--stack", "no-such-stack", "--zone", "").includes("local-dev"));
});

for (const shell of ["bash", "zsh", "fish"]) {
  test(`prints a script for ${shell} that calls back`, () => {
    const { status, stdout } = complete(shell);
    assert.equal(status, 0);
    assert.ok(stdout.includes(program) && stdout.includes("complete --"));
  });
}

test("lists the supported shells for an unknown one", () => {
  const { status, stderr } = complete("tcsh");
  assert.equal(status, 1);
  assert.match(stderr, /tcsh[\s\S]*bash, zsh, fish/);
  assert.doesNotMatch(stderr, /\n {4}at /);
});

test("bash completes words with the script", () => {
  // Replaces bash-completion, which the script uses and a bare machine lacks.
  const words =
    '_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]} prev= words=("${COMP_WORDS[@]}") cword=$COMP_CWORD; }';
  const press = 'COMP_WORDS=(kazoo kube-rollout-s); COMP_CWORD=1; __kazoo_complete; printf "%s\\n" "${COMPREPLY[@]}"';
  const { stdout, stderr } = spawnSync("bash", ["-c", `${words}\n${complete("bash").stdout}\n${press}`], {
    encoding: "utf8",
  });
  assert.match(stdout, /^kube-rollout-status/, stderr);
});
