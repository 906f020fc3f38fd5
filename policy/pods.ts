import { at, isContainer, kindOf, list, type Resource, text, type Tree, tree } from "./resource";

/** A container of a pod, or one of Docker. */
export interface Container {
  readonly name: string;
  readonly image: unknown;
  /** Its settings, in the form of Kubernetes or of the Docker provider. */
  readonly settings: Tree;
  /** Its variables with plain values. */
  readonly environment: Readonly<Record<string, unknown>>;
}

/** The pods of a workload. */
export interface Pods {
  readonly kind: string;
  readonly replicas: number;
  readonly labels: Tree;
  readonly spec: Tree;
  /** The containers, without init containers. */
  readonly containers: readonly Container[];
  readonly initContainers: readonly Container[];
}

/** Kinds whose pods run permanently. */
const serving = ["StatefulSet", "Deployment", "DaemonSet", "ReplicaSet"];
const kinds = [...serving, "Job", "CronJob", "Pod"];

/** Whether a workload's pods run permanently, unlike a Job's. */
export const serves = ({ kind }: Pods): boolean => serving.includes(kind);

/** The pods that a resource creates; undefined if none. */
export function podsOf(resource: Resource): Pods | undefined {
  const kind = kindOf(resource);
  if (kind === undefined || !kinds.includes(kind)) return undefined;
  const { props } = resource;
  const job = kind === "CronJob" ? at(props, "spec", "jobTemplate") : props;
  const template = kind === "Pod" ? props : tree(at(job, "spec", "template"));
  const spec = tree(at(template, "spec"));
  const replicas = at(props, "spec", "replicas");
  return {
    kind,
    replicas: typeof replicas === "number" ? replicas : 1,
    labels: tree(at(template, "metadata", "labels")),
    spec,
    containers: list(spec.containers).map(inPod),
    initContainers: list(spec.initContainers).map(inPod),
  };
}

/** All containers that a resource creates, on Kubernetes or Docker. */
export function containersOf(resource: Resource): readonly Container[] {
  if (isContainer(resource)) return [onDocker(resource)];
  const pods = podsOf(resource);
  return pods === undefined ? [] : [...pods.initContainers, ...pods.containers];
}

function inPod(settings: Tree): Container {
  const plainOnes = list(settings.env).filter(({ valueFrom }) => valueFrom === undefined);
  return {
    name: text(settings.name),
    image: settings.image,
    settings,
    environment: Object.fromEntries(plainOnes.map(({ name, value }) => [text(name), value])),
  };
}

function onDocker({ name, props }: Resource): Container {
  const variables = Array.isArray(props.envs) ? props.envs.map(text) : [];
  return {
    name: text(props.name) || name,
    image: props.image,
    settings: props,
    environment: Object.fromEntries(
      variables.map((variable) => [variable.replace(/=.*/s, ""), variable.replace(/^[^=]*=?/, "")]),
    ),
  };
}

/** Repository (last part) and tag of an image: `mirror.example.com/rabbitmq:3.13-management` has `rabbitmq` and `3.13-management`. */
export function nameAndTag(image: unknown): { readonly name: string; readonly tag: string } {
  const [, name = "", tag = ""] = /([^/:@]+)(?::([\w.-]+))?(?:@.*)?$/.exec(text(image)) ?? [];
  return { name, tag };
}
