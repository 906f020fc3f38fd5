import { z } from "zod";
import { dnsName, field, mapping, named, wholeNumber } from "./fields";
import { labelValue, nameOf } from "./labelNames";

/** An expression about labels; `numeric` adds the operators that only selectors of nodes have. */
function expression(what: string, operators: readonly string[]) {
  return field(
    z
      .strictObject({
        key: nameOf("the label", "topology.kubernetes.io/zone"),
        operator: field(z.enum(operators), {
          description: "How the label is compared with `values`.",
          expected: `one of ${operators.join(", ")}`,
          example: "In",
        }),
        values: field(z.array(labelValue), {
          description: "Values to compare with.",
          expected: "a list of the values of a label",
          example: "[a, b]",
        }).exactOptional(),
      })
      .refine(({ operator, values = [] }) =>
        ["In", "NotIn"].includes(operator)
          ? values.length > 0
          : values.length === (operator === "Gt" || operator === "Lt" ? 1 : 0),
      ),
    {
      description: `A condition on the labels of ${what}.`,
      expected: `a key, an operator and values: one or more for In and NotIn${operators.includes("Gt") ? ", one number for Gt and Lt" : ""}, none for Exists and DoesNotExist`,
      example: "{ key: topology.kubernetes.io/zone, operator: In, values: [a, b] }",
    },
  );
}

const list = <T extends z.ZodType>(item: T, description: string, example: string) =>
  field(z.array(item).min(1), { description, expected: "a list of one or more", example });

const nodeExpression = expression("nodes", ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]);
const podExpression = expression("pods", ["In", "NotIn", "Exists", "DoesNotExist"]);

const anExpression = "[{ key: topology.kubernetes.io/zone, operator: In, values: [a] }]";

const nodeTerm = mapping(
  {
    matchExpressions: list(nodeExpression, "Conditions on a node's labels.", anExpression).exactOptional(),
    matchFields: list(
      nodeExpression,
      "Conditions on a node's fields.",
      "[{ key: metadata.name, operator: In, values: [node-1] }]",
    ).exactOptional(),
  },
  "Nodes that meet all conditions.",
  `{ matchExpressions: ${anExpression} }`,
);

const labelSelector = mapping(
  {
    matchLabels: named(nameOf("a label", "app.kubernetes.io/name"), labelValue, {
      description: "Labels that must be present.",
      expected: "a mapping from labels to values",
      example: "{ app.kubernetes.io/name: kazoo }",
    }).exactOptional(),
    matchExpressions: list(
      podExpression,
      "Conditions on the labels.",
      "[{ key: app.kubernetes.io/name, operator: In, values: [kazoo] }]",
    ).exactOptional(),
  },
  "Labels to select by; an empty mapping selects all.",
  "{ matchLabels: { app.kubernetes.io/name: kazoo } }",
);

const aPodTerm =
  "{ topologyKey: kubernetes.io/hostname, labelSelector: { matchLabels: { app.kubernetes.io/name: kazoo } } }";

const podTerm = mapping(
  {
    topologyKey: nameOf("the label by which nodes are in the same place", "kubernetes.io/hostname"),
    labelSelector: labelSelector.exactOptional(),
    namespaces: list(dnsName, "Namespaces of those pods.", "[us-east-nyc]").exactOptional(),
    namespaceSelector: labelSelector.exactOptional(),
  },
  "Pods, by default in the pod's own namespace, and what counts as the same place.",
  aPodTerm,
);

const weight = field(wholeNumber(1, 100), {
  description: "Weight of the preference.",
  expected: "a whole number from 1 to 100",
  example: "100",
});

const podRules = (where: string) =>
  mapping(
    {
      requiredDuringSchedulingIgnoredDuringExecution: list(
        podTerm,
        `Must run ${where} these pods.`,
        `[${aPodTerm}]`,
      ).exactOptional(),
      preferredDuringSchedulingIgnoredDuringExecution: list(
        mapping({ weight, podAffinityTerm: podTerm }, "A preference.", `{ weight: 100, podAffinityTerm: ${aPodTerm} }`),
        `Should run ${where} these pods, if possible.`,
        `[{ weight: 100, podAffinityTerm: ${aPodTerm} }]`,
      ).exactOptional(),
    },
    `Which pods to run ${where}.`,
    `{ requiredDuringSchedulingIgnoredDuringExecution: [${aPodTerm}] }`,
  );

/** Kubernetes' `affinity`, checked as strictly as by the API server, but before anything is deployed. */
export const affinity = mapping(
  {
    nodeAffinity: mapping(
      {
        requiredDuringSchedulingIgnoredDuringExecution: mapping(
          {
            nodeSelectorTerms: list(
              nodeTerm,
              "Nodes to run on: those of any of these terms.",
              `[{ matchExpressions: ${anExpression} }]`,
            ),
          },
          "Nodes that the pods must run on.",
          `{ nodeSelectorTerms: [{ matchExpressions: ${anExpression} }] }`,
        ).exactOptional(),
        preferredDuringSchedulingIgnoredDuringExecution: list(
          mapping(
            { weight, preference: nodeTerm },
            "A preference.",
            `{ weight: 100, preference: { matchExpressions: ${anExpression} } }`,
          ),
          "Nodes that the pods should run on, if possible.",
          `[{ weight: 100, preference: { matchExpressions: ${anExpression} } }]`,
        ).exactOptional(),
      },
      "Nodes to run on.",
      `{ requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: ${anExpression} }] } }`,
    ).exactOptional(),
    podAffinity: podRules("near").exactOptional(),
    podAntiAffinity: podRules("away from").exactOptional(),
  },
  "Nodes that the pods prefer or require, and pods to run near or away from (Kubernetes' `affinity`).",
  `{ podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [${aPodTerm}] } }`,
);
