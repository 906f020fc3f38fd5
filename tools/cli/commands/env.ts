import { quoted } from "../../shared/shell";
import { reportToStderr } from "../../shared/terminal";
import { exportedEnvironment, openStack } from "../stack/openStack";

/** Prints the variables that plain pulumi and kubectl need for a stack. */
export async function env({ stack }: { readonly stack: string }): Promise<void> {
  process.stdout.write(shellLines(exportedEnvironment(await openStack(stack, reportToStderr, { shared: true }))));
}

/** Shell code that sets variables, and unsets those that are null. */
export function shellLines(variables: Readonly<Record<string, string | null>>): string {
  return Object.entries(variables)
    .map(([name, value]) => (value === null ? `unset ${name}\n` : `export ${name}=${quoted(value)}\n`))
    .join("");
}
