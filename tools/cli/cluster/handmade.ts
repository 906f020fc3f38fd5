import type { KubernetesObject } from "@kubernetes/client-node";
import type { KubernetesCluster, Platform } from "../../../config/platform";
import { difference } from "../../report/difference";
import { type Deployed, type Digest, type State, type Step, parseUrn } from "../../report/digest";
import { foreignFields, isHandmade } from "../../report/foreignFields";
import type { UnseenCluster } from "../../report/model";
import { type KnownObject, deployedIn, knownObjects } from "../stack/deployed";
import { groupsIn } from "./missing";
import type { Stack } from "../stack/openStack";

/** Manual additions, as the steps of a refresh. */
export interface Handmade {
  readonly steps: readonly Step[];
  /** The changed resources by URN: their own inputs with the cluster's values, without the additions. */
  readonly own: ReadonlyMap<string, State["inputs"]>;
}

/**
 * Finds manual additions to a stack's objects, and manually created objects in its own namespaces. A refresh sees neither, because Pulumi looks
 * only at the fields and objects that it manages.
 * @param refresh the result of a refresh
 * @param unseen clusters that do not answer; they are skipped
 */
export async function handmadeIn(stack: Stack, refresh: Digest, unseen: readonly UnseenCluster[]): Promise<Handmade> {
  const known = (await deployedIn(stack)).flatMap((resource) =>
    knownObjects([resource]).map((object) => ({ ...object, resource })),
  );
  const found = await Promise.all(
    Object.values(stack.platform.clusters).map(async (cluster) =>
      cluster.kind === "docker" || unseen.some((away) => away.cluster === cluster.name)
        ? []
        : findingsIn(cluster, known, stack, refresh),
    ),
  );
  const all = found.flat();
  return {
    steps: all.map(({ step }) => step),
    own: new Map(all.flatMap(({ step, own }) => (own === undefined ? [] : [[step.urn, own] as const]))),
  };
}

/** The digest of a refresh, in which the manual additions replace what the refresh reported for these resources. */
export const refreshWith = ({ steps, own }: Handmade, digest: Digest): Digest => ({
  ...digest,
  steps: [...digest.steps.filter(({ urn }) => !own.has(urn)), ...steps],
});

/** The digest of a preview, without changes that only come from manual additions, because the program does not touch these. */
export const previewWith = ({ own }: Handmade, digest: Digest): Digest => ({
  ...digest,
  steps: digest.steps.flatMap((step) => {
    const inputs = own.get(step.urn);
    if (inputs === undefined || step.op !== "update" || step.oldState === undefined) return [step];
    if (difference(inputs, step.newState?.inputs).length === 0) return [];
    return [{ ...step, oldState: { ...step.oldState, inputs }, detailedDiff: {} }];
  }),
});

interface Finding {
  readonly step: Step;
  readonly own?: State["inputs"];
}

type Known = KnownObject & { readonly resource: Deployed };

async function findingsIn(
  cluster: KubernetesCluster,
  known: readonly Known[],
  { platform, name }: Stack,
  refresh: Digest,
): Promise<Finding[]> {
  const zones = platform.zones.filter((zone) => zone.cluster === cluster.name && !zone.adopt);
  return (await groupsIn(cluster, known)).flatMap(({ group, items = [] }) => {
    const [{ namespace, apiVersion, kind, resource }] = group;
    const zone = zones.find((candidate) => candidate.namespace === namespace);
    return items.flatMap((item) => {
      const live = { ...item, apiVersion, kind };
      const own = group.find((object) => object.name === item.metadata?.name);
      if (own !== undefined) return changed(own.resource, live, refresh);
      if (zone === undefined || !isHandmade(live) || isMeant(live, platform)) return [];
      const { type } = parseUrn(resource.urn);
      const urn = `urn:pulumi:${name}::kazoo::${type}::${zone.name}-${item.metadata?.name}`;
      return [{ step: added(urn, type, live) }];
    });
  });
}

/** Whether, according to the config, something else creates the object. */
const isMeant = ({ kind, metadata }: KubernetesObject, { registries, rings }: Platform): boolean => {
  const names = [registries.secretNames, ...Object.values(rings).map((ring) => Object.values(ring.secrets))].flat();
  return kind === "Secret" && names.includes(metadata?.name ?? "");
};

function changed({ urn, ...resource }: Deployed, live: KubernetesObject, refresh: Digest): Finding[] {
  const refreshed = refresh.steps.some((step) => step.op === "update" && step.urn === urn);
  // The values of a Secret are encrypted in the state. If a refresh found the Secret changed, it is in the report already.
  const encrypted = live.kind === "Secret";
  if (encrypted && refreshed) return [];
  const inputs = { ...resource.inputs, ...(encrypted ? { data: {} } : {}) };
  const found = foreignFields(inputs, live);
  if (found === undefined) return [];
  const state = { ...resource, type: parseUrn(urn).type };
  const step = { op: "update", urn, oldState: { ...state, inputs }, newState: { ...state, inputs: found.all } };
  return [{ step, ...(encrypted ? {} : { own: found.own }) }];
}

function added(urn: string, type: string, { apiVersion, kind, metadata }: KubernetesObject): Step {
  const { name, namespace } = metadata ?? {};
  return { op: "create", urn, newState: { type, inputs: { apiVersion, kind, metadata: { name, namespace } } } };
}
