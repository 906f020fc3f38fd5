/** Runs the named programs at the same time, each for an engine of its own, and prints what each engine heard. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ServerUnaryCall,
  type UntypedHandleCall,
  Server,
  ServerCredentials,
  credentials,
  type sendUnaryData,
} from "@grpc/grpc-js";
import * as pulumi from "@pulumi/pulumi";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import { type LogRequest, SetRootResourceResponse } from "@pulumi/pulumi/proto/engine_pb.js";
import { LanguageRuntimeClient } from "@pulumi/pulumi/proto/language_grpc_pb.js";
import { RunRequest, type RunResponse } from "@pulumi/pulumi/proto/language_pb.js";
import { ResourceMonitorService } from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import {
  type RegisterResourceRequest,
  RegisterResourceResponse,
  SupportsFeatureResponse,
} from "@pulumi/pulumi/proto/resource_pb.js";
import { Empty } from "google-protobuf/google/protobuf/empty_pb.js";
import { serve } from "../../tools/cli/pulumi/languageRuntime";

/** What an engine hears of a run, in order. */
interface Engine {
  readonly heard: string[];
  readonly address: string;
  readonly close: () => void;
}

/** An engine that accepts everything. */
async function engine(): Promise<Engine> {
  const heard: string[] = [];
  const server = new Server();
  const answer =
    <T>(reply: (request: T) => unknown): UntypedHandleCall =>
    (call: ServerUnaryCall<T, unknown>, done: sendUnaryData<unknown>) =>
      done(null, reply(call.request));
  const others = (service: object) =>
    Object.fromEntries(Object.keys(service).map((name) => [name, answer(() => new Empty())]));
  server.addService(EngineService, {
    ...others(EngineService),
    setRootResource: answer(() => new SetRootResourceResponse()),
    log: answer((request: LogRequest) => {
      if (request.getSeverity() === 3) heard.push(`error: ${request.getMessage().split("\n")[0]}`);
      return new Empty();
    }),
  });
  server.addService(ResourceMonitorService, {
    ...others(ResourceMonitorService),
    supportsFeature: answer(() => new SupportsFeatureResponse()),
    registerResource: answer((request: RegisterResourceRequest) => {
      const urn = `urn:pulumi:s::p::${request.getType()}::${request.getName()}`;
      if (request.getType() !== "pulumi:pulumi:Stack") heard.push(request.getName());
      return new RegisterResourceResponse().setUrn(urn);
    }),
    signalAndWaitForShutdown: answer(() => {
      heard.push("success");
      return new Empty();
    }),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { heard, address: `127.0.0.1:${port}`, close: () => server.forceShutdown() };
}

/** Has the program run for an engine's stack; returns what the engine heard, and the answer. */
async function runFor(program: () => unknown): Promise<string[]> {
  const served = await serve(program);
  const { heard, address, close } = await engine();
  const client = new LanguageRuntimeClient(served.address, credentials.createInsecure());
  const request = new RunRequest().setProject("p").setStack("s").setMonitorAddress(address).setArgsList([address]);
  try {
    const response = await new Promise<RunResponse>((resolve, reject) => {
      client.run(request, (error: unknown, value: RunResponse) => (error === null ? resolve(value) : reject(error)));
    });
    return [...heard, response.getBail() ? "failed" : "done"];
  } finally {
    client.close();
    served.close();
    close();
  }
}

const part = (name: string, dependsOn: Promise<pulumi.Resource[]> = Promise.resolve([])) =>
  new pulumi.ComponentResource("test:index:Part", name, {}, { dependsOn });
const after = (milliseconds: number, error?: Error): Promise<pulumi.Resource[]> =>
  sleep(milliseconds).then(() => (error === undefined ? [] : Promise.reject(error)));
const noQuorum = () => new pulumi.RunError("no quorum");

const programs: Readonly<Record<string, () => unknown>> = {
  good: () => {
    part("first");
    part("last", after(200));
  },
  "an error that is thrown": () => {
    throw noQuorum();
  },
  "an error of a dependency": () => {
    part("never", after(50, noQuorum()));
  },
  "an error of an output that nothing uses": () => {
    pulumi.output(after(50)).apply(() => Promise.reject(noQuorum()));
  },
  "an error in a timer": () => {
    part("never", new Promise(() => undefined));
    setTimeout(() => {
      throw noQuorum();
    }, 20);
  },
  "an unexpected error": () => {
    part("never", after(50, new TypeError("no such property")));
  },
};

void Promise.all(process.argv.slice(2).map((name) => runFor(programs[name] ?? (() => undefined)))).then((heard) => {
  process.stdout.write(JSON.stringify(heard));
  process.exit();
});
