import { get } from "node:http";
import { connect } from "node:net";
import { databasePort, rabbitmqPorts } from "../../../components/names";

/** `refused`: for the credentials; `away`: nothing answered, or it was about to stop or to start. */
export type Login = "accepted" | "refused" | "away";

export type Store = "rabbitmq" | "database";

export interface Account {
  readonly user: string;
  readonly password: string;
}

/** How long a store may say nothing, in ms. */
const patience = 5000;

/** Connects to a store at an address, logs in, and leaves again. */
export const logIn = (store: Store, address: string, account: Account): Promise<Login> =>
  store === "rabbitmq" ? toBroker(address, account) : toDatabase(address, account);

/** Only an administrator may list the databases. */
const toDatabase = (host: string, { user, password }: Account): Promise<Login> =>
  new Promise((done) => {
    const options = { host, port: databasePort, path: "/_all_dbs", auth: `${user}:${password}`, agent: false };
    const request = get({ ...options, timeout: patience }, ({ statusCode = 0 }) => {
      request.destroy();
      done(statusCode === 200 ? "accepted" : [401, 403].includes(statusCode) ? "refused" : "away");
    });
    request.on("timeout", () => request.destroy()).on("error", () => done("away"));
  });

/** Methods of AMQP 0-9-1's class `connection` (10). */
const method = { start: 10, startOk: 11, tune: 30, tuneOk: 31, open: 40, openOk: 41, close: 50, closeOk: 51 };

/** Reply codes of `close`: ACCESS_REFUSED, and NOT_ALLOWED for a virtual host. */
const refusals = [403, 530];

/** The handshake of AMQP 0-9-1 up to an open virtual host. */
async function toBroker(host: string, { user, password }: Account): Promise<Login> {
  const socket = connect({ host, port: rabbitmqPorts.amqp, timeout: patience });
  socket.on("timeout", () => socket.destroy());
  const send = (id: number, ...args: Buffer[]) => socket.write(methodFrame(id, Buffer.concat(args)));
  let answer: Login = "away";
  try {
    socket.write("AMQP\0\0\x09\x01", "latin1");
    for await (const [id, args] of methodsOf(socket)) {
      if (id === method.start) {
        const response = long(Buffer.from(`\0${user}\0${password}`));
        send(method.startOk, long(capabilities), short("PLAIN"), response, short("en_US"));
      } else if (id === method.tune) {
        // The limits that it proposes.
        send(method.tuneOk, args.subarray(0, 8));
        send(method.open, short("/"), Buffer.from([0, 0]));
      } else if (id === method.openOk) {
        answer = "accepted";
        send(method.close, Buffer.from([0, 200]), short(""), Buffer.alloc(4));
      } else if (id === method.close) {
        if (refusals.includes(args.readUInt16BE())) answer = "refused";
        send(method.closeOk);
        break;
      } else break;
    }
  } catch {
    // It went away in the middle.
  } finally {
    socket.destroy();
  }
  return answer;
}

const short = (text: string): Buffer => Buffer.from([text.length, ...Buffer.from(text)]);

function long(content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}

/** That a broker is to say so when it refuses a login, instead of hanging up. */
const capabilities = Buffer.concat([
  short("capabilities"),
  Buffer.from("F"),
  long(Buffer.concat([short("authentication_failure_close"), Buffer.from("t\x01")])),
]);

function methodFrame(id: number, args: Buffer): Buffer {
  const payload = Buffer.concat([Buffer.from([0, 10, 0, id]), args]);
  return Buffer.concat([Buffer.from([1, 0, 0]), long(payload), Buffer.from([0xce])]);
}

/** The methods in a stream of frames, each with its arguments. */
async function* methodsOf(stream: AsyncIterable<Buffer>): AsyncGenerator<[id: number, args: Buffer]> {
  let buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    buffer = Buffer.concat([buffer, chunk]);
    while (buffer.length >= 7) {
      const end = 7 + buffer.readUInt32BE(3);
      if (buffer.length <= end) break;
      if (buffer[0] === 1) yield [buffer.readUInt16BE(9), buffer.subarray(11, end)];
      buffer = buffer.subarray(end + 1);
    }
  }
}
