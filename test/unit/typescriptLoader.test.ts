import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { describe, test } from "node:test";

const project = resolve(__dirname, "../..");

/** Runs a script whose packages are loaded as the command loads them; returns what it prints. */
function loading(script: string): string {
  const args = ["--require", "./tools/shared/typescript.js", "--eval", script];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: project, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

describe("Pulumi's SDK in the command's process", () => {
  const sdk = `const pulumi = require("@pulumi/pulumi"); require("@pulumi/kubernetes");`;

  test("is loaded without TypeScript and npm, which it needs only for functions that it serializes", () => {
    const unneeded = `Object.keys(require.cache).filter((path) => /node_modules.(typescript|@npmcli)\\b/.test(path))`;
    assert.equal(loading(`${sdk} console.log(${unneeded}.join());`), "");
  });

  test("serializes a function and its packages, as a dynamic provider does", () => {
    const serialized = `pulumi.runtime.serializeFunction(() => three + 1).then(({ text }) => console.log(text))`;
    assert.match(loading(`${sdk} const three = 3; ${serialized};`), /with\(\{ three: 3,[^]*return \(\) => three \+ 1;/);
    const packages = `pulumi.runtime.computeCodePaths({}).then((paths) => console.log([...paths.keys()].join("\\n")))`;
    assert.match(loading(`${sdk} ${packages};`), /^node_modules\/yaml$/m);
  });
});
