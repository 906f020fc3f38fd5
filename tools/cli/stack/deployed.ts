import type { KubernetesObject } from "@kubernetes/client-node";
import { type Deployed, parseUrn } from "../../report/digest";
import { NotInBackendError, askPulumi } from "../pulumi/pulumi";
import type { Stack } from "./openStack";

/** A Kubernetes object in a stack's state. */
export interface KnownObject {
  /** Name of the cluster in the config. */
  readonly cluster: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Its namespace; undefined for a Namespace. */
  readonly namespace?: string;
}

/** All resources in a stack's state, their secrets encrypted. */
export async function deployedIn(stack: Pick<Stack, "name" | "pulumi">): Promise<Deployed[]> {
  const text = await askPulumi(stack.pulumi, ["stack", "export", "--stack", stack.name]);
  return (JSON.parse(text) as { deployment?: { resources?: Deployed[] } }).deployment?.resources ?? [];
}

/** For a stack that the backend does not have: nothing is deployed. @throws any other error */
export function noneIfUnknown(error: unknown): Deployed[] {
  if (error instanceof NotInBackendError) return [];
  throw error;
}

/** The Kubernetes objects among the resources of a state, without Jobs, because finished ones may be cleaned up. */
export function knownObjects(resources: readonly (Deployed & { readonly provider?: string })[]): KnownObject[] {
  return resources.flatMap(({ type, provider = "", inputs, outputs, ...resource }): KnownObject[] => {
    const { apiVersion, kind, metadata } = { ...inputs, ...outputs } as Partial<KubernetesObject>;
    if (!type.startsWith("kubernetes:") || resource.delete === true || kind === "Job") return [];
    if (apiVersion === undefined || kind === undefined || metadata?.name === undefined) return [];
    const cluster = parseUrn(provider.replace(/::[^:]*$/, "")).name.replace(/^cluster-/, "");
    const { name, namespace } = metadata;
    return [
      { cluster, apiVersion, kind, name, ...(namespace === undefined || kind === "Namespace" ? {} : { namespace }) },
    ];
  });
}

/** Whether an object is one of the known ones. */
export const isKnown = (
  known: readonly KnownObject[],
  { cluster, kind, name, namespace }: Pick<KnownObject, "cluster" | "kind" | "name" | "namespace">,
): boolean =>
  known.some(
    (own) =>
      own.cluster === cluster && own.kind === kind && own.name === name && (own.namespace ?? namespace) === namespace,
  );

/** Objects as text: `Secret rabbitmq, Service kazoo`. */
export const objectList = (objects: readonly Pick<KnownObject, "kind" | "name">[]): string =>
  objects
    .map(({ kind, name }) => `${kind} ${name}`)
    .sort()
    .join(", ");
