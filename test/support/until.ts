import { setTimeout as sleep } from "node:timers/promises";

/** Longest wait in ms. Tests do not depend on the machine's speed; this only ends a wait for what never happens. */
export const patience = 5 * 60_000;

/**
 * Polls until `check` returns something other than undefined and false.
 * @param what what is waited for, for the error
 * @param limit longest wait in ms
 * @throws Error with the last error of `check`, if it threw
 */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  limit = patience,
): Promise<T> {
  const end = Date.now() + limit;
  for (;;) {
    let last: unknown;
    try {
      const result = await check();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${limit / 1000} s in vain for ${what}${last === undefined ? "" : `: ${String(last)}`}`);
    }
    await sleep(50);
  }
}
