import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { UserError } from "../shared/terminal";

/**
 * Below the range that Linux gives to outgoing connections (32768 to 60999), where a port may be in use by a connection
 * just when its server is started again, and below that of node ports (30000 to 32767).
 */
const lowest = 20_000;
const highest = 29_999;

/** Whether a server may listen on this port of this address now. */
export function isFree(address: string, port: number): Promise<boolean> {
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

/** A free port of `address`, none of `taken`. Two callers at once get different ones with near certainty. */
export async function freePort(address: string, taken: ReadonlySet<number>): Promise<number> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const port = randomInt(lowest, highest + 1);
    if (!taken.has(port) && (await isFree(address, port))) return port;
  }
  throw new UserError(`no free TCP port between ${lowest} and ${highest} on ${address}`);
}
