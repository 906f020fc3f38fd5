import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { type clusterApi, eventually } from "./clusterApi";
import { goModule } from "./goModule";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

interface Condition {
  readonly type: string;
  readonly status: string;
}

const isEstablished = ({ type, status }: Condition): boolean => type === "Established" && status === "True";

type Api = Awaited<ReturnType<typeof clusterApi>>;

/** The definitions of the kinds PodMonitor and PrometheusRule, as files. */
export async function prometheusOperatorDefinitions(): Promise<string[]> {
  const folder = await goModule(
    "github.com/prometheus-operator/prometheus-operator@v0.79.2",
    "h1:H/HCiMS4dXQyiFHw28PFlWMh15YUraL3MFe8u7k7dGA=",
  );
  return ["podmonitors", "prometheusrules"].map((kind) =>
    join(folder, `example/prometheus-operator-crd/monitoring.coreos.com_${kind}.yaml`),
  );
}

/** Adds these kinds to a cluster. */
export async function definePrometheusOperator(api: Api): Promise<void> {
  for (const path of await prometheusOperatorDefinitions()) await define(api, path);
}

/** Adds the kind HTTPRoute to a cluster. */
export async function defineGatewayApi(api: Api): Promise<void> {
  const folder = await goModule("sigs.k8s.io/gateway-api@v1.2.1", "h1:fZZ/+RyRb+Y5tGkwxFKuYuSRQHu9dZtbjenblleOLHM=");
  await define(api, join(folder, "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"));
}

/** Adds a CustomResourceDefinition to a cluster, and waits until the API server knows its kind. */
async function define(api: Api, path: string): Promise<void> {
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
