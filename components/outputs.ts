import * as pulumi from "@pulumi/pulumi";
import type { MasterAccount } from "./bootstrapJob";
import type { ClusterOf } from "./clusters";
import type { Datacenter, Endpoints, KazooNodes, ZoneArgs } from "./datacenter";
import type { RingCredentials } from "./ring";

/** A zone in the stack's outputs; nothing in it is secret. */
export interface ZoneOutputs {
  readonly region: string;
  readonly datacenter: string;
  readonly ring: string;
  readonly cluster: string;
  /** The cluster's context in the kubeconfig; on Docker the engine's address. */
  readonly context: string;
  /** Namespace; on Docker the network. */
  readonly namespace: string;
  /** On Docker: names of the containers, Kazoo's first. */
  readonly containers?: readonly string[];
  /** `host:port` or URL from within the cluster; on Docker, Kazoo's published ones. */
  readonly endpoints: Endpoints;
  /** URLs for clients outside of the cluster, where there is an ingress. */
  readonly urls?: { readonly crossbar: string; readonly websockets: string };
  /** Names of the Erlang nodes. */
  readonly nodes: {
    readonly kazoo: pulumi.Input<readonly string[]>;
    readonly database: pulumi.Input<readonly string[]>;
  };
  readonly image: pulumi.Input<string>;
}

/** A ring's master account in the stack's outputs. */
export interface MasterAccountOutputs extends Pick<MasterAccount, "name" | "realm" | "user"> {
  /** Secret. */
  readonly password: pulumi.Output<string>;
  /** The one before, while it is rotated. Secret. */
  readonly previousPassword?: pulumi.Output<string>;
}

/** The stack's outputs. */
export interface StackOutputs {
  /** By name. */
  readonly zones: Readonly<Record<string, ZoneOutputs>>;
  /** By ring, if it has one. */
  readonly masterAccounts: Readonly<Record<string, MasterAccountOutputs>>;
  /** Credentials by ring, for the stacks of regions. Secret. */
  readonly credentials?: pulumi.Output<Record<string, pulumi.Unwrap<RingCredentials>>>;
  /** Reference of the Kazoo image, for the stacks of regions. */
  readonly image?: pulumi.Input<string>;
}

/** A ring with its components; zones, datacenters and Kazoos are in the same order. */
interface DeployedRing {
  readonly ring: { readonly name: string; readonly masterAccount?: MasterAccount };
  readonly credentials: RingCredentials;
  readonly zones: readonly (ZoneArgs & { readonly cluster: string })[];
  readonly datacenters: readonly Datacenter[];
  readonly kazoos: readonly KazooNodes[];
}

/** The outputs of a stack with these rings. @param part what it holds of the platform */
export function stackOutputs(
  rings: readonly DeployedRing[],
  clusterOf: ClusterOf,
  image: pulumi.Input<string>,
  part: { readonly shared: boolean; readonly split: boolean },
): StackOutputs {
  const zonesOf = ({ ring, zones, datacenters, kazoos }: DeployedRing) =>
    zones.map((zone, index): [string, ZoneOutputs] => {
      const { nodes = [], endpoints, urls, containers } = kazoos[index] as KazooNodes;
      const { databaseNodes } = datacenters[index] as Datacenter;
      const { name: cluster, context, placeOf } = clusterOf(zone);
      return [
        zone.name,
        {
          region: zone.region,
          datacenter: zone.datacenter,
          ring: ring.name,
          cluster,
          nodes: {
            kazoo: nodes,
            database: pulumi.output(databaseNodes).apply((all) => all.map(({ name }) => name)),
          },
          image,
          context,
          namespace: placeOf(zone),
          ...(containers === undefined ? {} : { containers }),
          endpoints,
          ...(urls === undefined ? {} : { urls }),
        },
      ];
    });
  const accountOf = ({ ring: { name: ring, masterAccount }, credentials }: DeployedRing) => {
    if (masterAccount === undefined || credentials.masterAccount === undefined) return [];
    const { name, realm, user } = masterAccount;
    const { masterAccount: password, masterAccountBefore: previousPassword } = credentials;
    const outputs: MasterAccountOutputs = {
      name,
      realm,
      user,
      password,
      ...(previousPassword === undefined ? {} : { previousPassword }),
    };
    return [[ring, outputs] as const];
  };
  return {
    zones: Object.fromEntries(rings.flatMap(zonesOf)),
    masterAccounts: Object.fromEntries(rings.flatMap(accountOf)),
    ...(part.shared && part.split
      ? {
          credentials: pulumi.secret(
            Object.fromEntries(rings.map(({ ring, credentials }) => [ring.name, credentials])),
          ),
          image,
        }
      : {}),
  };
}
