import type { UserError } from "./terminal";

/** Waits until a condition holds, for at most so many seconds. @throws UserError from `otherwise` */
export async function until(
  seconds: number,
  otherwise: () => UserError,
  condition: () => Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw otherwise();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
