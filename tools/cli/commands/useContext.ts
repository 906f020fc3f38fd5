import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { KubernetesCluster, Platform } from "../../../config/platform";
import { regionStack, regionsOf } from "../../../config/stackPart";
import type { Change } from "../../report/changes";
import { type Deployed, parseUrn } from "../../report/digest";
import { exitCodeOf } from "../../report/model";
import { UserError, reportToStderr } from "../../shared/terminal";
import { choose } from "../../shared/choose";
import { judged } from "../stackFile/judged";
import { tryFile } from "../stackFile/tryFile";
import { deployedIn } from "../stack/deployed";
import { backendOf, isThrowAway, stackFile } from "../stack/openStack";
import { type KnownNamespace, hasNamespace, knownNamespaces, uidOf } from "../cluster/otherCluster";
import { type RunbookOptions, follow } from "../runbook/runbook";
import { withContext } from "../stackFile/stackEdit";
import { unseenClusters } from "../cluster/unseen";
import { readWhole, upOrAgain } from "../runbook/wholeRing";
import { previewed } from "./report";

interface UseContextOptions extends RunbookOptions {
  readonly cluster?: string;
  readonly context: string;
  /** Path from the project's folder. @default the file stays */
  readonly kubeconfig?: string;
}

/** Reaches a cluster of a live stack through another context. No object in it is touched. */
export async function useContext({ stack, dryRun, yes, ...options }: UseContextOptions): Promise<void> {
  const platform = readWhole(stack);
  const before = await clusterOf(platform, stack, options.cluster);
  const { name } = before;
  const { context, kubeconfig } = options;
  const again = `make use-context STACK=${stack} CLUSTER=${name} CONTEXT=${context}${kubeconfig === undefined ? "" : ` KUBECONFIG_FILE=${kubeconfig}`}`;
  const path = stackFile(stack);
  const file = basename(path);
  const changed = withContext(readFileSync(path, "utf8"), name, context, kubeconfig);
  const after = judged(changed, file, "with this context").clusters[name] as KubernetesCluster;
  const isWritten = before.context === after.context && before.kubeconfig === after.kubeconfig;
  const { pulumi } = await backendOf(stack, platform, reportToStderr);
  const stacks =
    platform.stacks === "region" ? [stack, ...regionsOf(platform).map((each) => regionStack(stack, each))] : [stack];
  const states = () => Promise.all(stacks.map((each) => deployedIn({ name: each, pulumi })));
  const known = knownNamespaces((await states()).flat());
  const isRecorded = async () => isWritten && (await states()).flat().every((each) => leadsTo(after, each));

  await follow(
    {
      name: `reach cluster ${name} of stack ${stack} through context ${after.context}`,
      notes: [await proofOfSameCluster(isWritten ? undefined : before, after, known), "no object in it is touched"],
      steps: [
        {
          title: `${file} names context ${after.context}`,
          touches: [
            `kazoo:clusters.${name}: context${kubeconfig === undefined ? "" : " and kubeconfig"}, only if a preview with it changes no object`,
          ],
          isDone: isRecorded,
          run: () =>
            tryFile(path, changed, async (keep) => {
              await requireNoChangedObject(stack, name);
              keep();
            }),
        },
        {
          title: "An update records the context",
          touches: [`the provider of cluster ${name} in the state of ${stacks.join(", ")}, and the stack's outputs`],
          isDone: async () => (await states()).flat().every((each) => leadsTo(after, each)),
          run: () => upOrAgain(stack, again, ["--skip-preview", "--suppress-outputs"]),
        },
      ],
    },
    { dryRun, unasked: yes === true || isThrowAway(platform) },
    reportToStderr,
  );
}

/** The chosen cluster. @throws UserError if no context leads to the clusters */
async function clusterOf(platform: Platform, stack: string, given: string | undefined): Promise<KubernetesCluster> {
  const clusters = Object.values(platform.clusters).filter(
    (cluster): cluster is KubernetesCluster => cluster.kind === "kubernetes",
  );
  if (clusters.length === 0)
    throw new UserError(
      `stack ${stack} names no context`,
      "only clusters with a context can have another one, not the sandbox or a Docker Engine",
    );
  const name = await choose(
    "cluster",
    "CLUSTER",
    clusters.map((cluster) => cluster.name),
    given,
  );
  return clusters.find((cluster) => cluster.name === name) as KubernetesCluster;
}

/** Whether a resource of a state is not the cluster's provider, or reaches it through its context. */
function leadsTo({ name, context, kubeconfig }: KubernetesCluster, { urn, inputs }: Deployed): boolean {
  if (!isProviderOf(name, urn)) return true;
  return inputs?.["context"] === context && inputs["kubeconfig"] === kubeconfig;
}

/**
 * How it is known that a context leads to the cluster that the stack runs on, in one line.
 * @param before the cluster through its earlier context; undefined if the stack's file no longer has it
 * @param known the namespaces of the stack's state
 * @throws UserError if it leads to another cluster, or if that cannot be known
 */
export async function proofOfSameCluster(
  before: KubernetesCluster | undefined,
  after: KubernetesCluster,
  known: readonly KnownNamespace[],
): Promise<string> {
  const problem = await problemOf(after);
  if (problem !== undefined) throw problem;
  const unseen = before && (await problemOf(before));
  const system = "kube-system";
  const uid = await uidOf(after, system);
  const earlier = before === undefined || unseen !== undefined ? undefined : await uidOf(before, system);
  const isKnown = (one: string | undefined) => one !== undefined && one !== "forbidden";
  if (before !== undefined && isKnown(uid) && isKnown(earlier)) {
    if (uid === earlier)
      return `it is the same cluster as through context ${before.context}: namespace ${system} has uid ${uid}`;
    throw new UserError(
      `contexts ${before.context} and ${after.context} lead to different clusters: the uid of namespace ${system} is ${earlier} and ${uid}`,
      "name a context of the cluster that the stack runs on: CONTEXT=",
    );
  }
  const own = known.filter(({ cluster }) => cluster === after.name);
  for (const namespace of own)
    if (await hasNamespace(after, namespace))
      return `it is the cluster that the stack runs on: namespace ${namespace.name} has uid ${namespace.uid}, as in the state`;
  const list = own.map((namespace) => `${namespace.name} (uid ${namespace.uid})`).join(", ");
  throw new UserError(
    own.length === 0
      ? `it cannot be known whether context ${after.context} leads to the same cluster: ${unseen?.message ?? `namespace ${system} cannot be read`}, and the state has no namespace of it`
      : `context ${after.context} leads to a cluster in which none of the stack's namespaces can be found: ${list}`,
    "name a context of the cluster that the stack runs on, with a user who may read namespaces: CONTEXT=",
  );
}

/** Why a cluster does not answer. */
async function problemOf(cluster: KubernetesCluster): Promise<UserError | undefined> {
  const [unseen] = await unseenClusters({ clusters: { [cluster.name]: cluster }, zones: [] });
  return unseen && new UserError(unseen.problem, unseen.next);
}

/** @throws UserError if the preview fails, or changes anything but the cluster's provider */
async function requireNoChangedObject(stack: string, cluster: string): Promise<void> {
  const report = await previewed(stack);
  const isProvider = ({ effect, urn }: Change) => effect === "change" && isProviderOf(cluster, urn);
  const code = exitCodeOf(report);
  if ((code === 0 || code === 2) && report.changes.every(isProvider)) return;
  throw new UserError(
    code === 1 ? "the preview with this context failed" : "the preview shows more changes than the context",
    `see the report above; the stack's file is as it was. Deploy unapplied changes first: make up STACK=${stack}`,
  );
}

const isProviderOf = (cluster: string, urn: string): boolean => {
  const { type, name } = parseUrn(urn);
  return type === "pulumi:providers:kubernetes" && name === `cluster-${cluster}`;
};
