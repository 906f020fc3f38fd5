import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { Command } from "commander";
import { ConfigError } from "../../../config/problem";
import { interruptible } from "../../shared/interrupt";
import { type Digest, parseDigest } from "../../report/digest";
import { type ChangeReport, exitCodeOf, failedReport, reportOf } from "../../report/model";
import { lookForDrift, previewStack } from "../runPreview";
import { htmlOf, markdownOf, terminalText } from "../../report/render";
import { openStack, projectDirectory, readConfig, readPlatform } from "../openStack";
import { UserError, colours, reportToStderr } from "../../shared/terminal";

const exitCodes = `
Exit codes: 0 no change, 2 changes, 3 changes that replace or delete what is protected or holds data, 1 error.
Data: StatefulSets of brokers and databases, Namespaces, Secrets, volumes, random passwords and cookies; whether protected or not.`;

/** `kazoo preview-report` and `kazoo drift`: what a stack would change, and what was changed by hand, for a reviewer. */
export function reportCommands(): Command[] {
  return [
    new Command("preview-report")
      .description("preview a stack and write a report of it for a reviewer: report.md and report.html")
      .option("-s, --stack <name>", "which Pulumi.<name>.yaml", "dev")
      .option("-o, --out <folder>", "where to write (default: .state/report/<stack>)")
      .option("-j, --json <file>", "read what `pulumi preview --json` printed instead of previewing")
      .addHelpText("after", exitCodes)
      .action(async ({ stack, out, json }: { stack: string; out?: string; json?: string }) => {
        const report = await valid("preview", stack, () => (json === undefined ? preview(stack) : read(stack, json)));
        process.exitCode = tell(report, out ?? join(projectDirectory, ".state", "report", basename(stack)));
      }),
    new Command("drift")
      .description("find what was changed by hand and what the program would undo; changes nothing, the state neither")
      .option("-s, --stack <name>", "which Pulumi.<name>.yaml", "dev")
      .option("-o, --out <folder>", "where to write (default: .state/drift/<stack>)")
      .addHelpText("after", exitCodes)
      .action(async ({ stack, out }: { stack: string; out?: string }) => {
        const report = await valid("drift", stack, () => drift(stack));
        process.exitCode = tell(report, out ?? join(projectDirectory, ".state", "drift", basename(stack)));
      }),
  ];
}

/** Makes a report; one of a config that is wrong says so, since a reviewer looks there. */
async function valid(
  purpose: ChangeReport["purpose"],
  stack: string,
  make: () => ChangeReport | Promise<ChangeReport>,
): Promise<ChangeReport> {
  try {
    readConfig(stack);
  } catch (error) {
    if (error instanceof ConfigError) return failedReport(purpose, stack, error.message);
    throw error;
  }
  return make();
}

async function preview(name: string): Promise<ChangeReport> {
  const stack = await openStack(name, reportToStderr);
  const found = await interruptible((signal) => previewStack(stack, reportToStderr, signal));
  return reportOf({ stack: name, platform: stack.platform, ...found });
}

async function drift(name: string): Promise<ChangeReport> {
  const stack = await openStack(name, reportToStderr);
  const found = await interruptible((signal) => lookForDrift(stack, reportToStderr, signal));
  return reportOf({ stack: name, platform: stack.platform, ...found });
}

function read(stack: string, file: string): ChangeReport {
  return reportOf({ stack, platform: readPlatform(stack), preview: readDigest(file) });
}

function readDigest(file: string): Digest {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`${file} can't be read (${code ?? String(error)})`, "pulumi preview --json > preview.json");
  }
  return parseDigest(text, file);
}

/** Writes the report, says where, and returns the exit code. */
function tell(report: ChangeReport, out: string): number {
  const directory = resolve(out);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "report.md"), markdownOf(report));
  writeFileSync(join(directory, "report.html"), htmlOf(report));
  process.stdout.write(terminalText(report, colours));
  process.stdout.write(`Report: ${relative(process.cwd(), join(directory, "report.md"))}, and as a page report.html\n`);
  return exitCodeOf(report);
}
