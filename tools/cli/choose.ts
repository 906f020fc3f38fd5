import { createInterface } from "node:readline/promises";
import { UserError } from "../shared/terminal";

/** Whether somebody can be asked: both ends of the conversation are a terminal. */
const canAsk = (): boolean => process.stdin.isTTY && process.stderr.isTTY;

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(question)).trim();
  } catch (error) {
    // By Ctrl-C or Ctrl-D, after which the cursor still stands behind the question.
    if ((error as Error).name !== "AbortError") throw error;
    process.stderr.write("\n");
    throw new UserError("interrupted", "nothing was changed", 130);
  } finally {
    terminal.close();
  }
}

/**
 * One of several things: the one that is given, the only one, or the one that is chosen on the terminal.
 * @param what what they are, e.g. `zone`
 * @param variable how one is given to make, e.g. `ZONE`
 * @throws UserError with the list, where nobody can be asked
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
    throw new UserError(`there is no ${what} ${given}`, `${variable}= takes one of ${names.join(", ")}`);
  }
  if (names.length === 1) return only;
  if (!canAsk()) {
    throw new UserError(
      `which ${what}? there are ${names.join(", ")}`,
      `choose one with ${variable}=, e.g. ${variable}=${only}`,
    );
  }
  process.stderr.write(names.map((name, index) => `${String(index + 1).padStart(3)}  ${name}\n`).join(""));
  const answer = await ask(`which ${what}? [1-${names.length}] `);
  const chosen = names.find((name, index) => answer === name || answer === String(index + 1));
  if (chosen === undefined)
    throw new UserError(`${JSON.stringify(answer)} is none of them`, `answer with a number or a name`);
  return chosen;
}

/** The same of things that have names: returns the thing itself. */
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
 * Asks before something is changed; `yes` is the answer given beforehand.
 * @throws UserError where nobody can be asked
 */
export async function confirmed(question: string, yes: boolean): Promise<boolean> {
  if (yes) return true;
  if (!canAsk()) throw new UserError(`${question} nobody can be asked here`, "YES=1 (or --yes) answers beforehand");
  return /^y(es)?$/i.test(await ask(`${question} [y/N] `));
}
