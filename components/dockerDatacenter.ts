import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { RunEnvironment } from "../config/environment";
import type { DockerCluster, Hosts, Platform, Ring, Zone } from "../config/platform";
import { brokerContainer, databaseContainer, kazooContainer, type Container } from "./dockerContainers";
import type { RingCredentials } from "./ring";

export interface DockerDatacenterArgs {
  readonly zone: Zone;
  readonly cluster: DockerCluster;
  readonly hosts: Hosts;
  readonly ring: Ring;
  readonly credentials: RingCredentials;
  /** The Kazoo image. */
  readonly image: pulumi.Input<string>;
  /** Whether the stack builds the image, so that there is nothing to pull. */
  readonly imageIsBuilt: boolean;
  readonly images: Platform["images"];
  /** The run environment of Kazoo, complete. */
  readonly environment: RunEnvironment;
  /** Whether Pulumi refuses to delete or replace what holds data. */
  readonly protect: boolean;
}

/** Names of the containers of a datacenter on Docker. */
export const containerNames = {
  alpha: "rabbitmq-alpha",
  beta: "rabbitmq-beta",
  database: "bigcouch",
  kazoo: "kazoo",
} as const;

/**
 * A datacenter on a plain Docker Engine: a network, two brokers and a database with a volume each, and one Kazoo node. A container is known
 * by its name and by `NAME.NETWORK`; Kazoo's ports are published on this machine.
 */
export class DockerDatacenter extends pulumi.ComponentResource {
  constructor(name: string, args: DockerDatacenterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:DockerDatacenter", name, {}, opts);
    const { zone, cluster, hosts, ring, credentials, images, protect } = args;
    // Names are fixed, since others know them: what is replaced must first be gone.
    const parent = { parent: this, deleteBeforeReplace: true };

    const network = new docker.Network(`${name}-network`, { name: cluster.network, driver: "bridge" }, parent);
    const volume = (container: string) =>
      new docker.Volume(
        `${name}-${container}-data`,
        { name: `${container}-data` },
        { ...parent, protect, retainOnDelete: protect },
      ).name;
    const pulled = (role: string, reference: pulumi.Input<string>) =>
      new docker.RemoteImage(`${name}-${role}-image`, { name: reference, keepLocally: true }, parent).imageId;
    const container = (hostName: string, settings: Container, dependsOn: pulumi.Resource[] = []) => {
      const [short = hostName] = hostName.split(".", 1);
      return new docker.Container(
        `${name}-${short}`,
        {
          ...settings,
          name: short,
          hostname: hostName,
          networksAdvanced: [{ name: network.name, aliases: [hostName] }],
        },
        { ...parent, dependsOn },
      );
    };

    const brokerImage = pulled("rabbitmq", images.rabbitmq ?? `rabbitmq:${ring.rabbitmq}-management`);
    const brokers = (["alpha", "beta"] as const).map((role) => {
      const store = { zone, ring, credentials, volume: volume(containerNames[role]) };
      return container(hosts.broker(role), brokerContainer(brokerImage, store));
    });
    const databaseImage = pulled("bigcouch", images.database ?? ring.database.version.replace("-", ":"));
    const store = { zone, ring, credentials, volume: volume(containerNames.database) };
    const database = container(hosts.database, databaseContainer(databaseImage, hosts.database, store));
    const { environment } = args;
    const image = args.imageIsBuilt ? args.image : pulled("kazoo", args.image);
    container(
      hosts.kazoo,
      kazooContainer(image, { zone, credentials, host: hosts.kazoo, environment, published: cluster.published }),
      [...brokers, database],
    );
    this.registerOutputs({});
  }
}
