import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { ZoneArgs } from "./datacenter";
import { namespaceLabels } from "./labels";
import { stackLabel } from "./names";
import type { Rollouts } from "./rollout";

/**
 * Keeps an update away from a namespace that is not the stack's, even without the command line, whose previews find more. Previews do not query a
 * cluster here, because loading the client takes a second. If a cluster does not answer, the provider's error is better.
 */

/** A datacenter, and how to look at its cluster. */
interface NamespaceArgs {
  readonly zone: ZoneArgs;
  /** Names of its ring and of its stack. */
  readonly ring: string;
  readonly stack: string;
  readonly rollouts: Rollouts;
}

/** A datacenter's namespace. @param name its logical name. @throws RunError if it exists and does not belong to the stack */
export const ownNamespace = (
  name: string,
  args: NamespaceArgs,
  opts: pulumi.CustomResourceOptions,
): k8s.core.v1.Namespace =>
  new k8s.core.v1.Namespace(
    name,
    {
      metadata: {
        name: nameUnlessForeign(args),
        labels: { ...namespaceLabels(args.stack, { ...args.zone, ring: args.ring }), ...podSecurityLabels },
      },
    },
    { ...opts, ...(args.zone.adopt === true ? { retainOnDelete: true } : {}) },
  );

/** Refuses pods that violate the level `restricted`, and logs those that would violate later versions of it. */
const podSecurityLabels = Object.fromEntries(
  ["enforce", "audit", "warn"].map((mode) => [`pod-security.kubernetes.io/${mode}`, "restricted"]),
);

/** The namespace's name, once it is certain that it belongs to the stack. */
function nameUnlessForeign({ zone, stack, rollouts }: NamespaceArgs): pulumi.Input<string> {
  const { namespace, adopt } = zone;
  if (pulumi.runtime.isDryRun()) return namespace;
  return lookUp(rollouts, namespace).then((found) => {
    if (found === undefined || found === unknown) return namespace;
    const owner = found.metadata?.labels?.[stackLabel];
    if (owner === stack || (adopt === true && owner === undefined)) return namespace;
    throw new pulumi.RunError(
      `namespace ${namespace} exists already, and ${owner === undefined ? "this stack did not create it" : `stack ${owner} created it`}: ` +
        "give the datacenter another `namespace`, or share this one with `adopt: true` if it belongs to no other stack",
    );
  });
}

/** The namespace's name, once it is known that it is the one in the state. @throws RunError if the cluster has another one or none */
export function nameIfThere(namespace: k8s.core.v1.Namespace, rollouts: Rollouts): pulumi.Output<string> {
  if (pulumi.runtime.isDryRun()) return namespace.metadata.name;
  return pulumi.all([namespace.metadata.name, namespace.metadata.uid]).apply(async ([name, uid]) => {
    const found = await lookUp(rollouts, name);
    if (found === unknown || found?.metadata?.uid === uid) return name;
    throw new pulumi.RunError(
      `the stack was deployed to namespace ${name} (uid ${uid}), which the cluster does not have. If the context leads to another cluster, ` +
        "point it at the right one. If the namespace was deleted by hand, npx kazoo up restores it",
    );
  });
}

/** A namespace; undefined if there is none, {@link unknown} if the cluster does not answer. */
const lookUp = (rollouts: Rollouts, name: string) => rollouts.namespace(name).catch(() => unknown);

const unknown = "unknown" as const;
