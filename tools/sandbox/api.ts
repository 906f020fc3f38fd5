import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import type { ClusterFiles } from "./files";

/** A small client of the cluster's servers, as the sandbox's administrator; it verifies TLS with the cluster's CA. */
export interface Api {
  /** Status and body of a GET; undefined without an answer. */
  readonly get: (url: string) => Promise<{ status: number; body: string } | undefined>;
  /** Applies an object at this URL (server-side apply). */
  readonly apply: (url: string, object: object) => Promise<void>;
  /** Closes its connections. */
  readonly close: () => void;
}

export function connect(files: ClusterFiles): Api {
  const agent = new Agent({
    keepAlive: true,
    ca: readFileSync(files.certificate("ca")),
    cert: readFileSync(files.certificate("admin")),
    key: readFileSync(files.key("admin")),
  });
  const send = (method: string, url: string, body?: string): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { "content-type": "application/apply-patch+yaml" };
      const sent = request(url, { method, agent, headers, timeout: 5_000 }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
      });
      sent.on("timeout", () => sent.destroy(new Error(`no answer from ${url} in 5 s`)));
      sent.on("error", reject);
      sent.end(body);
    });
  return {
    get: (url) => send("GET", url).catch(() => undefined),
    apply: async (url, object) => {
      const answer = await send("PATCH", `${url}?fieldManager=kazoo-sandbox&force=true`, JSON.stringify(object));
      if (answer.status >= 300) throw new Error(`${url} answered ${answer.status}: ${answer.body}`);
    },
    close: () => agent.destroy(),
  };
}
