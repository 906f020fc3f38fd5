import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withReference } from "./reference";
import { stackFileSchemaText } from "./stackSchema";

/** `npm run reference`: brings the config reference in docs/configuration.md and the JSON Schema of stack files up to date. */
const page = join(__dirname, "..", "docs", "configuration.md");
writeFileSync(page, withReference(readFileSync(page, "utf8")));
writeFileSync(join(__dirname, "stack.schema.json"), stackFileSchemaText());
