import { patchesAnnotation, workloads } from "../../components/names";
import type { State } from "./digest";
import type { Place } from "./place";

/** What is at stake when a resource is deleted: stored data and credentials, calls and registrations, or neither. */
export type Stake = "data" | "calls" | "none";

/** A resource in a reviewer's terms. */
export interface Subject {
  /** Kind and name: `StatefulSet kazoo`. */
  readonly title: string;
  readonly kind: string;
  readonly stake: Stake;
  /**
   * Whether a replacement loses nothing: an immutable ConfigMap with a generated name, a Job, a container, an image. The new one holds
   * everything, and resources that refer to it follow.
   */
  readonly renewable: boolean;
  /** Name that the provider generated. */
  readonly madeUpName?: string;
  /** Pods that run it, of a StatefulSet; 1 of a container; 0 of anything else. */
  readonly pods: number;
}

/** What a resource is. `role` is its logical name without the zone. */
export function subjectOf(type: string, role: string, state: State | undefined, place: Place | undefined): Subject {
  const kind = type.slice(type.lastIndexOf(":") + 1);
  const metadata = (state?.inputs?.metadata ?? {}) as {
    name?: unknown;
    annotations?: Record<string, unknown>;
  };
  const madeUp = metadata.annotations?.["pulumi.com/autonamed"] === "true";
  const fixedName = typeof metadata.name === "string" && !madeUp ? metadata.name : role;
  const ownNamespace = kind === "Namespace" && place !== undefined;
  const provider = type.startsWith("pulumi:providers:");
  return {
    title:
      `${ownNamespace ? kind : provider ? `Provider ${kind} ${role}` : `${kind} ${fixedName}`}${patchedBy(metadata)}`.trim(),
    kind: provider ? "Provider" : kind,
    stake: stakeOf(kind, fixedName, type),
    renewable:
      (kind === "ConfigMap" && madeUp) ||
      kind === "Job" ||
      /^docker:.*:(Container|RemoteImage|RegistryImage)$/.test(type),
    ...(madeUp && typeof metadata.name === "string" ? { madeUpName: metadata.name } : {}),
    pods: podsOf(kind, state),
  };
}

function patchedBy({ annotations }: { annotations?: Record<string, unknown> }): string {
  const names = annotations?.[patchesAnnotation];
  return typeof names === "string" ? ` (patched by ${names.replaceAll(",", ", ")})` : "";
}

const holdData = new Set(["Namespace", "Secret", "PersistentVolumeClaim", "PersistentVolume", "Volume"]);
const carryCalls = new Set(["StatefulSet", "Service", "NetworkPolicy", "Container", "Network"]);

function stakeOf(kind: string, name: string, type: string): Stake {
  // Cookie, passwords, and the names under which database nodes know their data.
  if (type.startsWith("random:")) return "data";
  if (holdData.has(kind)) return "data";
  if (kind === "StatefulSet" && !name.startsWith(workloads.kazoo)) return "data";
  return carryCalls.has(kind) ? "calls" : "none";
}

function podsOf(kind: string, state: State | undefined): number {
  if (kind === "Container") return 1;
  if (kind !== "StatefulSet") return 0;
  const { replicas } = (state?.inputs?.spec ?? {}) as { replicas?: unknown };
  return typeof replicas === "number" ? replicas : 1;
}
