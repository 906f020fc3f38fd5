import { z } from "zod";
import { dnsLabel, field, mapping, named, text } from "./fields";
import { labelValue, nameOf } from "./labelNames";

/** Kinds of objects that a patch can change. */
const kinds = [
  "Namespace",
  "Secret",
  "ConfigMap",
  "Service",
  "ServiceAccount",
  "StatefulSet",
  "Job",
  "PodDisruptionBudget",
  "NetworkPolicy",
  "PodMonitor",
  "PrometheusRule",
  "Ingress",
  "HTTPRoute",
] as const;

const pointer = text(/^(\/([^~/]|~[01])*)+$/);

/** An operation of JSON Patch (RFC 6902). */
const operation = z.union([
  z.strictObject({
    op: z.enum(["add", "replace", "test"]),
    path: pointer,
    value: z.unknown().refine((value) => value !== undefined),
  }),
  z.strictObject({ op: z.literal("remove"), path: pointer }),
  z.strictObject({ op: z.enum(["move", "copy"]), from: pointer, path: pointer }),
]);

export type PatchOperation = z.output<typeof operation>;

const target = mapping(
  {
    kind: field(z.enum(kinds), {
      description: "Kind of the objects.",
      expected: `one of ${kinds.join(", ")}`,
      example: "StatefulSet",
    }),
    name: field(z.string().min(1), {
      description: "Name of the objects.",
      expected: "the name of an object",
      example: "kazoo",
      default: "objects of any name",
    }).optional(),
    zone: field(dnsLabel, {
      description: "Zone of the objects.",
      expected: "the name of a zone on Kubernetes, REGION-DATACENTER",
      example: "us-east-nyc",
      default: "all zones",
    }).optional(),
    labels: named(nameOf("a label", "app.kubernetes.io/name"), labelValue, {
      description: "Labels that the objects must have.",
      expected: "a mapping from labels to text",
      example: "{ app.kubernetes.io/name: rabbitmq }",
    }).optional(),
  },
  "Which objects are patched.",
  "{ kind: StatefulSet, name: kazoo }",
);

/** The schema of `kazoo:patches`. */
export const patches = named(
  dnsLabel,
  mapping(
    {
      target,
      operations: field(z.array(operation).min(1), {
        description: "The changes, as JSON Patch (RFC 6902). Not for secrets.",
        expected:
          "a list of operations, each with `op` (add, replace, remove, test, move or copy), `path`, and `value` or `from`",
        example: "[{ op: add, path: /spec/template/spec/hostAliases, value: [{ ip: 192.0.2.7, hostnames: [sbc] }] }]",
      }),
    },
    "A patch.",
    "{ target: { kind: Service, name: kazoo }, operations: [{ op: add, path: /spec/publishNotReadyAddresses, value: true }] }",
  ),
  {
    description:
      "Changes to the deployed objects, for anything that has no other key; by a name of your choice. Applied last. A patch that no object matches is an error.",
    expected: "a mapping from names to patches, each with target and operations",
    example:
      "{ sbc: { target: { kind: StatefulSet, name: kazoo }, operations: [{ op: add, path: /spec/template/spec/hostAliases, value: [{ ip: 192.0.2.7, hostnames: [sbc] }] }] } }",
  },
).default({});

/** A patch of a stack's objects. */
export interface Patch {
  readonly name: string;
  readonly target: z.output<typeof target>;
  readonly operations: readonly PatchOperation[];
}
