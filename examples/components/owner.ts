import type * as pulumi from "@pulumi/pulumi";

/** Names who answers for a workload on its StatefulSet, which no argument of a component does: for a component's `transformations`. */
export const ownedBy =
  (team: string): pulumi.ResourceTransformation =>
  ({ type, props, opts }) => {
    if (type !== "kubernetes:apps/v1:StatefulSet") return undefined;
    const { metadata, ...others } = props as { metadata: { annotations?: Record<string, string> } };
    const annotations = { ...metadata.annotations, "example.com/owner": team };
    return { props: { ...others, metadata: { ...metadata, annotations } }, opts };
  };
