import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import {
  type ChannelOptions,
  InterceptingCall,
  type Interceptor,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  credentials,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { RunError, log, runtime } from "@pulumi/pulumi";
import { isGrpcError } from "@pulumi/pulumi/errors.js";
import { LanguageRuntimeService } from "@pulumi/pulumi/proto/language_grpc_pb.js";
import { GetRequiredPluginsResponse, type RunRequest, RunResponse } from "@pulumi/pulumi/proto/language_pb.js";
import { ResourceMonitorClient } from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb.js";
import * as settings from "@pulumi/pulumi/runtime/settings.js";
import * as state from "@pulumi/pulumi/runtime/state.js";
import { printError } from "../../shared/terminal";

/** What the SDK keeps out of its types; its Automation API uses the same. */
const { grpcChannelOptions, getStore, withLocalStorage, waitForRPCs, disconnect } = {
  ...state,
  ...settings,
} as unknown as {
  readonly grpcChannelOptions: ChannelOptions;
  readonly getStore: () => { readonly settings: { monitor: ResourceMonitorClient } };
  readonly withLocalStorage: <T>(work: () => Promise<T>) => Promise<T>;
  readonly waitForRPCs: () => Promise<void>;
  readonly disconnect: (signalShutdown: boolean) => Promise<void>;
};

/** A program as a service that Pulumi calls. @returns its address, and what ends it */
export async function serve(program: () => unknown): Promise<{ readonly address: string; readonly close: () => void }> {
  const server = new Server(grpcChannelOptions);
  server.addService(LanguageRuntimeService, {
    getPluginInfo: (_: unknown, reply: sendUnaryData<unknown>) => reply(null, new PluginInfo().setVersion("1.0.0")),
    // The engine asks for a plugin when it needs it.
    getRequiredPlugins: (_: unknown, reply: sendUnaryData<unknown>) => reply(null, new GetRequiredPluginsResponse()),
    run: ({ request }: ServerUnaryCall<RunRequest, RunResponse>, reply: sendUnaryData<RunResponse>) => {
      // The error has been logged: Pulumi need not add one.
      void run(request, program).then(
        (succeeded) => reply(null, new RunResponse().setBail(!succeeded)),
        (error: Error) => reply(error),
      );
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { address: `127.0.0.1:${port}`, close: () => server.forceShutdown() };
}

/** Lets a run of the program fail. Several can be under way at a time, for several stacks. */
type Fail = (error: unknown) => void;

const currentRun = new AsyncLocalStorage<Fail>();
const runs = new Set<Fail>();
let handling = false;

/**
 * An error that nothing catches belongs to the run that it comes from; if that is unknown, to all of them. A run that misses an error would report
 * success, and Pulumi would delete every resource that the program did not get to.
 */
function handleUncaught(): void {
  if (handling) return;
  handling = true;
  const onError = (error: unknown) => {
    const own = currentRun.getStore();
    for (const fail of own === undefined ? runs : [own]) fail(error);
    if (own !== undefined || runs.size > 0) return;
    process.exit(printError(error));
  };
  process.on("uncaughtException", onError).on("unhandledRejection", onError);
}

/** Runs the program for one stack; returns whether it succeeded. */
function run(request: RunRequest, program: () => unknown): Promise<boolean> {
  handleUncaught();
  return withLocalStorage(async () => {
    runtime.resetOptions(
      request.getProject(),
      request.getStack(),
      request.getParallel(),
      request.getArgsList()[0] ?? "",
      request.getMonitorAddress(),
      request.getDryrun(),
      request.getOrganization(),
    );
    runtime.setAllConfig(Object.fromEntries(request.getConfigMap().toArray()), request.getConfigsecretkeysList());
    const calls = new Calls();
    getStore().settings.monitor = new ResourceMonitorClient(request.getMonitorAddress(), credentials.createInsecure(), {
      ...grpcChannelOptions,
      interceptors: [calls.count],
    });

    const errors = new Set<unknown>();
    const logged: Promise<void>[] = [];
    const succeeded = () => errors.size === 0 && !log.hasErrors();
    const failure = new AbortController();
    const failed = once(failure.signal, "abort");
    // Bound, because the SDK finds this run's engine by the context.
    const fail: Fail = AsyncLocalStorage.bind((error: unknown) => {
      if (errors.has(error) || !runs.has(fail)) return;
      errors.add(error);
      const { message, stack = message } = error as Error;
      const text = RunError.isInstance(error) ? message : `the program failed unexpectedly: ${stack}`;
      // A Pulumi that has stopped says so itself.
      if (!isGrpcError(error as Error)) logged.push(log.error(text));
      failure.abort();
    });
    runs.add(fail);
    try {
      await Promise.race([failed, currentRun.run(fail, () => throughout(program)).catch(fail)]);
      if (succeeded()) await disconnect(true).catch(fail);
      // What depends on the failed part would wait for it forever.
      else await calls.ended();
      await Promise.all(logged);
      return succeeded();
    } finally {
      runs.delete(fail);
    }
  });
}

/** Runs the program until all of its resources are registered. */
async function throughout(program: () => unknown): Promise<void> {
  await runtime.runInPulumiStack(() => Promise.resolve(program()));
  await waitForRPCs();
  // Node.js reports an unhandled rejection once no promise is left to settle. Pulumi must not hear of success before.
  await turn();
  await waitForRPCs();
}

/** The calls to an engine that it has not answered. */
class Calls {
  private open = 0;

  readonly count: Interceptor = (options, next) =>
    new InterceptingCall(next(options), {
      start: (metadata, _, start) => {
        this.open += 1;
        start(metadata, {
          onReceiveStatus: (status, receive) => {
            this.open -= 1;
            receive(status);
          },
        });
      },
    });

  /** Resolves once all are answered, and those that follow from the answers. */
  async ended(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet = this.open === 0 ? quiet + 1 : 0) await sleep(20);
  }
}
