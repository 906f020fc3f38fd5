import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { requireDatabaseKind } from "../config/compatibility";
import type { DatabaseNode } from "./bigcouch";
import type { Datacenter, DatacenterArgs, ImageReference, KazooNodes } from "./datacenter";
import { brokerContainer, type Container, databaseContainer, kazooContainer } from "./dockerContainers";
import { completeEnvironment, erlangVm, type ZoneBrokers } from "./kazoo";
import { containers, databasePort, datacenterTypes, rabbitmqPorts } from "./names";

export interface DockerDatacenterArgs extends DatacenterArgs {
  /** Name of the Docker network; host names end in it. */
  readonly network: string;
  /** Where Kazoo's ports are published. */
  readonly published: { readonly address: string; readonly crossbar: number; readonly websockets: number };
}

/**
 * A datacenter on a plain Docker Engine: a network, two brokers and a database with a volume each, and one Kazoo node. A container is known
 * by its name and by `NAME.NETWORK`; Kazoo's ports are published on the engine's machine. Its ring has no other zone, so there is nothing
 * to join. `make init-account` replaces the first boot of Kubernetes.
 */
export class DockerDatacenter extends pulumi.ComponentResource implements Datacenter {
  readonly brokers: ZoneBrokers;
  readonly databaseNodes: readonly DatabaseNode[];
  private readonly stores: readonly docker.Container[];
  private readonly network: docker.Network;

  constructor(
    private readonly name: string,
    private readonly args: DockerDatacenterArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super(datacenterTypes.docker, name, {}, opts);
    const { zone, ring, credentials } = args;
    this.network = new docker.Network(`${name}-network`, { name: args.network, driver: "bridge" }, this.options());
    const brokerImageId = this.pulled("rabbitmq", ring.images.rabbitmq);
    const alphaAndBeta = (["alpha", "beta"] as const).map((role) => {
      const store = { zone, ring, credentials, volume: this.volume(containers[role]) };
      return this.container(containers[role], brokerContainer(brokerImageId, store));
    });
    const databaseImageId = this.pulled("bigcouch", ring.images.database);
    const host = this.host("database");
    const store = { zone, ring, credentials, volume: this.volume(containers.database) };
    const database = this.container(containers.database, databaseContainer(databaseImageId, host, store));
    this.stores = [...alphaAndBeta, database];
    this.brokers = { zone: zone.name, alpha: this.host("alpha"), beta: this.host("beta") };
    this.databaseNodes = [{ host, name: `${ring.database.nodeName}@${host}` }];
    this.registerOutputs({ databaseNodes: this.databaseNodes });
  }

  joinRing(): void {}

  firstBoot(): void {}

  runKazoo(image: ImageReference): KazooNodes {
    const { zone, ring, credentials, published } = this.args;
    const host = this.host("kazoo");
    const kind = requireDatabaseKind(ring.database.version);
    const environment = completeEnvironment({
      brokers: this.brokers,
      database: { host: this.host("database"), adminPort: kind.adminPort ?? databasePort },
      environment: zone.environment,
    });
    const imageId = image.built ? image.reference : this.pulled("kazoo", image.reference);
    this.container(
      containers.kazoo,
      kazooContainer(imageId, { zone, credentials, host, environment, published }),
      this.stores,
    );
    const { address, crossbar, websockets } = published;
    return {
      nodes: pulumi.output(erlangVm(zone.environment)).apply((vm) => [`${vm}@${host}`]),
      endpoints: {
        crossbar: `http://${address}:${crossbar}`,
        websockets: `ws://${address}:${websockets}`,
        database: `http://${this.host("database")}:${databasePort}`,
        brokers: (["alpha", "beta"] as const).map((role) => `${this.host(role)}:${rabbitmqPorts.amqp}`),
      },
      containers: Object.values(containers),
    };
  }

  /** Names are fixed because others use them, so a replaced resource must be deleted first. */
  private options() {
    return { parent: this, deleteBeforeReplace: true };
  }

  private host(container: keyof typeof containers): string {
    return `${containers[container]}.${this.args.network}`;
  }

  private volume(container: string): pulumi.Output<string> {
    const { protect } = this.args;
    return new docker.Volume(
      `${this.name}-${container}-data`,
      { name: `${container}-data` },
      { ...this.options(), protect, retainOnDelete: protect },
    ).name;
  }

  private pulled(role: string, reference: pulumi.Input<string>): pulumi.Output<string> {
    return new docker.RemoteImage(`${this.name}-${role}-image`, { name: reference, keepLocally: true }, this.options())
      .imageId;
  }

  private container(name: string, settings: Container, dependsOn: readonly pulumi.Resource[] = []): docker.Container {
    const host = `${name}.${this.args.network}`;
    return new docker.Container(
      `${this.name}-${name}`,
      { ...settings, name, hostname: host, networksAdvanced: [{ name: this.network.name, aliases: [host] }] },
      { ...this.options(), dependsOn: [...dependsOn] },
    );
  }
}
