import { existsSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { ConfigError } from "../../../config/problem";
import type { KubernetesCluster } from "../../../config/platform";
import { platformOfBytes, stackFilePath } from "../../../config/stackFile";
import { UserError, colours, reportToStderr } from "../../shared/terminal";
import { ask, canAsk, choose, confirmed } from "../../shared/choose";
import { clusterFacts } from "../cluster/clusterFacts";
import { type ClusterFacts, clusterFindings } from "../cluster/clusterFindings";
import { type FirstStack, firstStackText } from "../stackFile/firstStack";
import { contextNames } from "../cluster/kubernetes";
import { projectDirectory } from "../stack/openStack";

/** The answers given as options; `yes` answers the question whether to write the file. */
export type InitOptions = { readonly yes?: boolean } & {
  readonly [name in "stack" | "context" | "region" | "datacenter" | "registry" | "image" | "storageClass"]?: string;
};

/**
 * Writes the file of a first stack, after checking its cluster. Asks for what the options do not answer.
 * @param folder the folder to write the file to
 * @returns 0, or 1 if nothing was written
 */
export async function init(options: InitOptions, folder = projectDirectory): Promise<number> {
  if (!canAsk()) requireAnswers(options);
  const stack = options.stack ?? (await answer("Name of the stack, e.g. production: "));
  const path = newFile(folder, stack);
  const context = await choose("context", "--context", await contextNames(), options.context);
  const region = options.region ?? (await answer("Region, e.g. us-east: "));
  const datacenter = options.datacenter ?? (await answer("Datacenter in it, e.g. nyc: "));
  const image = imageOf(options) ?? imageAnswered(await answer(imageQuestion));
  const given = { context, region, datacenter, image };

  const { cluster, namespace } = placeOf({ ...given, storageClass: options.storageClass }, path);
  reportToStderr(`checking the cluster of context ${context}`);
  // Errors name the cluster by its context, which the user knows.
  const facts = await clusterFacts({ ...cluster, name: context }, namespace);
  const storageClass = options.storageClass ?? (await classAnswered(facts));
  const findings = clusterFindings(facts, { context, namespace, storageClass });
  for (const { kind, message, next } of findings) {
    const colour = kind === "error" ? colours.red : colours.yellow;
    reportToStderr(`${colour(`${kind}:`)} ${message}\n${colours.cyan("next:")} ${next}`);
  }
  const ready = findings.every(({ kind }) => kind !== "error");
  if (!ready && options.yes === true)
    throw new UserError(`${basename(path)} was not written`, "correct the errors above, then run this command again");

  const text = firstStackText({ ...given, storageClass });
  reportToStderr(`\n${text}`);
  const question = `write this to ${basename(path)}${ready ? "" : " despite the errors above"}?`;
  if (!(await confirmed(question, options.yes === true))) return 1;
  writeFileSync(path, text, { flag: "wx" }); // fails if the file exists by now
  reportToStderr(`wrote ${path}`);
  const steps = [`eval "$(npx kazoo env --stack ${stack})"`, `pulumi stack init ${stack}`, `make up STACK=${stack}`];
  reportToStderr(`${colours.cyan("next:")} ${steps.join("\n      ")}`);
  return 0;
}

/** @throws UserError with all options that are missing */
function requireAnswers(options: InitOptions): void {
  const missing = (["stack", "context", "region", "datacenter", "yes"] as const)
    .filter((name) => options[name] === undefined)
    .map((name) => `--${name}`);
  if (imageOf(options) === undefined) missing.push("--registry (or --image)");
  if (missing.length === 0) return;
  throw new UserError(
    `without a terminal, kazoo init also needs ${missing.join(", ")}`,
    "npx kazoo init --stack production --context prod-east --region us-east --datacenter nyc --registry registry.example.com --yes",
  );
}

async function answer(question: string): Promise<string> {
  for (;;) {
    const given = await ask(question);
    if (given !== "") return given;
  }
}

/** Path of the stack's file, which does not exist yet. */
function newFile(folder: string, stack: string): string {
  // It becomes the value of a label, too.
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(stack))
    throw new UserError(
      `--stack: found ${JSON.stringify(stack)}, expected at most 63 letters, digits, dashes, dots and underscores`,
      "choose another name, for example production",
    );
  const path = stackFilePath(folder, stack);
  if (!existsSync(path)) return path;
  throw new UserError(
    `${basename(path)} exists already, and is not overwritten`,
    "choose another --stack, or edit that file",
  );
}

const imageQuestion = "Registry to push the Kazoo image to, e.g. registry.example.com, or an existing image: ";

const imageOf = ({ registry, image }: InitOptions): FirstStack["image"] | undefined =>
  registry !== undefined ? { registry } : image !== undefined ? { prebuilt: image } : undefined;

/** A registry has no path. */
const imageAnswered = (text: string): FirstStack["image"] =>
  text.includes("/") ? { prebuilt: text } : { registry: text };

/** The StorageClass chosen on the terminal; undefined if none needs to be, or can be, chosen. */
async function classAnswered({ storageClasses = [] }: ClusterFacts): Promise<string | undefined> {
  const names = storageClasses.map(({ name }) => name);
  if (!canAsk() || names.length === 0 || storageClasses.some(({ isDefault }) => isDefault)) return undefined;
  reportToStderr("there is no default StorageClass");
  return choose("StorageClass", "--storage-class", names, undefined);
}

/** The cluster and namespace of the stack, read from its file. */
function placeOf(stack: FirstStack, path: string): { readonly cluster: KubernetesCluster; readonly namespace: string } {
  try {
    const { clusters, zones } = platformOfBytes(Buffer.from(firstStackText(stack)), basename(path));
    return { cluster: clusters.main as KubernetesCluster, namespace: zones[0]?.namespace ?? "" };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new UserError(error.message, "correct the answer and try again; nothing was written");
  }
}
