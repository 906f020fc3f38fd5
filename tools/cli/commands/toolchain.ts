import { delimiter } from "node:path";
import { Argument, Command } from "commander";
import { sandboxParts } from "../../sandbox";
import { type Part, allParts, ensureToolchain, pruneToolchain, pulumiParts } from "../../toolchain";
import { quoted } from "../../shared/shell";
import { reportToStderr } from "../../shared/terminal";

/** `kazoo toolchain [parts...]`: makes sure that the parts are there and says where. Without names: what dev needs. */
export function toolchainCommand(): Command {
  const parts = new Argument("[parts...]", "what to provide").choices(allParts).default(devParts, devParts.join(" "));
  return new Command("toolchain")
    .description("provide the Pulumi CLI, its plugins and the sandbox's programs, building what cannot be downloaded")
    .addArgument(parts)
    .option("--prune", "remove what older versions of the project have built, and Go's build cache of the toolchain")
    .addHelpText(
      "after",
      "\nTOOLCHAIN=build builds everything, TOOLCHAIN=system takes the Pulumi that is installed; unset: system where it works.",
    )
    .action(async (wanted: readonly Part[], options: { readonly prune?: true }) => {
      if (options.prune) await prune();
      else await provide(wanted);
    });
}

/** What the stack `dev` needs. */
const devParts: readonly Part[] = ["pulumi", "language", "kubernetes", "random", ...sandboxParts];

async function provide(parts: readonly Part[]): Promise<void> {
  const toolchain = await ensureToolchain(parts, reportToStderr);
  const own = (part: Part): boolean => toolchain.mode === "build" || part === "pulumi" || !pulumiParts.includes(part);
  for (const part of parts) {
    process.stdout.write(`${part.padEnd(24)}${own(part) ? toolchain.binary(part) : "as installed with Pulumi"}\n`);
  }
  if (toolchain.mode === "system" || !parts.includes("pulumi")) return;
  process.stdout.write("\nTo call pulumi yourself:\n");
  for (const [name, value] of Object.entries(toolchain.env)) {
    // The rest of the PATH is that of the shell it is set in.
    const text = name === "PATH" ? `${quoted(value.split(delimiter)[0] ?? "")}:"$PATH"` : quoted(value);
    process.stdout.write(`  export ${name}=${text}\n`);
  }
}

async function prune(): Promise<void> {
  const { root, removed } = await pruneToolchain(reportToStderr);
  process.stdout.write(
    removed.length === 0 ? `nothing to remove in ${root}\n` : `removed from ${root}: ${removed.join(", ")}\n`,
  );
}
