import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { parse, stringify } from "yaml";
import type { Zone } from "../../../config/platform";
import { runFolder } from "../pulumi/runFolder";
import { type OwnEnvironment, ownEnvironment, withOwnEnvironment } from "../stackFile/stackEdit";
import { UserError, isTerminal, reportToStderr } from "../../shared/terminal";
import { stackFile } from "../stack/openStack";
import { type DeployOptions, applyFile, zoneOfFile } from "../run/apply";

/** `kube-deploy-edit`. */
export async function edit(options: DeployOptions): Promise<void> {
  const editor = editorOf(process.env, isTerminal());
  const zone = await zoneOfFile(options);
  const read = (): string => readFileSync(stackFile(options.stack), "utf8");
  const own = ownEnvironment(read(), zone);
  const wanted = editOwn(editor, zone, own, options.stack);
  if (isDeepStrictEqual(wanted, own)) {
    reportToStderr("nothing was changed");
    return;
  }
  // Read again: the file may have changed while the editor was open.
  const text = read();
  if (!isDeepStrictEqual(ownEnvironment(text, zone), own)) {
    throw new UserError(
      `the variables of zone ${zone.name} were changed in ${basename(stackFile(options.stack))} while you edited them`,
      "your edit was not applied; edit again",
    );
  }
  await applyFile(options, zone, withOwnEnvironment(text, zone, wanted), "kube-deploy-edit");
}

/** The user's editor. @throws UserError if there is none, and no terminal for vi */
export function editorOf(
  { KUBE_EDITOR, VISUAL, EDITOR }: Readonly<Record<string, string | undefined>>,
  terminal: boolean,
): string {
  const editor = KUBE_EDITOR ?? VISUAL ?? EDITOR;
  if (editor === undefined && !terminal)
    throw new UserError(
      "there is no terminal for the editor vi",
      "run the command on a terminal, or set EDITOR to a program that needs none",
    );
  return editor ?? "vi";
}

/** Opens an editor with the variables that a datacenter itself sets, and returns the edited ones. */
function editOwn(editor: string, zone: Zone, own: OwnEnvironment, stack: string): OwnEnvironment {
  const folder = mkdtempSync(join(runFolder(), "edit-"));
  try {
    const path = join(folder, `${zone.name}.yaml`);
    writeFileSync(path, editText(zone, own, stack));

    const run = spawnSync("sh", ["-c", `${editor} "$1"`, "sh", path], { stdio: "inherit" });
    if (run.status !== 0)
      throw new UserError(`${editor} ended with exit code ${run.status}`, "set EDITOR to another editor");
    return editedEnvironment(readFileSync(path, "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The text in the editor: the datacenter's own variables and, as comments, those that it inherits. */
export function editText(zone: Zone, own: OwnEnvironment, stack: string): string {
  const inherited = Object.entries(zone.environment).filter(
    ([name]) => !(name in own.environment || name in own.extraEnvironment),
  );
  const comments = stringify(Object.fromEntries(inherited)).trimEnd().split("\n");
  return [
    `# Run environment of zone ${zone.name}, stack ${stack}. Values set here apply to this zone only.`,
    stringify(own),
    "# Inherited from region, stack or defaults; set one above to change it for this zone:",
    ...comments.map((line) => `# ${line}`),
    "",
  ].join("\n");
}

/** Reads the edited text. The values are checked later, with the stack's file. */
export function editedEnvironment(text: string): OwnEnvironment {
  let found: unknown;
  try {
    found = parse(text) ?? {};
  } catch (error) {
    throw new UserError(
      `the saved text is not YAML: ${(error as Error).message.split("\n")[0]}`,
      "nothing was changed; edit again",
    );
  }
  const isMapping = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);
  const { environment, extraEnvironment, ...others } = found as Record<string, unknown>;
  if (
    isMapping(found) &&
    Object.keys(others).length === 0 &&
    [environment ?? {}, extraEnvironment ?? {}].every(isMapping)
  ) {
    return { environment: environment ?? {}, extraEnvironment: extraEnvironment ?? {} } as OwnEnvironment;
  }
  throw new UserError(
    "the saved text must be the two mappings environment and extraEnvironment",
    "write variables under one of them, such as KAZOO_LOG_LEVEL: debug; nothing was changed",
  );
}
