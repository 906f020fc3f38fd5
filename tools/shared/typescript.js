// Runs TypeScript files: require it before the first one.
const Module = require("node:module");

const { _extensions: loaders, _load: load } = Module;
const javascript = loaders[".js"];
withCacheBesidePackages(() => require("tsx/cjs"));

// tsx also translates packages, which takes longer than to load them. They need no translation.
loaders[".js"] = javascript;

// Pulumi's SDK loads these for functions that a program sends to a cloud: half of the time that it takes to load.
const onDemand = new Set(["typescript", "@npmcli/arborist"]);
Module._load = (name, ...rest) => {
  if (!onDemand.has(name)) return load(name, ...rest);
  Module._resolveFilename(name, ...rest); // without TypeScript, the SDK uses its own copy
  const get = (_, key) => (key === "__esModule" ? true : load(name, ...rest)[key]);
  return new Proxy({}, { get });
};

/** Runs `work` so that compiled code is kept beside the packages: tsx would keep it in the temporary folder, where it must be compiled again. */
function withCacheBesidePackages(work) {
  const { accessSync, constants, mkdirSync } = require("node:fs");
  const { join } = require("node:path");
  const cache = join(__dirname, "../../node_modules/.cache");
  const { TMPDIR, TSX_DISABLE_CACHE } = process.env;
  try {
    mkdirSync(cache, { recursive: true });
    accessSync(cache, constants.W_OK);
    Module.enableCompileCache?.(join(cache, "node")); // Node.js 22 and newer
    process.env.TMPDIR = cache;
  } catch {
    process.env.TSX_DISABLE_CACHE = "1"; // the packages belong to another user: compiling takes less than a second
  }
  work();
  for (const [name, value] of Object.entries({ TMPDIR, TSX_DISABLE_CACHE })) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}
