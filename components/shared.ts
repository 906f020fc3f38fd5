import * as pulumi from "@pulumi/pulumi";
import { numbersOf, storeUser } from "../config/credentials";
import { hostsOf, type Platform, type Ring as RingConfig, type Zone } from "../config/platform";
import type { ImageReference, RingMember } from "./datacenter";
import { kazooImage } from "./image";
import { Ring, type RingCredentials, type StoreUser } from "./ring";

/** Values that the zones of all regions share. */
export interface Shared {
  /** Built and pushed, or pinned. */
  readonly image: ImageReference;
  /** The Erlang cookie and the passwords that the zones of a ring share. */
  readonly credentialsOf: (ring: RingConfig) => RingCredentials;
}

/** Shared values that this stack creates. */
export function madeHere(platform: Platform, randomProvider: pulumi.ProviderResource): Shared {
  const { protect } = platform;
  return {
    image: kazooImage(platform),
    credentialsOf: ({ name, credentials, secrets, rotations, masterAccount, database, quorum, rabbitmq }) =>
      new Ring(
        `ring-${name}`,
        {
          credentials,
          secrets,
          rotations,
          masterAccount: masterAccount !== undefined,
          stores: { database: database.version, copies: quorum.n, rabbitmq },
          protect,
        },
        { providers: [randomProvider] },
      ).credentials,
  };
}

/** Shared values that another stack creates; secrets stay secret. @param stack its name */
export function madeBy(stack: string, platform: Platform): Shared {
  const name = `${pulumi.getOrganization()}/${pulumi.getProject()}/${stack}`;
  const reference = new pulumi.StackReference(stack, { name });
  const found = <T>(output: string, pick: (value: unknown) => T | undefined): pulumi.Output<T> =>
    reference.getOutput(output).apply((value: unknown) => {
      const picked = pick(value);
      if (picked !== undefined) return picked;
      // The first preview comes before the first deployment.
      if (pulumi.runtime.isDryRun()) return pulumi.output(pulumi.unknown as unknown as T);
      throw new pulumi.RunError(`stack ${stack} does not have ${output} for this one yet: make up STACK=${stack}`);
    }) as pulumi.Output<T>;
  const credential = (ring: string, pick: (credentials: Credentials) => string | undefined) =>
    pulumi.secret(
      found("credentials", (all) => {
        const credentials = (all as Readonly<Record<string, Credentials>> | undefined)?.[ring];
        return credentials && pick(credentials);
      }),
    );
  const usersOf = ({ name: ring, secrets, rotations }: RingConfig, store: "rabbitmq" | "database") => {
    const [used, ...others] = numbersOf(secrets[store] === undefined ? rotations[store] : undefined);
    const user = (number: number): StoreUser => {
      const name = storeUser(number);
      const password = credential(ring, (all) => all[`${store}Users`].find((each) => each.name === name)?.password);
      return { name, password };
    };
    return [user(used), ...others.map(user)] as const;
  };
  return {
    image: kazooImage(platform, () => found("image", (image) => image as string | undefined)),
    credentialsOf: (ring) => ({
      cookie: credential(ring.name, ({ cookie }) => cookie),
      rabbitmq: credential(ring.name, ({ rabbitmq }) => rabbitmq),
      rabbitmqUsers: usersOf(ring, "rabbitmq"),
      database: credential(ring.name, ({ database }) => database),
      databaseUsers: usersOf(ring, "database"),
      databaseCookie: credential(ring.name, ({ databaseCookie }) => databaseCookie),
      databaseUuid: credential(ring.name, ({ databaseUuid }) => databaseUuid),
      databaseAuthSecret: credential(ring.name, ({ databaseAuthSecret }) => databaseAuthSecret),
      ...(ring.masterAccount === undefined
        ? {}
        : {
            masterAccount: credential(ring.name, ({ masterAccount }) => masterAccount),
            ...(numbersOf(ring.rotations.masterAccount).length === 1
              ? {}
              : { masterAccountBefore: credential(ring.name, ({ masterAccountBefore }) => masterAccountBefore) }),
          }),
    }),
  };
}

type Credentials = pulumi.Unwrap<RingCredentials>;

/** What the ring's other zones know of a datacenter that another stack deploys; the same values as in that stack. */
export function memberElsewhere(zone: Zone, { clusters, rings }: Platform): RingMember {
  const [cluster, ring] = [clusters[zone.cluster], rings[zone.ring]];
  if (cluster === undefined || ring === undefined) throw new Error(`zone ${zone.name} is not in the config`);
  const { broker, databaseNodes } = hostsOf(zone, cluster);
  const { KAZOO_AMQP_HOST: alpha = broker("alpha"), KAZOO_SECONDARY_AMQP_HOST: beta = broker("beta") } =
    zone.environment;
  return {
    brokers: { zone: zone.name, alpha, beta },
    databaseNodes: databaseNodes.map((host) => ({ host, name: `${ring.database.nodeName}@${host}` })),
  };
}
