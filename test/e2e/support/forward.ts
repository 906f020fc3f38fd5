import { connect, createServer } from "node:net";

/** Makes a loopback port reachable at another address of this machine, under the same number. Returns a function that stops it. */
export async function forward(address: string, port: number): Promise<() => Promise<void>> {
  const server = createServer((incoming) => {
    const outgoing = connect(port, "127.0.0.1");
    incoming.on("error", () => outgoing.destroy()).pipe(outgoing);
    outgoing.on("error", () => incoming.destroy()).pipe(incoming);
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, address, resolve));
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}
