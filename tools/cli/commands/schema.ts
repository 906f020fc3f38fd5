import { writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { stackFileSchemaText } from "../../../config/stackSchema";
import { reportToStderr } from "../../shared/terminal";
import { projectDirectory } from "../stack/openStack";

/** Writes the JSON Schema of stack files, for completion and checks in editors, to `out` or to the project's own file. */
export function schema(out?: string): void {
  const path = out === undefined ? join(projectDirectory, "config", "stack.schema.json") : resolve(out);
  writeFileSync(path, stackFileSchemaText());
  reportToStderr(`wrote ${relative(process.cwd(), path)}; refer to it in a stack's file, by a relative path:`);
  reportToStderr("# yaml-language-server: $schema=config/stack.schema.json");
}
