import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withConnections } from "./connectionsTable";

/** `npm run reference`: brings the table of connections in docs/networking.md up to date. */
const page = join(__dirname, "..", "docs", "networking.md");
writeFileSync(page, withConnections(readFileSync(page, "utf8")));
