import { writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { Command } from "commander";
import { stackFileSchemaText } from "../../../config/stackSchema";
import { reportToStderr } from "../../shared/terminal";
import { projectDirectory } from "../openStack";

/** `kazoo schema`: the JSON Schema of stack files, with which editors complete and check their keys. */
export function schemaCommand(): Command {
  const standard = join(projectDirectory, "config", "stack.schema.json");
  return new Command("schema")
    .description("write the JSON Schema of stack files, for editors: each key with its type, description and default")
    .option("--out <file>", "file to write to, if not the project's own config/stack.schema.json")
    .action(({ out }: { out?: string }) => {
      const path = out === undefined ? standard : resolve(out);
      writeFileSync(path, stackFileSchemaText());
      reportToStderr(`wrote ${relative(process.cwd(), path)}; in a stack's file, name it by its path from there:`);
      reportToStderr("# yaml-language-server: $schema=config/stack.schema.json");
    });
}
