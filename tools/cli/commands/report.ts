import { readFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { Command } from "commander";
import { ConfigError } from "../../../config/problem";
import { interruptible } from "../../shared/interrupt";
import { type Digest, parseDigest } from "../../report/digest";
import { type Report as PreviewReport, exitCodeOf, failedReport, reportOf } from "../../report/model";
import { lookForDrift, previewStack } from "../runPreview";
import { terminalText, writeReport } from "../../report/write";
import { openStack, projectDirectory, readConfig, readPlatform } from "../stack";
import { UserError, reportToStderr } from "../../shared/terminal";

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
  purpose: PreviewReport["purpose"],
  stack: string,
  make: () => PreviewReport | Promise<PreviewReport>,
): Promise<PreviewReport> {
  try {
    readConfig(stack);
  } catch (error) {
    if (error instanceof ConfigError) return failedReport(purpose, stack, error.message);
    throw error;
  }
  return make();
}

async function preview(name: string): Promise<PreviewReport> {
  const stack = await openStack(name, reportToStderr);
  const found = await interruptible((signal) => previewStack(stack, reportToStderr, signal));
  return reportOf({ stack: name, platform: stack.platform, ...found });
}

async function drift(name: string): Promise<PreviewReport> {
  const stack = await openStack(name, reportToStderr);
  const found = await interruptible((signal) => lookForDrift(stack, reportToStderr, signal));
  return reportOf({ stack: name, platform: stack.platform, ...found });
}

function read(stack: string, file: string): PreviewReport {
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
function tell(report: PreviewReport, out: string): number {
  const directory = resolve(out);
  writeReport(report, directory);
  process.stdout.write(terminalText(report));
  process.stdout.write(`Report: ${relative(process.cwd(), join(directory, "report.md"))}, and as a page report.html\n`);
  return exitCodeOf(report);
}
