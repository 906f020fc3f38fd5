import { createInterface } from "node:readline/promises";
import { UserError } from "./terminal";

/** Whether a question can be asked, because input and output are a terminal. */
export const canAsk = (): boolean => process.stdin.isTTY && process.stderr.isTTY;

/**
 * Asks for a line of text.
 * @returns the answer without blanks around it; it may be empty
 * @throws UserError with exit code 130 on Ctrl-C or Ctrl-D
 */
export async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(question)).trim();
  } catch (error) {
    // After Ctrl-C or Ctrl-D, the cursor is still on the line of the question.
    if ((error as Error).name !== "AbortError") throw error;
    process.stderr.write("\n");
    throw new UserError("interrupted", "nothing was changed", 130);
  } finally {
    terminal.close();
  }
}

/**
 * Selects one of several names: the given one, the only one, or the one chosen on the terminal.
 * @param what kind of things with these names, e.g. `zone`
 * @param variable the make variable for it, e.g. `ZONE`
 * @throws UserError with the list, if there is no terminal
 */
export async function choose(
  what: string,
  variable: string,
  names: readonly string[],
  given: string | undefined,
): Promise<string> {
  const [only] = names;
  if (only === undefined) throw new UserError(`there is no ${what}`);
  if (given !== undefined) {
    if (names.includes(given)) return given;
    throw new UserError(`there is no ${what} ${given}`, `set ${variable}= to one of ${names.join(", ")}`);
  }
  if (names.length === 1) return only;
  if (!canAsk()) {
    throw new UserError(
      `there is more than one ${what}: ${names.join(", ")}`,
      `choose one with ${variable}=, e.g. ${variable}=${only}`,
    );
  }
  process.stderr.write(names.map((name, index) => `${String(index + 1).padStart(3)}  ${name}\n`).join(""));
  const answer = await ask(`which ${what}? [1-${names.length}] `);
  const chosen = names.find((name, index) => answer === name || answer === String(index + 1));
  if (chosen === undefined)
    throw new UserError(`${JSON.stringify(answer)} is not in the list`, `answer with a number or a name`);
  return chosen;
}

/** The same for objects with names; returns the chosen object. */
export async function chooseAmong<T extends { readonly name: string }>(
  what: string,
  variable: string,
  things: readonly T[],
  given: string | undefined,
): Promise<T> {
  const names = things.map(({ name }) => name);
  return things[names.indexOf(await choose(what, variable, names, given))] as T;
}

/**
 * Asks for confirmation; `yes` skips the question.
 * @throws UserError if there is no terminal to ask on
 */
export async function confirmed(question: string, yes: boolean): Promise<boolean> {
  if (yes) return true;
  if (!canAsk()) throw new UserError(`${question} there is no terminal to ask on`, "confirm with YES=1 (or --yes)");
  return /^y(es)?$/i.test(await ask(`${question} [y/N] `));
}
