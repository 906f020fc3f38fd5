import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { renderWith } from "../image/support/entrypoint";

const scratch = mkdtempSync(join(tmpdir(), "kazoo-render-command-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Runs `kazoo render` in a process of its own. */
function render(out: string, environment: Readonly<Record<string, string>>) {
  const program = join(__dirname, "../../tools/cli/commands/render.ts");
  const terminal = join(__dirname, "../../tools/shared/terminal.ts");
  const script = `
    const { render } = require(${JSON.stringify(program)});
    const { printError } = require(${JSON.stringify(terminal)});
    render(process.argv[1]).catch((error) => { process.exitCode = printError(error); });`;
  return spawnSync(process.execPath, ["--import", "tsx", "-e", script, "--", out], {
    cwd: join(__dirname, "../.."),
    env: { PATH: process.env["PATH"], ERLANG_COOKIE: "a-cookie", ERLANG_HOSTNAME: "kazoo.local", ...environment },
    encoding: "utf8",
  });
}

describe("kazoo render", () => {
  it("writes the container's files from the caller's environment", () => {
    const out = join(scratch, "deep", "out");
    const run = render(out, { KAZOO_ZONE: "here" });
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /^Rendered: .*deep\/out\/config\.ini, vm\.args, sys\.config, \.erlang\.cookie\n$/);
    assert.deepEqual(readdirSync(out).sort(), [".erlang.cookie", "config.ini", "sys.config", "vm.args"]);
    const container = renderWith({ ERLANG_COOKIE: "a-cookie", ERLANG_HOSTNAME: "kazoo.local", KAZOO_ZONE: "here" });
    for (const [name, contents] of Object.entries(container.files))
      assert.equal(readFileSync(join(out, name), "utf8"), contents);
  });

  it("passes on the entrypoint's errors, without a stack trace, with exit code 64", () => {
    const run = render(join(scratch, "none"), { KAZOO_LOG_LEVEL: "loud" });
    assert.equal(run.status, 64);
    assert.match(run.stderr, /KAZOO_LOG_LEVEL: expected one of/);
    assert.match(run.stderr, /next: /);
    assert.doesNotMatch(run.stderr, /^\s+at /m);
  });

  it("reports a folder that cannot be written to", () => {
    const file = join(scratch, "file");
    writeFileSync(file, "");
    const run = render(join(file, "out"), {});
    assert.equal(run.status, 1);
    assert.match(run.stderr, /rendering into .* failed/);
  });
});
