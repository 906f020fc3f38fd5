import { AsyncLocalStorage } from "node:async_hooks";

/** One of several runs side by side in this process. */
export interface Beside {
  /** Begins each line that it prints. */
  readonly name: string;
  /** Stops it gracefully. */
  readonly stop: AbortSignal;
  /** Receives each line of Pulumi's output. @default it is printed */
  readonly show?: (line: string) => void;
}

const current = new AsyncLocalStorage<Beside>();

/** Does something as one of several runs. */
export const runBeside = <T>(run: Beside, work: () => Promise<T>): Promise<T> => current.run(run, work);

/** The run that this code belongs to; undefined if it is the only one. */
export const beside = (): Beside | undefined => current.getStore();

/** Lines of text, each with the name of its run in front, if there are several. */
export function labelled(text: string): string {
  const name = current.getStore()?.name;
  return name === undefined ? text : text.replace(/(?<=^|\n)(?=[^])/g, `${name}: `);
}
