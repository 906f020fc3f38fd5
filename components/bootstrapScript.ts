import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The script of a ring's first boot; its variables are described at its top. The command line reads it too, without the engine's packages. */
export const bootstrapScript = readFileSync(join(__dirname, "bootstrap.sh"), "utf8");
