import { secrets } from "../../../config/hosts";
import { storedKeys } from "../../../config/credentials";
import type { KubernetesCluster, Ring, Zone } from "../../../config/platform";
import type { TlsSecret } from "./checks/certificate";
import type { Claim, NeededSecret, Quota } from "./checks/objects";
import { asking, clientsOf } from "../cluster/kubernetes";

/** An answer of the API server; undefined if the user may not see it. */
type Permitted<T> = T | undefined;

/** The result of a call; null if the object does not exist, undefined if the user may not see it. */
const permitted = <T>(cluster: KubernetesCluster, work: () => Promise<T>): Promise<Permitted<T | null>> =>
  asking(cluster, async () => {
    try {
      return await work();
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === 404) return null;
      if (code === 403) return undefined;
      throw error;
    }
  });

/** Keys of a Secret with their values in base64, without empty ones; null if the Secret does not exist. */
async function secretData(cluster: KubernetesCluster, namespace: string, name: string) {
  const { core } = await clientsOf(cluster);
  const secret = await permitted(cluster, () => core.readNamespacedSecret({ name, namespace }));
  return secret === null || secret === undefined
    ? secret
    : Object.fromEntries(Object.entries(secret.data ?? {}).filter(([, value]) => value !== ""));
}

/** The TLS Secret of a zone's Ingress; null if there is no such Ingress, undefined if the user may not see it. */
export async function tlsSecretOf(
  cluster: KubernetesCluster,
  { namespace, ingress }: Zone,
): Promise<Permitted<TlsSecret | null>> {
  if (ingress?.tls === undefined) return null;
  const { secretName: name, issuer, clusterIssuer } = ingress.tls;
  const data = await secretData(cluster, namespace, name);
  if (data === undefined) return undefined;
  const certificate = data?.["tls.crt"];
  return {
    name,
    hosts: [...new Set([ingress.host, ingress.websockets.host])],
    issued: issuer !== undefined || clusterIssuer !== undefined,
    certificate: certificate === undefined ? undefined : Buffer.from(certificate, "base64").toString(),
  };
}

/** The Secrets that a zone's pods read; undefined if the user may not see them. */
export async function neededSecrets(
  cluster: KubernetesCluster,
  zone: Zone,
  ring: Ring,
): Promise<Permitted<NeededSecret[]>> {
  const needed = await Promise.all(
    namesOf(zone, ring).map(async (one) => {
      const data = await secretData(cluster, zone.namespace, one.name);
      return data === undefined ? [] : [{ ...one, found: data === null ? undefined : Object.keys(data) }];
    }),
  );
  return needed.every((one) => one.length === 0) ? undefined : needed.flat();
}

function namesOf(zone: Zone, ring: Ring): Omit<NeededSecret, "found">[] {
  const given = (Object.keys(storedKeys) as (keyof typeof storedKeys)[]).flatMap((part) => {
    const [name, keys] = [ring.secrets[part], ring.secretKeys[part] as Record<string, string> | undefined];
    return name === undefined
      ? []
      : [{ part, name, own: false, keys: storedKeys[part].map((key) => keys?.[key] ?? key) }];
  });
  const own = [
    { part: "cookie", name: secrets.cookie, keys: ["cookie"] },
    { part: "rabbitmq", name: secrets.rabbitmq, keys: ["username", "password"] },
    { part: "database", name: secrets.database, keys: ["username", "password", "cookie"] },
    { part: "database", name: secrets.databaseRing, keys: ["ring.ini"] },
    ...(ring.masterAccount !== undefined && ring.zones[0] === zone.name
      ? [{ part: "account", name: secrets.masterAccount, keys: ["password"] }]
      : []),
  ].filter(({ part }) => !given.some((one) => one.part === part));
  return [...given, ...own.map((one) => ({ ...one, own: true }))];
}

/** The ResourceQuotas of a namespace; undefined if the user may not see them. */
export async function quotasOf(cluster: KubernetesCluster, namespace: string): Promise<Permitted<Quota[]>> {
  const { core } = await clientsOf(cluster);
  const list = await permitted(cluster, () => core.listNamespacedResourceQuota({ namespace }));
  return list?.items.map(({ metadata, status }) => ({
    name: metadata?.name ?? "",
    hard: status?.hard ?? {},
    used: status?.used ?? {},
  }));
}

/** The claims of a namespace; undefined if the user may not see them. */
export async function claimsOf(cluster: KubernetesCluster, namespace: string): Promise<Permitted<Claim[]>> {
  const { core } = await clientsOf(cluster);
  const list = await permitted(cluster, () => core.listNamespacedPersistentVolumeClaim({ namespace }));
  return list?.items.map(({ metadata, status }) => ({
    name: metadata?.name ?? "",
    phase: status?.phase ?? "Pending",
    conditions: (status?.conditions ?? [])
      .filter((condition) => condition.status === "True")
      .map(({ type, message }) => ({ type, ...(message === undefined ? {} : { message }) })),
  }));
}
