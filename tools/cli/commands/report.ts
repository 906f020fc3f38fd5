import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { ConfigError } from "../../../config/problem";
import { interruptible } from "../../shared/interrupt";
import { type Digest, parseDigest } from "../../report/digest";
import { type ChangeReport, exitCodeOf, failedReport, reportOf } from "../../report/model";
import { lookForDrift, previewStack } from "../runPreview";
import { htmlOf, markdownOf, terminalText } from "../../report/render";
import { allUnseen, unseenClusters } from "../unseen";
import { openStack, projectDirectory, readConfig, readPlatform } from "../openStack";
import { RefusedError, UserError, colours, reportToStderr } from "../../shared/terminal";

interface ReportOptions {
  readonly stack: string;
  /** Folder to write to. */
  readonly out?: string;
  /** Output of `pulumi preview --json`. */
  readonly json?: string;
}

/** Previews a stack and writes a report of it for a reviewer; returns the exit code. */
export async function previewReport({ stack, out, json }: ReportOptions): Promise<number> {
  const directory = out ?? join(projectDirectory, ".state", "report", basename(stack));
  return tell("preview", stack, directory, () => (json === undefined ? look(stack, previewStack) : read(stack, json)));
}

/** Finds manual changes, and what the program would undo; returns the exit code. */
export async function drift({ stack, out }: ReportOptions): Promise<number> {
  const directory = out ?? join(projectDirectory, ".state", "drift", basename(stack));
  return tell("drift", stack, directory, () => look(stack, lookForDrift));
}

/** Writes a report, says where, and returns the exit code. An invalid config and a refusal are in the report, too, because the reviewer looks there. */
async function tell(
  purpose: ChangeReport["purpose"],
  stack: string,
  out: string,
  make: () => ChangeReport | Promise<ChangeReport>,
): Promise<number> {
  try {
    readConfig(stack);
    return print(await make(), out);
  } catch (error) {
    if (error instanceof ConfigError) return print(failedReport(purpose, stack, error.message), out);
    if (error instanceof RefusedError)
      write(failedReport(purpose, stack, [error.message, error.next ?? ""].join("\n")), resolve(out));
    throw error;
  }
}

async function look(name: string, find: typeof previewStack | typeof lookForDrift): Promise<ChangeReport> {
  const stack = await openStack(name, reportToStderr);
  const unseen = await unseenClusters(stack.platform);
  const nothing = { preview: { steps: [], diagnostics: [] } };
  const found = allUnseen(stack.platform, unseen)
    ? { ...nothing, ...(find === lookForDrift ? { refresh: nothing.preview } : {}) }
    : await interruptible((signal) => find(stack, reportToStderr, signal, unseen));
  return reportOf({ stack: name, platform: stack.platform, ...found, unseen });
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

function print(report: ChangeReport, out: string): number {
  const directory = resolve(out);
  write(report, directory);
  process.stdout.write(terminalText(report, colours));
  process.stdout.write(`Report: ${relative(process.cwd(), join(directory, "report.md"))}, and as a page report.html\n`);
  return exitCodeOf(report);
}

function write(report: ChangeReport, directory: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "report.md"), markdownOf(report));
  writeFileSync(join(directory, "report.html"), htmlOf(report));
}
