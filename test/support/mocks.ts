import * as pulumi from "@pulumi/pulumi";
import kazoo = require("../../index");
import { parsePlatform } from "../../config/parse";
import type { Platform } from "../../config/platform";

/** A resource that the program registered. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}

/** A registration request for a resource or a component. */
export interface Asked {
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  readonly parent: string;
  readonly protect: boolean;
  /** As sent to the engine: secrets are wrapped. */
  readonly inputs: Record<string, unknown>;
}

/** Types that the program may register; any other is an error, and so is any call. */
const known =
  /^(kubernetes:(core\/v1:(Namespace|Secret|ConfigMap|Service|ServiceAccount)|apps\/v1:StatefulSet|batch\/v1:Job|policy\/v1:PodDisruptionBudget|networking\.k8s\.io\/v1:(NetworkPolicy|Ingress)|gateway\.networking\.k8s\.io\/v1:HTTPRoute|monitoring\.coreos\.com\/v1:(PodMonitor|PrometheusRule))|random:index\/random(Password|Id):Random(Password|Id)|docker:index\/(network:Network|volume:Volume|container:Container|remoteImage:RemoteImage|registryImage:RegistryImage)|pulumi:providers:(kubernetes|random|docker))$/;

/**
 * Runs a program without engine or plugins.
 * @param onResource called for each resource as it is registered
 * @param otherStack outputs of the referenced stack
 * @returns what the program returns, as it is and resolved, and the registered resources, sorted by name; `asked` has the
 * components as well, and the options of each
 */
export async function withMocks<T>(
  program: () => T,
  onResource: (resource: Registered) => void = () => undefined,
  otherStack: object = {},
): Promise<{ resources: Registered[]; asked: Asked[]; returned: T; outputs: pulumi.Unwrap<T> }> {
  const resources: Registered[] = [];
  const asked: Asked[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        if (type.startsWith("kazoo:index:")) return { id: name, state: inputs as object };
        if (type === "pulumi:pulumi:StackReference")
          return {
            id: name,
            state: { ...(inputs as object), outputs: otherStack, secretOutputNames: ["credentials"] },
          };
        if (!known.test(type)) throw new Error(`the program asked for a resource of unknown type ${type} (${name})`);
        const resource = { type, name, inputs: inputs as Record<string, unknown> };
        resources.push(resource);
        onResource(resource);
        return { id: `${name}-id`, state: stateOf(type, name, resource.inputs) };
      },
      call: ({ token }) => {
        throw new Error(`the program called ${token}, but it calls no function`);
      },
    },
    "kazoo",
    "test",
    false,
    "organization",
  );
  onRequests((request) => asked.push(request));
  // The SDK takes a stack trace for each of its promises, which is half the time of a large platform.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    const returned = program();
    await pulumi.runtime.disconnect();
    const outputs = await new Promise<pulumi.Unwrap<T>>((done) => {
      pulumi.output(returned).apply((value) => done(value));
    });
    return { resources: resources.sort((a, b) => (a.name < b.name ? -1 : 1)), asked, returned, outputs };
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The SDK's request for a resource. */
interface Request {
  readonly getType: () => string;
  readonly getName: () => string;
  readonly getParent: () => string;
  readonly getProtect: () => boolean;
  readonly getObject: () => { readonly toJavaScript: () => Record<string, unknown> };
}

type Answer = (error: unknown, response?: { readonly getUrn: () => string }) => void;

/** Mocks do not get a resource's options, so they are read from the request. */
function onRequests(see: (asked: Asked) => void): void {
  const monitor = pulumi.runtime.getMonitor() as unknown as {
    registerResource: (request: Request, answer: Answer) => unknown;
  };
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, answer) =>
    register(request, (error, response) => {
      see({
        type: request.getType(),
        name: request.getName(),
        urn: response?.getUrn() ?? "",
        parent: request.getParent(),
        protect: request.getProtect(),
        inputs: request.getObject().toJavaScript(),
      });
      answer(error, response);
    });
}

/**
 * Runs the program of a stack on a platform; returns also `waited`: for each StatefulSet, by namespace and name, those that had rolled when
 * it was registered; and `arrived`: what it waited for in other stacks. `exists` says which exist already.
 * @param stack its name, and the outputs of the stack that it references
 */
export async function deployWithMocks(
  platform: Platform,
  exists: (statefulSet: string) => boolean = () => true,
  stack: { readonly name: string; readonly shared?: object } = { name: "test" },
) {
  const arrived: string[] = [];
  const rolled: string[] = [];
  const waited: Record<string, string[]> = {};
  let asked = 0;
  const program = () =>
    kazoo(platform, stack.name, () => ({
      arrives: async ({ namespace, name }) => void arrived.push(`${namespace}/${name}`),
      namespace: noCluster,
      begins: () => undefined,
      exists: async (namespace, name) => exists(`${namespace}/${name}`),
      wait: async ({ namespace, name }) => {
        await untilStill(() => asked);
        rolled.push(`${namespace}/${name}`);
      },
    }));
  const onResource = ({ type, inputs }: Registered) => {
    asked += 1;
    const { metadata } = inputs as { metadata?: { namespace: string; name: string } };
    if (type.endsWith(":StatefulSet")) waited[`${metadata?.namespace}/${metadata?.name}`] = [...rolled];
  };
  const run = await withMocks(program, onResource, stack.shared);
  return { ...run, waited, arrived };
}

/** Fails like an unreachable cluster. */
export const noCluster = () => Promise.reject(new Error("there is no cluster"));

/** Waits, without a timer, until the program registers nothing more because the rest waits for something. */
async function untilStill(asked: () => number): Promise<void> {
  for (let turns = 0, seen = -1; turns < 50; turns++) {
    if (asked() !== seen) [turns, seen] = [0, asked()];
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A platform from config as written in YAML. */
export const platformFrom = (config: Record<string, unknown>, ...secretKeys: string[]): Platform =>
  parsePlatform(config, new Set(secretKeys));

/** The objects of one kind, by their Kubernetes name, or by logical name if the name is generated. */
export function objects(resources: readonly Registered[], kind: string): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    resources
      .filter(({ type }) => type.endsWith(`:${kind}`))
      .map(({ name, inputs }) => {
        const { metadata } = inputs as { metadata?: { name?: string; namespace?: string } };
        return [`${metadata?.namespace ?? ""}/${metadata?.name ?? name}`, inputs];
      }),
  );
}

function stateOf(type: string, name: string, inputs: Record<string, unknown>): Record<string, unknown> {
  // The engine keeps the value of a password whose logical name changes.
  if (type.includes("RandomPassword")) return { ...inputs, result: `random-of-${name.replace(/-replaced$/, "")}` };
  if (type.endsWith(":RandomId")) return { ...inputs, hex: `hex-of-${name}` };
  if (type.endsWith(":RemoteImage")) return { ...inputs, imageId: `sha256:id-of-${name}` };
  if (type.endsWith(":RegistryImage")) return { ...inputs, sha256Digest: `sha256:digest-of-${name}` };
  if (type.startsWith("kubernetes:")) {
    const metadata = inputs.metadata as { name?: string };
    return { ...inputs, metadata: { ...metadata, name: metadata.name ?? `${name}-autonamed` } };
  }
  return inputs;
}

/** Config of a stack per region over two real clusters; rings and regions are each test's own. */
export const regionsInTwoClusters = {
  stacks: "region",
  image: { prebuilt: "registry.example.com/kazoo:4.3" },
  clusters: {
    east: { context: "prod-east", clusterDomain: "east.internal", podNetwork: "10.0.0.0/16" },
    west: { context: "prod-west", clusterDomain: "west.internal", podNetwork: "10.2.0.0/16" },
  },
};
