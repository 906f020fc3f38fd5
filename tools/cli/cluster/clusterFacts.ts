import type { CoreV1Api } from "@kubernetes/client-node";
import type { KubernetesCluster } from "../../../config/platform";
import { stackLabel } from "../../../components/names";
import type { ClusterFacts } from "./clusterFindings";
import { asking, clientsOf } from "./kubernetes";

/** Resources that the first `up` must be allowed to create, with their API groups. */
const created = {
  namespaces: "",
  secrets: "",
  statefulsets: "apps",
  networkpolicies: "networking.k8s.io",
  jobs: "batch",
};

/**
 * Reads facts about a cluster; changes nothing.
 * @param namespace the one that the stack would create
 * @throws UserError if the cluster does not answer, or refuses the user
 */
export async function clusterFacts(cluster: KubernetesCluster, namespace: string): Promise<ClusterFacts> {
  const client = await import("@kubernetes/client-node");
  const { config, core, apps } = await clientsOf(cluster);
  const access = config.makeApiClient(client.AuthorizationV1Api);
  const forbiddenIn = async ([resource, group]: [string, string]): Promise<string[]> => {
    const place = resource === "namespaces" ? {} : { namespace };
    const spec = { resourceAttributes: { verb: "create", resource, group, ...place } };
    const { status } = await access.createSelfSubjectAccessReview({ body: { spec } });
    return status?.allowed === true ? [] : [resource];
  };
  const storage = config.makeApiClient(client.StorageV1Api);
  const apis = config.makeApiClient(client.ApisApi);
  return asking(cluster, async () => {
    const version = await config.makeApiClient(client.VersionApi).getCode();
    const [classes, daemonSets, { groups }, found, podSecurity, forbidden] = await Promise.all([
      storage.listStorageClass().catch(answering({ 403: undefined })),
      apps.listDaemonSetForAllNamespaces().catch(answering({ 403: undefined })),
      apis.getAPIVersions(),
      core.readNamespace({ name: namespace }).catch(answering({ 403: undefined, 404: null })),
      checksNamespaceLabels(core),
      Promise.all(Object.entries(created).map(forbiddenIn)),
    ]);
    return {
      version,
      storageClasses: classes?.items.map(({ metadata }) => ({
        name: metadata?.name ?? "",
        isDefault: metadata?.annotations?.["storageclass.kubernetes.io/is-default-class"] === "true",
      })),
      daemonSets: daemonSets?.items.map(({ metadata, spec }) => ({
        name: metadata?.name ?? "",
        args: spec?.template.spec?.containers.flatMap(({ args }) => args ?? []) ?? [],
      })),
      apiGroups: groups.map(({ name }) => name),
      namespace: found && { stack: found.metadata?.labels?.[stackLabel] },
      podSecurity,
      forbidden: forbidden.flat(),
    };
  });
}

/** Maps a failed call's HTTP status to a result; throws all other errors on. */
const answering =
  <T>(meanings: Readonly<Record<number, T>>) =>
  (error: unknown): T => {
    const { code } = error as { code?: unknown };
    if (typeof code === "number" && code in meanings) return meanings[code] as T;
    throw error;
  };

/** Whether the API server refuses a dry run with an unknown level: without Pod Security admission, it accepts it. */
async function checksNamespaceLabels(core: CoreV1Api): Promise<boolean | undefined> {
  const label = "pod-security.kubernetes.io/enforce";
  const body = { metadata: { generateName: "kazoo-init-", labels: { [label]: "none" } } };
  try {
    await core.createNamespace({ body, dryRun: "All" });
    return false;
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (typeof code !== "number") throw error;
    return message.includes(label) ? true : undefined;
  }
}
