import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { type clusterApi, eventually } from "./clusterApi";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

interface Condition {
  readonly type: string;
  readonly status: string;
}

const isEstablished = ({ type, status }: Condition): boolean => type === "Established" && status === "True";

/** Adds a CustomResourceDefinition to a cluster, and waits until the API server knows its kind. */
export async function define(api: Awaited<ReturnType<typeof clusterApi>>, path: string): Promise<void> {
  const definition = parse(readFileSync(path, "utf8")) as { metadata: { name: string } };
  const { status } = await api.call("POST", definitions, definition);
  assert.equal(status, 201);
  const { name } = definition.metadata;
  await eventually(
    `${name} to be established`,
    async () => (await api.list(definitions)).find(({ metadata }) => metadata?.name === name),
    (found) => (found?.status?.conditions as Condition[] | undefined)?.some(isEstablished) === true,
  );
}
