import { pruneToolchain } from "../../tools/toolchain";
import { printError, reportToStderr } from "../../tools/shared/terminal";
import { type TestProgram, programGroups, testPrograms } from "./index";

/**
 * `npm run test:programs`: builds all programs that only tests need (not those of `make bench`), so that no test's time limit has to cover it. With
 * `-- --prune` it removes what other versions of them have left.
 */
async function main(): Promise<void> {
  if (process.argv.includes("--prune")) {
    const { root, removed } = await pruneToolchain(reportToStderr, programGroups);
    process.stdout.write(`removed from ${root}: ${removed.join(", ") || "nothing"}\n`);
    return;
  }
  const groups = programGroups.filter(({ name }) => name !== "helm");
  const names = groups.flatMap(({ packages }) => Object.keys(packages)) as TestProgram[];
  const program = await testPrograms(names, reportToStderr);
  for (const name of names) process.stdout.write(`${name.padEnd(12)}${program(name)}\n`);
}

main().catch((error: unknown) => {
  process.exitCode = printError(error);
});
