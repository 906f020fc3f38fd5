import { request } from "node:https";
import { join } from "node:path";
import type { KubernetesObject } from "@kubernetes/client-node";
import { until } from "./until";

/** An answer of an API server. */
export interface Answer {
  readonly status: number;
  /** Texts of the `Warning` headers. */
  readonly warnings: readonly string[];
  readonly body: Record<string, unknown>;
}

/** A list of objects, with the fields that tests use. */
export type Found = KubernetesObject & {
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  data?: Record<string, string>;
};

/** Plain requests to a sandbox cluster's API server, with a clone's kubeconfig. */
export async function clusterApi(directory: string, cluster: string) {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const kubeconfig = new KubeConfig();
  kubeconfig.loadFromFile(join(directory, ".sandbox", "kubeconfig"));
  kubeconfig.setCurrentContext(`sandbox-${cluster}`);
  const server = kubeconfig.getCurrentCluster()?.server ?? "";

  const call = async (method: string, path: string, body?: object, type = "application/json"): Promise<Answer> => {
    const options = { method, headers: { Accept: "application/json", "Content-Type": type } };
    await kubeconfig.applyToHTTPSOptions(options);
    return new Promise((resolve, reject) => {
      const outgoing = request(`${server}${path}`, options, (incoming) => {
        let text = "";
        incoming.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        incoming.on("end", () => {
          const warning = incoming.headers["warning"] as string | string[] | undefined;
          resolve({
            status: incoming.statusCode ?? 0,
            warnings: [warning ?? []].flat(),
            body: JSON.parse(text) as Record<string, unknown>,
          });
        });
      });
      outgoing.on("error", reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  };
  /** Objects at a path of the API, e.g. `/apis/apps/v1/statefulsets`. */
  const list = async (path: string): Promise<Found[]> => {
    const { status, body } = await call("GET", path);
    if (status !== 200) throw new Error(`GET ${path}: ${status}`);
    return body.items as Found[];
  };
  return { call, list };
}

/** Repeats a request until the answer is as wanted, and returns it. */
export async function eventually<T>(what: string, ask: () => Promise<T>, right: (answer: T) => boolean): Promise<T> {
  const { answer } = await until(what, async () => {
    const answer = await ask();
    if (right(answer)) return { answer };
    throw new Error(`the last answer was ${JSON.stringify(answer)}`);
  });
  return answer;
}
