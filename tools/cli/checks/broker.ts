import { counted, type Finding, some } from "./finding";

/** What `rabbitmqctl cluster_status --formatter json` says, as far as it is read. */
export interface BrokerStatus {
  readonly alarms: readonly { readonly type: string; readonly resource: string; readonly node: string }[];
  /** The nodes that each node lost sight of. */
  readonly partitions: Readonly<Record<string, readonly string[]>>;
  readonly versions: Readonly<Record<string, { readonly rabbitmq_version: string }>>;
}

/** A line of `rabbitmqctl list_queues name messages consumers --formatter json`. */
export interface Queue {
  readonly name: string;
  readonly messages: number;
  readonly consumers: number;
}

/** The version that a broker runs. */
export const brokerVersion = ({ versions }: BrokerStatus): string | undefined =>
  Object.values(versions)[0]?.rabbitmq_version;

const alarmFixes: Readonly<Record<string, string>> = {
  memory:
    "find the queues that grow (rabbitmqctl list_queues name messages memory), or raise workloads.rabbitmq.resources",
  disk: "find the queues that grow (rabbitmqctl list_queues name messages), or make the volume bigger: make grow WORKLOAD=rabbitmq TO=…",
};

/** Alarms and partitions of a broker. */
export function brokerFindings(where: string, { alarms = [], partitions = {} }: Partial<BrokerStatus>): Finding[] {
  return [
    ...alarms.map(({ resource }): Finding => ({
      kind: "error",
      where,
      what: `${resource} alarm`,
      why: "the broker takes no more messages: calls and registrations of the zone stall",
      fix: alarmFixes[resource] ?? "make logs shows what the broker says of it",
    })),
    ...Object.entries(partitions).map(([node, lost]): Finding => ({
      kind: "error",
      where,
      what: `${node} has lost sight of ${lost.join(", ")}`,
      why: "the broker was clustered by hand, and its halves now disagree; here each broker is alone in its cluster",
      fix: "restart the broker's pod, and take the other nodes out of its cluster: rabbitmqctl forget_cluster_node",
    })),
  ];
}

/** Queues that hold messages which nobody takes. */
export function queueFindings(where: string, queues: readonly Queue[]): Finding[] {
  const left = queues.filter(({ messages, consumers }) => messages > 0 && consumers === 0);
  if (left.length === 0) return [];
  const messages = left.reduce((sum, queue) => sum + queue.messages, 0);
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
