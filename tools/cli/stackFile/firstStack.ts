import { stringify } from "yaml";

/** The choices for a first stack of one datacenter in a Kubernetes cluster. */
export interface FirstStack {
  /** Context of the kubeconfig. */
  readonly context: string;
  readonly region: string;
  readonly datacenter: string;
  /** Registry (`host` or `host:port`) that the stack pushes its build to, or the reference of an existing image. */
  readonly image: { readonly registry: string } | { readonly prebuilt: string };
  /** StorageClass of all volumes. @default the cluster's default class */
  readonly storageClass?: string | undefined;
}

/** Text of the stack's file, one line per key. Nothing is validated here; reading the text as a stack's file does that. */
export function firstStackText({ context, region, datacenter, image, storageClass }: FirstStack): string {
  const volumes = { storageClass };
  const config = {
    "kazoo:image": "registry" in image ? { build: { ...image, repository: "kazoo" } } : image,
    "kazoo:clusters": { main: { context } },
    "kazoo:regions": { [region]: { cluster: "main", datacenters: { [datacenter]: {} } } },
    ...(storageClass === undefined ? {} : { "kazoo:workloads": { rabbitmq: volumes, database: volumes } }),
  };
  return [
    "# yaml-language-server: $schema=config/stack.schema.json",
    "config:",
    ...Object.entries(config).map(([key, value]) => `  ${key}: ${inOneLine(value)}`),
    "",
  ].join("\n");
}

/** YAML 1.1 quotes more words and numbers, including all that Pulumi's engine might not read as text. */
const inOneLine = (value: unknown): string =>
  stringify(value, {
    ...{ version: "1.1", collectionStyle: "flow", flowCollectionPadding: true },
    ...{ lineWidth: 0, aliasDuplicateObjects: false },
  }).trimEnd();
