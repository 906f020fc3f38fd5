import { z } from "zod";
import { affinity } from "./affinity";
import { dnsName, field, mapping, named, wholeNumber } from "./fields";
import { aName, aValue, labelText, labelValue, nameOf, qualifiedName } from "./labelNames";
import { bytes } from "../quantity";

/**
 * Settings for the pods of each workload, with Kubernetes' own names. Without a key, the components' defaults apply.
 */

/** Labels that select pods, or by which controllers tell their pods apart. */
const takenLabels = [
  "app.kubernetes.io/name",
  "app.kubernetes.io/instance",
  "app.kubernetes.io/part-of",
  "apps.kubernetes.io/pod-index",
  "statefulset.kubernetes.io/pod-name",
  "controller-revision-hash",
  "controller-uid",
  "job-name",
  "batch.kubernetes.io/controller-uid",
  "batch.kubernetes.io/job-name",
];

const freeLabel = field(
  qualifiedName.refine((name) => !takenLabels.includes(name)),
  {
    description: "Name of a label.",
    expected: `${aName}, but none of the labels that the program and Kubernetes set: ${takenLabels.join(", ")}`,
    example: "example.com/team",
  },
);

const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"] as const;

const toleration = field(
  z
    .strictObject({
      key: nameOf("the taint; without it, of any taint", "example.com/voice").exactOptional(),
      operator: field(z.enum(["Exists", "Equal"]), {
        description: "Whether the taint's value must be `value`.",
        expected: "Exists or Equal",
        example: "Exists",
        default: "Equal",
      }).exactOptional(),
      value: field(labelText, {
        description: "Value of the taint.",
        expected: aValue,
        example: "only",
      }).exactOptional(),
      effect: field(z.enum(effects), {
        description: "Effect of the taint.",
        expected: `one of ${effects.join(", ")}`,
        example: "NoSchedule",
        default: "all of them",
      }).exactOptional(),
      tolerationSeconds: field(z.int().min(0), {
        description: "How long a pod stays on a node that gets the taint, with `effect: NoExecute`.",
        expected: "a whole number of seconds, 0 or more",
        example: "300",
        default: "forever",
      }).exactOptional(),
    })
    .refine(
      ({ key, operator, value, effect, tolerationSeconds }) =>
        (operator === "Exists" ? value === undefined : key !== undefined) &&
        (tolerationSeconds === undefined || effect === "NoExecute"),
    ),
  {
    description: "A taint that the pods tolerate.",
    expected:
      "a toleration: a key with a value or with operator: Exists, and never both; without a key operator: Exists; tolerationSeconds only with effect: NoExecute",
    example: "{ key: example.com/voice, operator: Exists, effect: NoSchedule }",
  },
);

const seconds = "a whole number of seconds";

const timings = mapping(
  {
    periodSeconds: field(wholeNumber(1, 3600), {
      description: "Time between two checks.",
      expected: `${seconds} from 1 to 3600`,
      example: "10",
      default: "startup 5, liveness 30, readiness 10",
    }).exactOptional(),
    timeoutSeconds: field(wholeNumber(1, 3600), {
      description: "How long a check may take.",
      expected: `${seconds} from 1 to 3600`,
      example: "10",
      default: "startup 1, liveness 10, readiness 5",
    }).exactOptional(),
    failureThreshold: field(wholeNumber(1, 100_000), {
      description: "Consecutive failed checks after which the probe has failed.",
      expected: "a whole number from 1 to 100000",
      example: "720",
      default: "startup 180 for Kazoo and 120 for the others, liveness 4 for Kazoo and 3 for the others, readiness 3",
    }).exactOptional(),
  },
  "Timing of a probe.",
  "{ periodSeconds: 5, failureThreshold: 720 }",
);

/** Settings for the pods of every workload, including Jobs. */
const podSettings = {
  nodeSelector: named(nameOf("a node's label", "example.com/pool"), labelValue, {
    description: "Labels of the nodes that the pods may run on.",
    expected: "a mapping from labels to values",
    example: "{ example.com/pool: voice }",
  }).exactOptional(),
  tolerations: field(z.array(toleration), {
    description: "Taints that the pods tolerate. A nearer level's list replaces a farther one's.",
    expected: "a list of tolerations",
    example: "[{ key: example.com/voice, operator: Exists, effect: NoSchedule }]",
  }).exactOptional(),
  affinity: affinity.exactOptional(),
  priorityClassName: field(dnsName, {
    description: "PriorityClass of the pods; it must exist.",
    expected: "the name of a PriorityClass",
    example: "voice",
  }).exactOptional(),
  schedulerName: field(dnsName, {
    description: "Scheduler of the pods; it must run in the cluster.",
    expected: "the name of a scheduler",
    example: "default-scheduler",
  }).exactOptional(),
  annotations: named(
    nameOf("an annotation", "example.com/scrape"),
    field(z.string(), { description: "Value of an annotation.", expected: "text, in quotes", example: '"true"' }),
    {
      description: "Annotations of the pods. Not for secrets: anyone in the namespace can read them.",
      expected: "a mapping from annotations to text",
      example: '{ example.com/scrape: "true" }',
    },
  ).exactOptional(),
  labels: named(freeLabel, labelValue, {
    description: "Labels of the pods, besides those of the program.",
    expected: "a mapping from labels to values",
    example: "{ example.com/team: voice }",
  }).exactOptional(),
  terminationGracePeriodSeconds: field(wholeNumber(1, 86_400), {
    description: "How long a pod may take to stop before it is killed.",
    expected: `${seconds} from 1 to 86400`,
    example: "300",
    default: "120 for Kazoo and brokers, 60 for the database, 30 for Jobs",
  }).exactOptional(),
};

const scratch = (what: string) =>
  field(bytes, {
    description: `Space on the node's disk for logs and temporary files, ${what} of each container.`,
    expected: "an amount with a binary unit (Mi, Gi)",
    example: "2Gi",
  });

/** Space on the disk, for the resources of each workload. */
export const ephemeralStorage = { requests: scratch("request"), limits: scratch("limit") };

/** Settings for the pods of Jobs. */
export const jobSettings = {
  ...podSettings,
  resources: mapping(
    {
      requests: mapping(
        { ephemeralStorage: ephemeralStorage.requests.exactOptional() },
        "Requests of each container.",
        "{ ephemeralStorage: 64Mi }",
      ).exactOptional(),
      limits: mapping(
        { ephemeralStorage: ephemeralStorage.limits.exactOptional() },
        "Limits of each container.",
        "{ ephemeralStorage: 256Mi }",
      ).exactOptional(),
    },
    "Requests and limits of each container.",
    "{ limits: { ephemeralStorage: 256Mi } }",
  ).exactOptional(),
};

/** Settings for the pods of permanently running workloads. */
export const nodeSettings = {
  ...podSettings,
  topologySpread: field(z.enum(["ScheduleAnyway", "DoNotSchedule"]), {
    description:
      "What happens to a pod if pods cannot be spread evenly over availability zones and nodes. `DoNotSchedule` needs nodes with the label `topology.kubernetes.io/zone`.",
    expected: "ScheduleAnyway or DoNotSchedule",
    example: "DoNotSchedule",
  }).default("ScheduleAnyway"),
  probes: mapping(
    {
      startup: timings.exactOptional(),
      liveness: timings.exactOptional(),
      readiness: timings.exactOptional(),
    },
    "Timing of the probes, for example if a large database or a long queue takes longer to start. `startup` ends with a restart, as does `liveness`; `readiness` takes a pod out of its Services.",
    "{ startup: { failureThreshold: 720 } }",
  ).exactOptional(),
};

export type JobSettings = z.output<z.ZodObject<typeof jobSettings>>;
export type NodeSettings = z.output<z.ZodObject<typeof nodeSettings>>;
