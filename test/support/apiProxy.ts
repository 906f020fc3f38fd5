import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type IncomingMessage, type ServerResponse } from "node:http";
import { Agent, createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { clusterFiles } from "../../tools/sandbox/files";

/** What happens to a request: it is passed on, never answered, cut off, or answered with a status. */
export type Treatment = "pass" | "hang" | "cut" | number;

/** A proxy in front of a sandbox cluster's API server that can be made to misbehave. */
export interface ApiProxy {
  readonly url: string;
  /** Decides on each request from now on. */
  readonly treat: (decide: (request: { readonly method: string; readonly path: string }) => Treatment) => void;
  /** Passes everything on from now on, including hanging requests. */
  readonly mend: () => void;
  readonly close: () => void;
}

/**
 * @param project folder of the sandbox
 * @param server the API server's URL
 */
export async function apiProxy(project: string, cluster: string, server: string): Promise<ApiProxy> {
  const files = clusterFiles(project, cluster);
  // Clients get a certificate that they trust already; the API server gets the administrator's.
  const identity = {
    ca: readFileSync(files.certificate("ca")),
    cert: readFileSync(files.certificate("admin")),
    key: readFileSync(files.key("admin")),
  };
  const agent = new Agent({ ...identity, keepAlive: true });
  let decide: Parameters<ApiProxy["treat"]>[0] = () => "pass";
  const hanging = new Set<IncomingMessage>();

  const pass = (incoming: IncomingMessage, answer: ServerResponse): void => {
    const { method, headers, url } = incoming;
    const outgoing = request(`${server}${url}`, { method, headers, agent }, (answered) => {
      answer.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.pipe(answer);
    });
    outgoing.on("error", () => incoming.socket.destroy());
    answer.on("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  };
  const proxy = createServer(identity, (incoming, answer) => {
    const treatment = decide({ method: incoming.method ?? "", path: incoming.url ?? "" });
    if (treatment === "pass") pass(incoming, answer);
    else if (treatment === "hang") hanging.add(incoming);
    else if (treatment === "cut") incoming.socket.destroy();
    else {
      const message = `made up by the test: ${treatment}`;
      const status = { kind: "Status", apiVersion: "v1", status: "Failure", message, code: treatment };
      const headers = { "content-type": "application/json", ...(treatment === 429 ? { "retry-after": "1" } : {}) };
      answer.writeHead(treatment, headers).end(JSON.stringify(status));
    }
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const mend = () => {
    decide = () => "pass";
    for (const { socket } of hanging) socket.destroy();
    hanging.clear();
  };
  return {
    url: `https://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    treat: (next) => {
      decide = next;
    },
    mend,
    close: () => {
      mend();
      proxy.closeAllConnections();
      proxy.close();
      agent.destroy();
    },
  };
}
