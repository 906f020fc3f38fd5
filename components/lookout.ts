import type { AppsV1Api, CoreV1Api, CoreV1Event, V1Pod, V1StatefulSet } from "@kubernetes/client-node";
import * as pulumi from "@pulumi/pulumi";
import { partOfKazoo } from "./changes";
import { rolloutProgress } from "./names";
import { troubles } from "./trouble";

/** A StatefulSet in a namespace. */
interface SetName {
  readonly namespace: string;
  readonly name: string;
}

interface Apis {
  readonly apps: AppsV1Api;
  readonly core: CoreV1Api;
}

/** Warns of what keeps the pods of a cluster's StatefulSets from becoming ready, once for each line. */
export class Lookout {
  private readonly warned = new Map<string, Set<string>>();
  private readonly sets = new Map<string, SetName>();
  private timer: NodeJS.Timeout | undefined;
  private unready: ReadonlySet<string> = new Set();

  /**
   * @param apis how to reach the cluster
   * @param seconds between two looks
   */
  constructor(
    private readonly apis: () => Promise<Apis>,
    private readonly seconds: number,
  ) {}

  /** Looks at a StatefulSet every so often, until `end`. This does not keep the process running: the provider may fail meanwhile. */
  begin(set: SetName): void {
    this.sets.set(keyOf(set), set);
    this.timer ??= setInterval(() => void this.lookAround().catch(() => undefined), this.seconds * 1000).unref();
  }

  end(set: SetName): void {
    this.sets.delete(keyOf(set));
    if (this.sets.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** Looks at those that are not rolled out, now and the last time: pods that have just started are not in trouble yet. */
  private async lookAround(): Promise<void> {
    const { apps } = await this.apis();
    const sets = [...this.sets.values()];
    // Not all users may list those of the whole cluster.
    const found = await apps.listStatefulSetForAllNamespaces({ labelSelector: partOfKazoo }).then(
      ({ items }) => items,
      () => Promise.all(sets.map((set) => apps.readNamespacedStatefulSet(set).catch((): V1StatefulSet => ({})))),
    );
    const rolling = new Set(found.filter((set) => !rolloutProgress(set).done).map(({ metadata }) => keyOf(metadata)));
    const before = this.unready;
    this.unready = rolling;
    const unready = sets.filter((set) => rolling.has(keyOf(set)) && before.has(keyOf(set)));
    await Promise.all(unready.map((set) => this.look(set)));
  }

  /** Looks once. @returns what was found so far */
  async look(set: SetName): Promise<ReadonlySet<string>> {
    const warned = this.warned.get(keyOf(set)) ?? new Set();
    this.warned.set(keyOf(set), warned);
    for (const trouble of await troublesOf((await this.apis()).core, set)) {
      if (warned.has(trouble)) continue;
      warned.add(trouble);
      await pulumi.log.warn(`StatefulSet ${set.namespace}/${set.name}: ${trouble}`);
    }
    return warned;
  }
}

const keyOf = ({ namespace, name }: Partial<SetName> = {}) => `${namespace}/${name}`;

/** What keeps the pods of a StatefulSet from becoming ready, as far as the user may see it. */
async function troublesOf(core: CoreV1Api, { namespace, name }: SetName): Promise<string[]> {
  const eventsOf = async (kind: string, object?: string) => {
    const named = object === undefined ? "" : `,involvedObject.name=${object}`;
    const fieldSelector = `involvedObject.kind=${kind}${named}`;
    return (await itemsOf(core.listNamespacedEvent({ namespace, fieldSelector }))).sort(newestFirst);
  };
  const pods = await itemsOf(core.listNamespacedPod({ namespace }));
  const own = pods.filter(({ metadata }) => metadata?.ownerReferences?.some((owner) => owner.name === name));
  const [last] = await eventsOf("StatefulSet", name);
  const claimed = own
    .filter(({ spec }) => spec?.nodeName === undefined)
    .flatMap(({ spec }) => spec?.volumes?.flatMap((volume) => volume.persistentVolumeClaim?.claimName ?? []) ?? []);
  const claimEvents = claimed.length === 0 ? [] : await eventsOf("PersistentVolumeClaim");
  const claims = claimed.length === 0 ? [] : await itemsOf(core.listNamespacedPersistentVolumeClaim({ namespace }));
  return troubles({
    pods: await Promise.all(own.map((pod) => withLastWords(core, pod))),
    ...(last?.reason === "FailedCreate" && last.message !== undefined ? { refused: last.message } : {}),
    claims: claims.flatMap(({ metadata: { name: claim = "" } = {}, status }) => {
      const event = claimEvents.find(({ involvedObject }) => involvedObject.name === claim);
      return claimed.includes(claim) && status?.phase === "Pending" && event !== undefined
        ? [{ name: claim, event }]
        : [];
    }),
  });
}

const itemsOf = async <T>(list: Promise<{ items: T[] }>): Promise<T[]> =>
  list.then(({ items }) => items).catch(() => []);

const newestFirst = (one: CoreV1Event, other: CoreV1Event) => timeOf(other) - timeOf(one);

const timeOf = ({ series, lastTimestamp, eventTime, firstTimestamp }: CoreV1Event): number =>
  new Date(series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? firstTimestamp ?? 0).getTime();

/** A pod in which the message of each crashing container is the last lines of its log. */
async function withLastWords(core: CoreV1Api, pod: V1Pod): Promise<V1Pod> {
  const name = pod.metadata?.name ?? "";
  const namespace = pod.metadata?.namespace ?? "";
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  for (const { name: container, state, lastState } of [...initContainerStatuses, ...containerStatuses]) {
    const ended = lastState?.terminated;
    if (state?.waiting?.reason !== "CrashLoopBackOff" || ended === undefined || ended.message !== undefined) continue;
    const log = { name, namespace, container, previous: true, tailLines: 3 };
    ended.message = await core.readNamespacedPodLog(log).catch(() => "");
  }
  return pod;
}
