import { counted, type Finding, some } from "./finding";

/** A node in the answer to `/api/nodes` of the management API, as far as it is read. */
export interface BrokerNode {
  readonly name: string;
  readonly mem_alarm?: boolean;
  readonly disk_free_alarm?: boolean;
  /** The nodes that it no longer sees. */
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
    why: "the broker takes no more messages: calls and registrations of the zone stall",
    fix: `find the queues that grow (rabbitmqctl list_queues name messages memory), or ${fix}`,
  });
  return nodes.flatMap(({ name, mem_alarm: memory, disk_free_alarm: disk, partitions = [] }): Finding[] => [
    ...(memory === true ? [alarm("memory", "raise workloads.rabbitmq.resources")] : []),
    ...(disk === true ? [alarm("disk", "make the volume bigger: make grow WORKLOAD=rabbitmq TO=…")] : []),
    ...(partitions.length === 0
      ? []
      : [
          {
            kind: "error" as const,
            where,
            what: `${name} has lost sight of ${partitions.join(", ")}`,
            why: "the broker was clustered by hand, and its halves now disagree; here each broker is alone in its cluster",
            fix: "restart the broker's pod, and take the other nodes out of its cluster: rabbitmqctl forget_cluster_node",
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
      what: `${counted(messages, "message")} in queues that nobody reads: ${some(left.map(({ name }) => name))}`,
      why: "what should handle them does not run or has lost its connection; the queues grow until the broker's memory ends",
      fix: "make status shows whether all of Kazoo runs; delete a queue that nothing needs: rabbitmqctl delete_queue NAME",
    },
  ];
}
