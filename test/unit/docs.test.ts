import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { describe, test } from "node:test";
import type { Command } from "commander";
import { format, resolveConfig } from "prettier";
import { parse, stringify } from "yaml";
import { withConnections } from "../../components/connectionsTable";
import { withReference } from "../../config/reference";
import { readStackFile } from "../../config/stackFile";
import { kazoo } from "../../tools/cli/commandLine";
import { anchors, codeBlocks, inlineCode, links, page, pages, project } from "../support/markdown";

const everyPage = pages();

test("the README is one page", () => {
  const { text } = page("README.md");
  assert.ok(text.trimEnd().split("\n").length <= 150, "at most 150 lines");
  assert.ok(Buffer.byteLength(text) <= 12 * 1024, "at most 12 KiB");
});

test("make alone lists all targets, starting with the README's ten of every day", () => {
  const { stdout, status } = spawnSync("make", { cwd: project, encoding: "utf8" });
  assert.equal(status, 0);
  const listed = [...stdout.matchAll(/^ {2}([a-z0-9-]+) +\S/gm)].map(([, target]) => target);
  const [, section = ""] = page("README.md").text.split("## The ten commands of every day");
  const daily = [...(section.split("\n## ")[0] ?? "").matchAll(/^\| `make ([a-z-]+)` /gm)].map(([, target]) => target);
  assert.equal(daily.length, 10);
  assert.deepEqual(listed.slice(0, 10), daily);
  const all = [...readFileSync(join(project, "Makefile"), "utf8").matchAll(/^([a-z][a-z0-9-]*):/gm)].map(
    ([, target]) => target,
  );
  assert.deepEqual(listed, all);
});

for (const [name, file, generate] of [
  ["config reference", "docs/configuration.md", withReference],
  ["table of connections", "docs/networking.md", withConnections],
] as const) {
  test(`the ${name} is up to date`, async () => {
    const path = join(project, file);
    const text = readFileSync(path, "utf8");
    const current = await format(generate(text), { ...(await resolveConfig(path)), filepath: path });
    assert.equal(current, text, "run: npm run reference");
  });
}

test("the index of docs/ lists every page", () => {
  const listed = links(page("docs/README.md").text).map((target) => target.replace(/#.*/, ""));
  for (const name of readdirSync(join(project, "docs")).filter(
    (file) => file.endsWith(".md") && file !== "README.md",
  )) {
    assert.ok(listed.includes(name), `docs/README.md does not list ${name}`);
  }
});

test("every relative link leads to a file, and every anchor to a heading", () => {
  const broken = everyPage.flatMap(({ path, text }) =>
    links(text)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => !leads(path, target))
      .map((target) => `${path}: ${target}`),
  );
  assert.deepEqual(broken, []);
});

/** Whether a link on a page leads somewhere; an anchor only counts on Markdown pages. */
function leads(from: string, target: string): boolean {
  const [file = "", anchor] = target.split("#");
  const path = file === "" ? from : normalize(join(dirname(from), file));
  if (!existsSync(join(project, path))) return false;
  return anchor === undefined || (path.endsWith(".md") && anchors(page(path).text).has(anchor));
}

test("every page and heading that the code refers to exists", () => {
  const broken = ["Makefile", "Pulumi.yaml", "index.ts", "config", "components", "tools", "image"]
    .flatMap((name) => (name.includes(".") || name === "Makefile" ? [name] : filesBelow(name)))
    .flatMap((path) =>
      [...readFileSync(join(project, path), "utf8").matchAll(/\bdocs\/[a-z-]+\.md(#[a-z0-9-]+)?/g)]
        .map(([reference]) => reference)
        .filter((reference) => !leads("README.md", reference))
        .map((reference) => `${path}: ${reference}`),
    );
  assert.deepEqual(broken, []);
});

const filesBelow = (folder: string): string[] =>
  readdirSync(join(project, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|js|sh|yaml)$|^Dockerfile$|^entrypoint$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(project.length + 1));

test("every config that is shown is valid", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kazoo-docs-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const rest = {
    "kazoo:clusters": { local: { sandbox: true } },
    "kazoo:regions": { local: { cluster: "local", datacenters: { dev: {} } } },
    "kazoo:registryPassword": { secure: "…" },
  };
  const shown = everyPage.flatMap(({ path, text }) =>
    codeBlocks(text)
      .filter(({ language, code }) => language === "yaml" && code.includes("kazoo:"))
      .map((block) => ({ ...block, path })),
  );
  assert.ok(shown.length >= 5);
  for (const { path, line, code } of shown) {
    const config = parse(code) as Record<string, unknown>;
    // A whole stack file, or some of its keys.
    const used = "username" in ((config["kazoo:image"] as { build?: object } | undefined)?.build ?? {});
    const { "kazoo:registryPassword": password, ...others } = rest;
    const filled = { ...others, ...(used ? { "kazoo:registryPassword": password } : {}), ...config };
    writeFileSync(join(directory, "Pulumi.shown.yaml"), "config" in config ? code : stringify({ config: filled }));
    assert.doesNotThrow(() => readStackFile(directory, "shown"), `${path}:${line}`);
  }
});

describe("every command on a page", () => {
  const shell = everyPage.flatMap(({ path, text }) =>
    codeBlocks(text)
      .filter(({ language }) => language === "sh")
      .map((block) => ({ ...block, path })),
  );
  // Where commands are written: a line of a block, or a piece of inline code.
  const commands = everyPage.flatMap(({ path, text }) =>
    [
      ...codeBlocks(text).flatMap(({ language, code }) => (language === "sh" ? code.split("\n") : [])),
      ...inlineCode(text),
    ].map((command) => ({ path, command: command.replace(/(^|\s)#.*/, "") })),
  );
  const named = (pattern: RegExp) =>
    commands.flatMap(({ path, command }) =>
      [...command.matchAll(pattern)].map((found) => ({ where: `${path}: ${command}`, words: found.slice(1) })),
    );

  test("is valid shell", () => {
    for (const { path, line, code } of shell) {
      const { status, stderr } = spawnSync("bash", ["-n"], { input: code, encoding: "utf8" });
      assert.equal(status, 0, `${path}:${line}: ${stderr}`);
    }
  });

  test("names an existing make target with its variables", () => {
    const makefile = readFileSync(join(project, "Makefile"), "utf8");
    const targets = new Set([...makefile.matchAll(/^([a-z][a-z0-9-]*):/gm)].map(([, target]) => target));
    const variables = new Set(makefile.match(/\b[A-Z_]+\b/g));
    const found = named(/(?:^|[\s(;&])make ((?:[^\s`;&|)]+ ?)+)/g);
    assert.ok(found.length > 40);
    const wrong = found.filter(({ words }) => {
      const given = (words[0] ?? "").trim().split(" ");
      const known = (word: string) => targets.has(word) || variables.has(/^([A-Z_]+)=/.exec(word)?.[1] ?? "");
      return !given.every((word) => word.startsWith("-") || known(word));
    });
    assert.deepEqual(
      wrong.map(({ where }) => where),
      [],
    );
  });

  test("names an existing kazoo command with its options", () => {
    const found = named(/(?:npx|^) ?kazoo ((?:(?!kazoo:)[^\s`"')]+ ?)+)/g);
    assert.ok(found.length > 8);
    const wrong = found.filter(({ words }) => !exists(kazoo(), (words[0] ?? "").trim().split(" ")));
    assert.deepEqual(
      wrong.map(({ where }) => where),
      [],
    );
  });

  test("names an existing npm script", () => {
    const { scripts } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as { scripts: object };
    for (const { where, words } of named(/npm run ([\w:-]+)/g)) assert.ok((words[0] ?? "") in scripts, where);
  });
});

/** Whether the words are a subcommand with its own options. Placeholders such as COMMAND match any. */
function exists(command: Command, [word, ...rest]: readonly string[]): boolean {
  if (word === undefined || word === "--" || /^[A-Z]+$/.test(word)) return true;
  if (word.startsWith("-")) {
    const option = command.options.find(({ long, short }) => word === long || word === short);
    return word === "--help" || (option !== undefined && exists(command, option.required ? rest.slice(1) : rest));
  }
  const inner = command.commands.find((candidate) => candidate.name() === word);
  // A word that is not a subcommand is an argument, if the command takes arguments.
  return (inner !== undefined || command.registeredArguments.length > 0) && exists(inner ?? command, rest);
}

/** Why a code block of shell commands does not run on the sandbox (test/integration/docs.test.ts), by its page and the beginning of its first line. */
const elsewhere: Readonly<Record<string, string>> = {
  "README.md: eval": "needs clusters and a backend of the user",
  "README.md: make test-unit": "runs the tests",
  "docs/configuration.md: pulumi config set": "needs a stack in a backend of the user",
  "docs/docker.md: make up STACK=docker":
    "needs a Docker Engine; test/image/stackDocker.test.ts and targets.test.ts run them",
  "docs/from-docker-kazoo.md: docker run": "needs a Docker Engine; test/image/imageRun.test.ts runs it",
  "docs/image.md: make -s images": "needs skopeo, a mirror and Docker Hub",
  "docs/operations.md: npx kazoo init": "needs a cluster of the user; test/unit/init.test.ts runs it",
  "docs/operations.md: eval": "needs a backend of the user",
  "docs/operations.md: openssl rand": "needs a stack of the user; test/integration/backup.test.ts runs them",
  "docs/policy.md: npx kazoo preview --stack prod":
    "needs a stack of the user; test/integration/policy.test.ts uses such a file",
  "docs/regions.md: make up STACK=prod": "needs a stack of the user; test/integration/regions.test.ts runs them",
  "docs/regions.md: make split": "needs a stack of the user; test/integration/regions.test.ts runs them",
  "docs/regions.md: pulumi preview": "needs a stack of the user",
  "docs/regions.md: eval": "needs a backend of the user",
  "docs/regions.md: pulumi up": "needs a backend of the user",
  "docs/performance.md: make bench": "it takes an hour",
  "docs/regions.md: npx kazoo operator": "needs the operator; test/unit/operator.test.ts runs it",
  "docs/rings.md: kubectl": "the sandbox runs no containers; test/unit/joinScript.test.ts runs it",
  "docs/runbooks.md: make add": "needs a stack of the user; test/integration/runbooks.test.ts runs it",
  "docs/runbooks.md: make scale": "needs a stack of the user; test/integration/runbooks.test.ts runs it",
  "docs/runbooks.md: make drain": "needs a stack of the user; test/integration/runbooks.test.ts runs them",
  "docs/runbooks.md: make grow": "needs a stack of the user; test/integration/runbooks.test.ts runs it",
  "docs/runbooks.md: kubectl -n us-east-nyc patch": "needs a stack of the user",
  "docs/runbooks.md: make rotate": "needs a stack of the user; test/integration/runbooks.test.ts runs them",
  "docs/runbooks.md: kubectl -n us-east-nyc exec": "the sandbox runs no containers",
  "docs/runbooks.md: make rebalance": "the sandbox has no databases whose shards could move",
  "docs/runbooks.md: make remove": "needs a stack of the user; test/integration/runbooks.test.ts runs it",
  "docs/runbooks.md: make rename": "needs a stack of the user; test/integration/regions.test.ts runs it",
  "docs/runbooks.md: make move-images": "needs a stack of the user; test/integration/targets.test.ts runs it",
  "docs/runbooks.md: make use-context": "needs a stack of the user; test/integration/targets.test.ts runs it",
  "docs/runbooks.md: make upgrade": "needs a stack of the user; test/integration/runbooks.test.ts runs some",
  "docs/sandbox.md: apt-get": "needs root; the gate runs them",
  "docs/sandbox.md: kind create": "needs kind",
  "docs/sandbox.md: eval": "needs kind",
  "docs/security.md: user=kazoo":
    "needs a cluster of the user; test/unit/existingSecrets.test.ts runs the part that makes the file",
};

test("each code block of shell commands runs on the sandbox, or has a reason why it does not", () => {
  const others = pages().flatMap(({ path, text }) =>
    codeBlocks(text)
      .filter(({ language, words }) => language === "sh" && !words.includes("sandbox"))
      .map(({ code }) => `${path}: ${code}`),
  );
  const beginnings = Object.keys(elsewhere);
  const reasonsFor = (block: string) => beginnings.filter((beginning) => block.startsWith(beginning));
  assert.deepEqual(
    others.filter((block) => reasonsFor(block).length === 0),
    [],
  );
  assert.deepEqual(
    beginnings.filter((beginning) => !others.some((block) => block.startsWith(beginning))),
    [],
  );
});
