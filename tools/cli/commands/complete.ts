import { join } from "node:path";
import type { Command } from "commander";
import type { Platform } from "../../../config/platform";
import { knownStacks } from "../../../config/stackFile";
import { quoted } from "../../shared/shell";
import { UserError } from "../../shared/terminal";
import { projectDirectory, readPlatform } from "../stack/openStack";

const shells = ["bash", "zsh", "fish"];

/**
 * Prints a script for a shell's start-up file; on the tab key that script calls `kazoo complete -- WORDS`, which prints what can come next.
 * @param words the shell, or the words to complete
 * @param others the program with all its other commands
 */
export async function complete(words: readonly string[], others: Command): Promise<void> {
  // Commander drops the dashes.
  const asked = process.argv.includes("--");
  const [shell = ""] = words;
  if (!asked && !shells.includes(shell)) {
    throw new UserError(
      `there is no completion for ${quoted(shell)}`,
      `one of ${shells.join(", ")}: kazoo complete bash`,
    );
  }
  const completion = await completionOf(others, words);
  if (asked) completion.parse([...words]);
  else completion.setup("kazoo", `node ${quoted(join(projectDirectory, "tools/cli/kazoo.js"))}`, shell);
}

/** The library's model of the commands, with the names of stacks and zones, which it cannot know. */
async function completionOf(program: Command, words: readonly string[]) {
  const { default: tab } = await import("@bomb.sh/tab/commander");
  const completion = tab(program);
  // The library's own command, which ours replaces.
  completion.commands.delete("complete");
  for (const { options } of completion.commands.values()) {
    for (const [name, values] of Object.entries(names)) {
      const option = options.get(name);
      if (option !== undefined) option.handler = (complete) => values(words).forEach((value) => complete(value, ""));
    }
  }
  return completion;
}

/** Values of options by name. */
const names: Record<string, (words: readonly string[]) => readonly string[]> = {
  stack: () => knownStacks(projectDirectory),
  zone: (words) => namesIn(words, ({ zones }) => zones.map(({ name }) => name)),
  ring: (words) => namesIn(words, ({ rings }) => Object.keys(rings)),
};

function stackIn(words: readonly string[]): string {
  const place = Math.max(words.lastIndexOf("--stack"), words.lastIndexOf("-s"));
  return place === -1 ? "dev" : (words[place + 1] ?? "dev");
}

function namesIn(words: readonly string[], of: (platform: Platform) => readonly string[]): readonly string[] {
  try {
    return of(readPlatform(stackIn(words)));
  } catch {
    return []; // a config with mistakes has no names to offer; other commands say what is wrong with it
  }
}
