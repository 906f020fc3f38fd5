import { askInside } from "./insideNode";
import type { PodPlace } from "./kubernetes";

/** Commands for a container's shell, by name of the question. */
export type Questions = Readonly<Record<string, string>>;

/** The result of a command. */
export interface Answer {
  readonly code: number;
  readonly text: string;
}

/** A script that runs all commands, each for at most so many seconds, and prints their standard output; see {@link readAnswers}. */
export const scriptOf = (questions: Questions, seconds: number): string =>
  [
    ...Object.entries(questions).map(
      ([name, command]) =>
        `printf '\\n#: %s\\n' '${name}'; timeout ${seconds} sh -c '${command.replaceAll("'", `'\\''`)}' </dev/null 2>/dev/null; printf '\\n#= %s\\n' "$?"`,
    ),
    "exit 0\n",
  ].join("\n");

/** Reads what {@link scriptOf} prints. */
export const readAnswers = (printed: string): Map<string, Answer> =>
  new Map(
    [...printed.matchAll(/^#: (.+)\n([\s\S]*?)\n#= (\d+)$/gm)].map(([, name = "", text = "", code]) => [
      name,
      { code: Number(code), text },
    ]),
  );

/** Asks a pod all questions. @throws UserError, SimulatedPodError */
export const askPod = async (
  place: PodPlace,
  questions: Questions,
  seconds: number,
  signal: AbortSignal,
): Promise<Map<string, Answer>> => readAnswers(await askInside(place, scriptOf(questions, seconds), { signal }));
