import { confirmed } from "../../shared/choose";
import { type Report, UserError, colours } from "../../shared/terminal";

/** A step of a runbook. */
export interface RunbookStep {
  /** What happens, as a sentence without a full stop. */
  readonly title: string;
  /** What it changes or runs, one line each; never a secret. */
  readonly touches: readonly string[];
  /** Whether it is already done, for example by an interrupted run. */
  readonly isDone: () => Promise<boolean>;
  readonly run: () => Promise<void>;
}

/** A change in several steps that can be interrupted at any point and run again. */
export interface Runbook {
  /** What it does, e.g. `drain zone us-east-nyc`. */
  readonly name: string;
  /** What the operator should know before it begins, one line each. */
  readonly notes: readonly string[];
  readonly steps: readonly RunbookStep[];
}

/** Options of every command that follows a runbook. */
export interface RunbookOptions {
  readonly stack: string;
  readonly zone?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** A runbook as text: each step with what it touches, and whether it is done. */
export function plan({ name, notes, steps }: Runbook, done: readonly boolean[]): string {
  const lines = steps.flatMap(({ title, touches }, index) => [
    `  ${index + 1}. ${title}${done[index] === true ? colours.green(" (done)") : ""}`,
    ...touches.map((touched) => `     ${touched}`),
  ]);
  return [colours.bold(name), ...notes.map((note) => `  ${note}`), ...lines, ""].join("\n");
}

/**
 * Follows a runbook: shows it, asks for confirmation, and runs the remaining steps. A dry run only shows it.
 * @param unasked whether to start without confirmation
 */
export async function follow(
  runbook: Runbook,
  { dryRun = false, unasked }: { readonly dryRun?: boolean | undefined; readonly unasked: boolean },
  report: Report,
): Promise<void> {
  const { name, steps } = runbook;
  const done = await Promise.all(steps.map((step) => step.isDone()));
  process.stdout.write(plan(runbook, done));
  if (dryRun) return;
  if (done.every(Boolean)) return report("nothing is left to do");
  if (!(await confirmed(`${name}?`, unasked))) return report("nothing was changed");
  for (const [index, step] of steps.entries()) {
    const counted = `[${index + 1}/${steps.length}] ${step.title}`;
    // Check again: an earlier step may have done it.
    if (await step.isDone()) {
      report(`${counted}: already done`);
      continue;
    }
    report(colours.bold(counted));
    try {
      await step.run();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const next = error.next ?? "run the same command again to continue with this step";
      throw new UserError(`step ${index + 1}, ${step.title}: ${error.message}`, next, error.exitCode);
    }
  }
  report(`${name}: ${colours.green("done")}`);
}
