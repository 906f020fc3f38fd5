import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import type { Platform } from "../../../config/platform";
import { stackFilePath } from "../../../config/stackFile";
import { partOf } from "../../../config/stackPart";
import { readYaml } from "../../../config/yaml";
import { UserError, reportToStderr } from "../../shared/terminal";
import { versions } from "../../toolchain/parts";
import { projectDirectory, readPlatform } from "../stack/openStack";
import { type OperatorSettings, operatorStacks, secretKeys } from "../stack/operatorStacks";

export interface OperatorOptions {
  readonly stack: string;
  /** File to write. @default standard output */
  readonly out?: string;
  readonly repository?: string;
  readonly branch?: string;
  readonly commit?: string;
  readonly folder?: string;
  readonly gitSecret?: string;
  readonly namespace?: string;
  readonly backend?: string;
  readonly secret: string;
  readonly kubeconfigSecret: string;
  readonly serviceAccount: string;
  readonly image?: string;
  readonly new: boolean;
}

/** Writes the objects with which the Pulumi Kubernetes Operator deploys a stack. */
export async function operator(options: OperatorOptions): Promise<void> {
  const { stack, out } = options;
  const platform = readPlatform(stack);
  refuseUnfit(platform, stack);
  const file = stackFilePath(projectDirectory, stack);
  const settings: OperatorSettings = {
    ...options,
    file: basename(file),
    git: await gitSource(options),
    secretsProvider: providerIn(file),
    image: options.image ?? `pulumi/pulumi:${versions.pulumi}-nonroot`,
    isNew: options.new,
  };
  const objects = operatorStacks(platform, settings);
  const text = `${comment(settings)}${objects.map((object) => `---\n${stringify(object, { lineWidth: 0 })}`).join("")}`;
  if (out === undefined) return void process.stdout.write(text);
  writeFileSync(out, text);
  reportToStderr(`${out}: ${objects.length} ${objects.length === 1 ? "Stack" : "Stacks"}`);
}

/** @throws UserError if the operator's pods cannot deploy the stack, or it is only a region's */
function refuseUnfit(platform: Platform, stack: string): void {
  const { whole } = partOf(platform, stack);
  if (whole !== stack)
    throw new UserError(
      `${stack} is the stack of a region, and the operator needs the stacks of all regions`,
      `name the whole: npx kazoo operator --stack ${whole}`,
    );
  const own = Object.values(platform.clusters).find(({ kind }) => kind !== "kubernetes");
  if (own !== undefined)
    throw new UserError(
      `cluster ${own.name} is ${own.kind === "docker" ? "a Docker Engine" : "the sandbox on this machine"}, and the operator's pods cannot reach it`,
      "choose a stack on Kubernetes",
    );
  if (platform.image.kind === "build")
    throw new UserError(
      `stack ${stack} builds the Kazoo image, and the operator's pods have no Docker Engine`,
      "push the image yourself, and name it: kazoo:image: { prebuilt: registry.example.com/kazoo:4.3 }",
    );
}

/** What encrypts the secrets, as Pulumi has it in the stack's file. */
function providerIn(file: string): string | undefined {
  const { value } = readYaml(readFileSync(file), basename(file));
  const { secretsprovider, encryptionsalt } = (value ?? {}) as { secretsprovider?: string; encryptionsalt?: string };
  return secretsprovider ?? (encryptionsalt === undefined ? undefined : "passphrase");
}

async function gitSource(options: OperatorOptions): Promise<OperatorSettings["git"]> {
  const { commit, gitSecret: secret } = options;
  if (commit !== undefined && options.branch !== undefined)
    throw new UserError("both a branch and a commit are given", "give only the one that the operator is to deploy");
  const repository = options.repository ?? (await git("remote", "get-url", "origin"));
  if (repository === undefined || /^[./]|^file:/.test(repository))
    throw new UserError(
      `the working tree has no remote origin${repository === undefined ? "" : ` elsewhere, but ${repository}`}`,
      "give the repository: REPOSITORY=https://git.example.com/telephony/kazoo.git",
    );
  const branch = options.branch ?? (commit === undefined ? await git("symbolic-ref", "--short", "HEAD") : undefined);
  if (branch === undefined && commit === undefined)
    throw new UserError("the working tree is on no branch", "give BRANCH=main, or COMMIT=");
  const folder = options.folder ?? (await git("rev-parse", "--show-prefix"))?.replace(/\/$/, "");
  return { repository: withoutLogin(repository), branch, commit, folder: folder === "" ? undefined : folder, secret };
}

/** A remote's URL may hold a token. */
const withoutLogin = (url: string): string => url.replace(/^(https?:\/\/)[^/]*@/, "$1");

/** What git prints, without its line feed; undefined if it fails or prints nothing. */
async function git(...args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("git", [...args], { cwd: projectDirectory });
    return stdout.trim() === "" ? undefined : stdout.trim();
  } catch {
    return undefined;
  }
}

/** A comment that lists what else must exist. */
function comment(settings: OperatorSettings): string {
  const { stack, secret, kubeconfigSecret, serviceAccount, git: source } = settings;
  const keys = secretKeys(settings);
  return [
    `# Made by npx kazoo operator --stack ${stack}; see docs/regions.md. In the same namespace it needs:`,
    ...(keys.length === 0 ? [] : [`# - the Secret ${secret} with ${keys.join(" and ")}`]),
    `# - the Secret ${kubeconfigSecret} with kubeconfig, a file with the contexts of all clusters`,
    ...(source.secret === undefined ? [] : [`# - the Secret ${source.secret} with token, to read the repository`]),
    `# - the ServiceAccount ${serviceAccount}, bound to the ClusterRole system:auth-delegator`,
    "",
  ].join("\n");
}
