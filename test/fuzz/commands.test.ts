import assert from "node:assert/strict";
import { test } from "node:test";
import { type Command, CommanderError } from "commander";
import fc from "fast-check";
import { kazoo } from "../../tools/cli/commandLine";
import { UserError } from "../../tools/shared/terminal";

/** `FUZZ=10` generates ten times as many command lines. */
const times = Number(process.env["FUZZ"] ?? "1");

/** Every command with its path, such as `docker build`. */
const commandsOf = (command: Command, path: readonly string[] = []): { path: string[]; command: Command }[] =>
  command.commands.flatMap((child) => [
    { path: [...path, child.name()], command: child },
    ...commandsOf(child, [...path, child.name()]),
  ]);

/** Makes a command and its subcommands throw instead of exiting, without output. */
function quiet(command: Command): Command {
  command.exitOverride().configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  command.commands.forEach(quiet);
  return command;
}

const word = fc.oneof(
  fc.constantFrom("", "--", "-", "--stack", "--zone=", "-s", "--yes", "--json", "__proto__", "../..", "%s", "$(id)"),
  fc.string({ maxLength: 12, unit: "binary" }),
  fc.string({ minLength: 2_000, maxLength: 2_000 }),
);

/** Never the name of an existing stack, because the commands are the real ones. */
const stack = word.filter((name) => !/dev|docker|rehearsal/.test(name)).map((name) => `no-such-stack${name}`);

/** The message that refuses a command line, or an empty one. */
async function refusal(words: readonly string[]): Promise<string> {
  try {
    await quiet(kazoo()).parseAsync(words, { from: "user" });
    return "";
  } catch (error) {
    if (!(error instanceof UserError) && !(error instanceof CommanderError)) throw error;
    return error.message;
  }
}

test("a command for a stack that does not exist is refused in one message, whatever its name", async (t) => {
  const paths = commandsOf(kazoo())
    .filter(({ command }) => command.options.some(({ long }) => long === "--stack"))
    // Except commands that take names of clusters, write the stack's file, or read other files first.
    .filter(({ path: [first = ""] }) => !["sandbox", "init", "backup", "restore"].includes(first))
    .map(({ path, command }) => [
      ...path,
      ...command.options
        .filter(({ mandatory }) => mandatory)
        .map(({ long, argChoices }) => `${long}=${argChoices?.[0] ?? "1"}`),
      ...command.registeredArguments.filter(({ required }) => required).map(({ argChoices }) => argChoices?.[0] ?? "1"),
    ]);
  assert.ok(paths.length > 30, String(paths.length));
  let count = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), stack, async (path, name) => {
      count++;
      const message = await refusal([...path, `--stack=${name}`]);
      assert.match(message, /there is no stack/, message);
    }),
    { numRuns: 2_000 * times },
  );
  t.diagnostic(`${count} command lines`);
});

test("any arguments are parsed or refused in one message", async (t) => {
  let count = 0;
  const paths = commandsOf(kazoo()).map(({ path }) => path);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), fc.array(word, { maxLength: 5 }), async (path, words) => {
      count++;
      const program = quiet(kazoo());
      // This only parses the arguments; no command runs.
      commandsOf(program).forEach(({ command }) => command.action(() => undefined));
      await program.parseAsync([...path, ...words], { from: "user" }).catch((error: unknown) => {
        if (!(error instanceof CommanderError)) throw error;
        assert.notEqual(error.message, "");
      });
    }),
    { numRuns: 5_000 * times },
  );
  t.diagnostic(`${count} command lines`);
});
