import { delimiter } from "node:path";
import { type Part, ensureToolchain, pruneToolchain, pulumiParts } from "../../toolchain";
import { quoted } from "../../shared/shell";
import { reportToStderr } from "../../shared/terminal";
import { partsFor, readPlatform } from "../stack/openStack";

/** Provides parts of the toolchain and prints their paths; by default those that the stack dev needs. `prune` removes old ones instead. */
export async function toolchain(parts: readonly Part[], prune: boolean): Promise<void> {
  if (prune) await removeOld();
  else await provide(parts.length > 0 ? parts : partsFor(readPlatform("dev")));
}

async function provide(parts: readonly Part[]): Promise<void> {
  const toolchain = await ensureToolchain(parts, reportToStderr);
  const own = (part: Part): boolean => toolchain.mode !== "system" || part === "pulumi" || !pulumiParts.includes(part);
  for (const part of parts) {
    process.stdout.write(`${part.padEnd(24)}${own(part) ? toolchain.binary(part) : "installed with Pulumi"}\n`);
  }
  if (toolchain.mode === "system" || !parts.includes("pulumi")) return;
  process.stdout.write("\nTo call pulumi yourself:\n");
  for (const [name, value] of Object.entries(toolchain.env)) {
    // The rest of PATH comes from the shell that evaluates this.
    const text = name === "PATH" ? `${quoted(value.split(delimiter)[0] ?? "")}:"$PATH"` : quoted(value);
    process.stdout.write(`  export ${name}=${text}\n`);
  }
}

async function removeOld(): Promise<void> {
  const { root, removed } = await pruneToolchain(reportToStderr);
  process.stdout.write(
    removed.length === 0 ? `nothing to remove in ${root}\n` : `removed from ${root}: ${removed.join(", ")}\n`,
  );
}
