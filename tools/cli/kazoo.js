#!/usr/bin/env node
// Plain JavaScript without packages: an old Node.js or missing packages must get one clear line.
require("./nodeVersion.js");
try {
  require.resolve("tsx/cjs");
} catch (error) {
  if (error.code !== "MODULE_NOT_FOUND") throw error;
  console.error("error: the packages are not installed\nnext: npm ci (make does it for you)");
  process.exit(1);
}
withCacheBesidePackages(() => require("tsx/cjs"));
// tsx wants stack traces in TypeScript lines. Pulumi takes traces for each resource, and translating them takes a tenth of a preview's time.
process.setSourceMapsEnabled(false);
void require("./main.ts").run();

/** Runs `load` so that compiled code is kept beside the packages: tsx would keep it in the temporary folder, where it must be compiled again. */
function withCacheBesidePackages(load) {
  const { accessSync, constants, mkdirSync } = require("node:fs");
  const { join } = require("node:path");
  const cache = join(__dirname, "../../node_modules/.cache");
  const { TMPDIR, TSX_DISABLE_CACHE } = process.env;
  try {
    mkdirSync(cache, { recursive: true });
    accessSync(cache, constants.W_OK);
    require("node:module").enableCompileCache?.(join(cache, "node")); // Node.js 22 and newer
    process.env.TMPDIR = cache;
  } catch {
    process.env.TSX_DISABLE_CACHE = "1"; // the packages belong to another user: compiling takes less than a second
  }
  load();
  for (const [name, value] of Object.entries({ TMPDIR, TSX_DISABLE_CACHE })) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}
