import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withReference } from "./reference";

/** `npm run reference`: brings the config reference in docs/configuration.md up to date. */
const path = join(__dirname, "..", "docs", "configuration.md");
writeFileSync(path, withReference(readFileSync(path, "utf8")));
