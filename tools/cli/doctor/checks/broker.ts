import { counted, type Finding, some } from "./finding";

/** The fields used of a node in the answer to `/api/nodes` of the management API. */
export interface BrokerNode {
  readonly name: string;
  readonly mem_alarm?: boolean;
  readonly disk_free_alarm?: boolean;
  /** Nodes with which it has lost contact. */
  readonly partitions?: readonly string[];
}

/** A queue in the answer to `/api/queues`; a new one has no figures yet. */
export interface Queue {
  readonly name: string;
  readonly messages?: number;
  readonly consumers?: number;
}

/** Alarms and partitions of a broker. */
export function brokerFindings(where: string, nodes: readonly BrokerNode[]): Finding[] {
  const alarm = (name: string, fix: string): Finding => ({
    kind: "error",
    where,
    what: `${name} alarm`,
    why: "the broker accepts no more messages: calls and registrations in the zone stall",
    fix: `find the queues that grow (rabbitmqctl list_queues name messages memory), or ${fix}`,
  });
  return nodes.flatMap(({ name, mem_alarm: memory, disk_free_alarm: disk, partitions = [] }): Finding[] => [
    ...(memory === true ? [alarm("memory", "raise workloads.rabbitmq.resources")] : []),
    ...(disk === true ? [alarm("disk", "enlarge the volume: make grow WORKLOAD=rabbitmq TO=…")] : []),
    ...(partitions.length === 0
      ? []
      : [
          {
            kind: "error" as const,
            where,
            what: `${name} has lost contact with ${partitions.join(", ")}`,
            why: "someone clustered the broker by hand, and its halves now disagree; each broker must be a cluster of its own",
            fix: "restart the broker's pod, and remove the other nodes from its cluster: rabbitmqctl forget_cluster_node",
          },
        ]),
  ]);
}

/** Queues with messages and without a consumer. */
export function queueFindings(where: string, queues: readonly Queue[]): Finding[] {
  const left = queues.filter(({ messages = 0, consumers }) => messages > 0 && consumers === 0);
  if (left.length === 0) return [];
  const messages = left.reduce((sum, { messages = 0 }) => sum + messages, 0);
  return [
    {
      kind: "warning",
      where,
      what: `${counted(messages, "message")} in queues without a consumer: ${some(left.map(({ name }) => name))}`,
      why: "their consumer does not run or has lost its connection; the queues grow until the broker runs out of memory",
      fix: "make status shows whether all of Kazoo runs; delete an unused queue with rabbitmqctl delete_queue NAME",
    },
  ];
}
