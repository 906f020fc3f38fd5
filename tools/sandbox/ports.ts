import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { UserError } from "../shared/terminal";

/**
 * The ports of a cluster, a consecutive block. kwokctl does not choose them: it would give the same ports to two clusters
 * that are created at the same time, and those of a stopped cluster to the next one.
 */
export const clusterPorts = (first: number) =>
  ({
    etcd: first,
    etcdPeer: first + 1,
    apiServer: first + 2,
    controllerManager: first + 3,
    scheduler: first + 4,
  }) as const;

/**
 * Below the range that Linux uses for outgoing connections (32768 to 60999), where a connection may occupy a port just
 * when its server restarts, and below that of node ports (30000 to 32767). In steps of ten, so that blocks do not overlap.
 */
const blocks = { first: 2_000, end: 3_000 } as const;

/** First port of a free block, none of `taken`. Two commands at the same time get different ones with near certainty. */
export async function choosePort(address: string, taken: readonly number[]): Promise<number> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const port = 10 * randomInt(blocks.first, blocks.end);
    if (!taken.includes(port) && (await areFree(port, address))) return port;
  }
  throw new UserError(`no free TCP ports between ${10 * blocks.first} and ${10 * blocks.end} on ${address}`);
}

/** Whether a cluster's programs may listen on its ports now, the API server on `address`. */
export async function areFree(first: number, address: string): Promise<boolean> {
  const { apiServer, ...others } = clusterPorts(first);
  const free = [isFree(address, apiServer), ...Object.values(others).map((port) => isFree("127.0.0.1", port))];
  return (await Promise.all(free)).every(Boolean);
}

/** Whether a server may listen on this port of this address now. */
function isFree(address: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE" || error.code === "EACCES") resolve(false);
      else if (error.code === "EADDRNOTAVAIL")
        reject(new UserError(`no network interface of this machine has the address ${address}`));
      else reject(error);
    });
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
