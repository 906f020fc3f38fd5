import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { ConfigError } from "../../../config/problem";
import { interruptible } from "../../shared/interrupt";
import { type Digest, parseDigest } from "../../report/digest";
import { type Found, findingsText, parseFindings } from "../../report/findings";
import { type ChangeReport, exitCodeOf, failedReport, reportOf } from "../../report/model";
import { lookForDrift, previewStack } from "../run/runPreview";
import { htmlOf, markdownOf, terminalText } from "../../report/render";
import { allUnseen, unseenClusters } from "../cluster/unseen";
import { type FleetOptions, jobsOf, stackOf } from "../run/fleet";
import { type Stack, openStack, projectDirectory, readConfig, readPlatform, regionsIn } from "../stack/openStack";
import { atOnce, inOrder } from "../stack/regionPlan";
import { regionStack } from "../../../config/stackPart";
import { RefusedError, UserError, colours, reportToStderr } from "../../shared/terminal";

interface ReportOptions extends FleetOptions {
  /** Folder to write to. */
  readonly out?: string;
  /** Output of `pulumi preview --json`. */
  readonly json?: string;
  /** Folder with the findings on the stacks of all regions. */
  readonly parts?: string;
}

/** Previews a stack and writes a report of it for a reviewer; returns the exit code. */
export async function previewReport({ out, json, parts, alone, ...options }: ReportOptions): Promise<number> {
  const stack = await stackOf(options);
  const directory = out ?? folderOf(stack);
  const jobs = jobsOf(options.jobs);
  return tell("preview", stack, directory, () => {
    if (json !== undefined) return read(stack, json);
    if (parts !== undefined) return assemble(stack, resolve(parts));
    return alone === true ? lookAlone(stack, previewStack, resolve(directory)) : look(stack, jobs, previewStack);
  });
}

/** Previews a whole stack for a runbook: writes and prints the report, and returns it. */
export async function previewed(stack: string): Promise<ChangeReport> {
  const report = await look(stack, jobsOf(undefined), previewStack);
  print(report, folderOf(stack));
  return report;
}

const folderOf = (stack: string): string => join(projectDirectory, ".state", "report", basename(stack));

/** Finds manual changes, and what the program would undo; returns the exit code. */
export async function drift({ out, alone, ...options }: ReportOptions): Promise<number> {
  const stack = await stackOf(options);
  const directory = out ?? join(projectDirectory, ".state", "drift", basename(stack));
  const jobs = jobsOf(options.jobs);
  return tell("drift", stack, directory, () =>
    alone === true ? lookAlone(stack, lookForDrift) : look(stack, jobs, lookForDrift),
  );
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

/** One report of a stack, or of the stacks of all its regions and what they share. */
async function look(name: string, jobs: number, find: Find): Promise<ChangeReport> {
  const regions = regionsIn(name);
  const shared = await openStack(name, reportToStderr, { shared: true });
  if (regions === undefined)
    return reportOf({ stack: name, platform: shared.platform, ...(await lookAt(shared, find)) });
  const findings = new Map([[name, await lookAt(shared, find)]]);
  const look = async (region: string) => {
    const stack = await openStack(regionStack(name, region), reportToStderr);
    findings.set(region, await lookAt(stack, find).catch((error: unknown) => failed(`region ${region}`, error)));
    return undefined;
  };
  await interruptible((signal) => inOrder(atOnce(regions), jobs, look, signal));
  const inSequence = [name, ...regions].flatMap((each) => findings.get(each) ?? []);
  return reportOf({ stack: name, platform: readPlatform(name), ...together(inSequence) });
}

/**
 * A report of one Pulumi stack, also if it is one of several.
 * @param keep a folder for its findings if it is one of several, from which `--parts` makes one report of all
 */
async function lookAlone(name: string, find: Find, keep?: string): Promise<ChangeReport> {
  const stack = await openStack(name, reportToStderr, { shared: true });
  const { platform } = stack;
  const save = (found: Found): void => {
    if (keep === undefined || platform.stacks === "one") return;
    mkdirSync(keep, { recursive: true });
    writeFileSync(join(keep, findingsFile), findingsText(name, found));
  };
  const found = await lookAt(stack, find).catch((error: unknown) => {
    save(failed(`stack ${name}`, error));
    throw error;
  });
  save(found);
  return reportOf({ stack: name, platform, ...found });
}

const findingsFile = "findings.json";

/** One report of what was found on the stacks of all regions and what they share. */
function assemble(name: string, folder: string): ChangeReport {
  const regions = regionsIn(name);
  if (regions === undefined)
    throw new UserError(`stack ${name} is one Pulumi stack, so there are no parts to assemble`, "omit --parts");
  const files = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [];
  const found = new Map(
    files
      .filter((file) => basename(file) === findingsFile)
      .map((file) => parseFindings(readFileSync(join(folder, file), "utf8"), join(folder, file)))
      .map((part) => [part.stack, part.found]),
  );
  const stacks = [name, ...regions.map((region) => regionStack(name, region))];
  const missing = new UserError("there is no preview of it: its job failed or did not run");
  const all = stacks.map((stack) => found.get(stack) ?? failed(`stack ${stack}`, missing));
  return reportOf({ stack: name, platform: readPlatform(name), ...together(all) });
}

type Find = typeof previewStack | typeof lookForDrift;

async function lookAt(stack: Stack, find: Find): Promise<Found> {
  const unseen = await unseenClusters(stack.platform);
  const nothing = { preview: { steps: [], diagnostics: [] } };
  const found = allUnseen(stack.platform, unseen)
    ? { ...nothing, ...(find === lookForDrift ? { refresh: nothing.preview } : {}) }
    : await interruptible((signal) => find(stack, reportToStderr, signal, unseen));
  return { ...found, unseen };
}

/** What could not be checked: the report says why, and shows the rest. */
function failed(what: string, error: unknown): Found {
  if (!(error instanceof UserError)) throw error;
  const message = [`${what}: ${error.message}`, error.next ?? ""].join("\n").trim();
  return { preview: { steps: [], diagnostics: [{ severity: "error", message }] }, failed: true };
}

/** The findings of several stacks as those of one. */
function together(all: readonly Found[]): Found {
  const digest = (of: (found: Found) => Digest | undefined): Digest => {
    const digests = all.flatMap((found) => of(found) ?? []);
    return {
      steps: digests.flatMap(({ steps }) => steps),
      diagnostics: digests.flatMap(({ diagnostics }) => diagnostics),
    };
  };
  const some = (key: "refused" | "refresh") => all.some((found) => found[key] !== undefined);
  return {
    preview: digest(({ preview }) => preview),
    ...(some("refused") ? { refused: digest(({ refused }) => refused) } : {}),
    ...(some("refresh") ? { refresh: digest(({ refresh }) => refresh) } : {}),
    deployed: all.flatMap(({ deployed = [] }) => deployed),
    unseen: all.flatMap(({ unseen = [] }) => unseen),
    failed: all.some(({ failed = false }) => failed),
  };
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
  process.stdout.write(`Report: ${relative(process.cwd(), join(directory, "report.md"))}, also as report.html\n`);
  return exitCodeOf(report);
}

function write(report: ChangeReport, directory: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "report.md"), markdownOf(report));
  writeFileSync(join(directory, "report.html"), htmlOf(report));
}
