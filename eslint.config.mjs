import pulumi from "@pulumi/eslint-plugin";
import boundaries from "eslint-plugin-boundaries";
import importX from "eslint-plugin-import-x";
import tseslint from "typescript-eslint";

const tools = ["tools/sandbox", "tools/toolchain", "tools/report", "tools/topology", "tools/shared", "config"];
/** The folders of the commands, from top to bottom. Each may import from those below it. */
const cli = ["commands", "doctor", "runbook", "run", "cluster", "docker", "stack", "stackFile", "pulumi"].map(
  (name) => `tools/cli/${name}`,
);
/** The folders, and what each may import besides itself: imports point down only. A folder stands before the one around it. */
const rooms = {
  components: ["config"],
  config: [],
  policy: ["config"],
  ...Object.fromEntries(cli.map((name, index) => [name, [...cli.slice(index + 1), ...tools]])),
  "tools/cli": [...cli, ...tools],
  "tools/sandbox": ["tools/toolchain", "tools/shared"],
  "tools/toolchain": ["tools/shared"],
  "tools/report": ["tools/shared", "config"],
  "tools/topology": ["tools/shared", "config"],
  "tools/shared": [],
};
/** The folders that may import the one file of plain names and ports, which loads nothing. */
const readNames = ["policy", ...cli, "tools/report", "tools/topology"];

export default tseslint.config(
  { ignores: ["node_modules/", ".sandbox/", ".state/", "eslint.config.mjs"] },
  ...tseslint.configs.recommended,
  {
    files: ["**/*.ts"],
    languageOptions: { parserOptions: { projectService: true } },
    plugins: { "@pulumi": pulumi },
    rules: {
      "@typescript-eslint/no-floating-promises": [
        "error",
        {
          allowForKnownSafeCalls: [
            { from: "package", package: "node:test", name: ["test", "describe", "it", "suite"] },
          ],
        },
      ],
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      // index.ts exports the program itself, as the engine calls it.
      "@typescript-eslint/no-require-imports": ["error", { allowAsImport: true }],
    },
  },
  {
    files: Object.keys(rooms).map((room) => `${room}/**/*.ts`),
    plugins: { boundaries },
    settings: {
      "import/resolver": { node: { extensions: [".ts", ".js"] } },
      "boundaries/elements": Object.keys(rooms).map((room) => ({ type: room, pattern: room, partialMatch: false })),
      "boundaries/files": [{ category: "names", pattern: "components/names.ts" }],
      "boundaries/dependency-nodes": ["import", "dynamic-import", "export", "require"],
    },
    rules: {
      "boundaries/dependencies": [
        "error",
        {
          default: "disallow",
          policies: [
            { allow: { to: { module: { origin: ["external", "core"] } } } },
            ...Object.entries(rooms).map(([room, below]) => ({
              from: { element: { type: room } },
              allow: { to: { element: { types: { anyOf: [room, ...below] } } } },
            })),
            {
              from: { element: { types: { anyOf: readNames } } },
              allow: { to: { file: { categories: "names" } } },
            },
          ],
        },
      ],
      // Files outside these folders, such as index.ts and the tests, may import from all of them.
      "boundaries/no-unknown-dependencies": "error",
    },
  },
  {
    files: ["components/names.ts"],
    // Plain names: nothing here loads Pulumi.
    rules: { "no-restricted-imports": ["error", { patterns: [{ regex: "^(?!\\.\\./config/hosts$)" }] }] },
  },
  {
    files: ["**/*.ts"],
    plugins: { "import-x": importX },
    settings: {
      "import-x/extensions": [".ts"],
      "import-x/resolver": { node: { extensions: [".ts", ".js"] } },
      "import-x/parsers": { "@typescript-eslint/parser": [".ts"] },
    },
    rules: { "import-x/no-cycle": "error" },
  },
  {
    // The command line loads a command's code when it runs, and the program when Pulumi does.
    files: ["tools/cli/commandLine.ts", "tools/cli/pulumi/program.ts", "**/*.js"],
    rules: { "@typescript-eslint/no-require-imports": "off" },
  },
);
