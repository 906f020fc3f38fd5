import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** An HTTP proxy that fails on purpose. */
export interface FlakyProxy {
  readonly url: string;
  /** Requests so far. */
  readonly count: () => number;
  stop(): Promise<void>;
}

/**
 * Starts a proxy on loopback that answers the first requests with 503 and then does its work, as a mirror in trouble does.
 * It is for clients that speak plain HTTP, such as apt.
 * @param failures how many requests fail; Infinity for all
 */
export async function startFlakyProxy(failures: number): Promise<FlakyProxy> {
  let count = 0;
  const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
    count += 1;
    if (count <= failures) {
      outgoing.writeHead(503, { connection: "close" }).end();
      return;
    }
    // A proxy is asked for whole URLs.
    const forward = request(incoming.url!, { method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    forward.on("error", () => outgoing.destroy());
    incoming.pipe(forward);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: () => count,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
