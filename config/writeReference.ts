import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withReference } from "./reference";

/** `npm run reference`: brings the config reference of the README up to date. */
const path = join(__dirname, "..", "README.md");
writeFileSync(path, withReference(readFileSync(path, "utf8")));
