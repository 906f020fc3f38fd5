import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { testPrograms } from "../programs";

/** One end of a connection: a pod, or an address outside all pods. */
export interface End {
  readonly address: string;
  /** @default no pod of the cluster */
  readonly pod?: {
    readonly labels: Record<string, string>;
    readonly namespace: string;
    readonly namespaceLabels: Record<string, string>;
  };
}

export interface Attempt {
  readonly from: End;
  readonly to: End;
  readonly port: number;
  readonly protocol?: "TCP" | "UDP";
}

/** Which connections the NetworkPolicies of a cluster allow, as Cyclonus (github.com/mattfenwick/cyclonus) reads them. */
export async function evaluatePolicies(policies: readonly object[], attempts: readonly Attempt[]): Promise<boolean[]> {
  const program = await testPrograms(["cyclonus"], () => undefined);
  const folder = mkdtempSync(join(tmpdir(), "kazoo-policies-"));
  try {
    const file = (name: string, content: unknown) => {
      writeFileSync(join(folder, name), JSON.stringify(content));
      return join(folder, name);
    };
    const list = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicyList", items: policies };
    const { stdout } = await promisify(execFile)(
      program("cyclonus"),
      [
        ...["analyze", "--mode", "query-traffic"],
        ...[
          "--policy-path",
          file("policies.json", list),
          "--traffic-path",
          file("traffic.json", attempts.map(traffic)),
        ],
      ],
      { maxBuffer: 256 * 1024 * 1024 },
    );
    const answers = [...stdout.matchAll(/^\| IS ALLOWED\? \| +(TRUE|FALSE) /gm)].map(([, answer]) => answer === "TRUE");
    if (answers.length !== attempts.length)
      throw new Error(`${attempts.length} connections to judge, ${answers.length} answers`);
    return answers;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function traffic({ from, to, port, protocol = "TCP" }: Attempt): object {
  const end = ({ address, pod }: End) => ({
    IP: address,
    ...(pod === undefined
      ? {}
      : { Internal: { PodLabels: pod.labels, Namespace: pod.namespace, NamespaceLabels: pod.namespaceLabels } }),
  });
  return { Source: end(from), Destination: end(to), ResolvedPort: port, ResolvedPortName: "", Protocol: protocol };
}
