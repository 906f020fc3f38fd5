import { z } from "zod";
import { databaseKind, kazooVersions, rabbitmqVersions, type KazooVersion, upgradeSteps } from "../compatibility";
import { type Rotated, rotationSteps } from "../credentials";
import { masterAccount } from "./masterAccount";
import { dnsLabel, field, mapping, named, text, wholeNumber, yesOrNo, scalar } from "./fields";

/** The Kazoo that runs unless a ring says otherwise; the image's Dockerfile has the same default. */
export const defaultKazooVersion: KazooVersion = "4.3";

/** A version, as text or as the number that YAML makes of it without quotes. */
const version = <T extends string>(versions: readonly T[]) =>
  z.union([
    z.enum(versions),
    z
      .number()
      .transform((found) => (Number.isInteger(found) ? `${found}.0` : String(found)))
      .pipe(z.enum(versions)),
  ]);

const count = (description: string, fallback: string) =>
  field(wholeNumber(1, 99), {
    description,
    expected: "a whole number from 1 to 99",
    example: "3",
    default: fallback,
  }).optional();

const rotation = (what: Rotated, of: string, first: string) => {
  const steps = {
    add: "`add` creates it beside the previous one",
    move: "`move` switches to it",
    remove: "`remove` removes the previous one",
  };
  const all = rotationSteps[what];
  return mapping(
    {
      number: field(wholeNumber(2, 9999), {
        description: `Number of the current or next ${of}.`,
        expected: "a whole number from 2 to 9999",
        example: "2",
      }),
      step: field(z.enum(all), {
        description: `Current step of the rotation: ${all.map((step) => steps[step]).join(", ")}. Each step needs an update, in this order.`,
        expected: `one of ${all.join(", ")}`,
        example: all[0],
        default: "the rotation is done",
      }).optional(),
    },
    `The ${of}. Unless given: ${first}.`,
    `{ number: 2, step: ${all[0]} }`,
  ).optional();
};

/** The schema of a ring. */
export const ring = mapping(
  {
    kazoo: field(version(kazooVersions), {
      description:
        "Kazoo's version, that of the image. An image that the stack builds uses it, unless `kazoo:image.build.args.KAZOO_VERSION` names a tag or branch of that version.",
      expected: `one of ${kazooVersions.join(", ")}`,
    }).default(defaultKazooVersion),
    database: field(
      z.string().refine((found) => databaseKind(found) !== undefined),
      {
        description: "The database, by engine and version.",
        expected: "bigcouch-0.4.x, couchdb-2.x.y or couchdb-3.x.y",
      },
    ).default("couchdb-2.3.1"),
    rabbitmq: field(version(rabbitmqVersions), {
      description: "RabbitMQ's release series.",
      expected: `one of ${rabbitmqVersions.join(", ")}, in quotes, so that YAML does not read 3.10 as 3.1 (upgrade RabbitMQ 3.8, whose image logs its password, to 3.9 first, then rotate the password: make rotate)`,
    }).default("3.13"),
    permitTransientQueues: field(z.boolean(), {
      description:
        "Whether brokers permit transient non-exclusive queues (`deprecated_features.permit.transient_nonexcl_queues`, from RabbitMQ 3.13 on). Kazoo needs this on 4.3.",
      expected: yesOrNo,
      example: "true",
    }).default(false),
    quorum: mapping(
      {
        q: count("Shards of each database.", "3, or 1 on a single node"),
        n: count(
          "Copies of each document; with a placement, at least its sum. In BigCouch and CouchDB before 3.2, uploads hang in older databases with more copies, so never lower it there.",
          "3, or the number of nodes if that is lower; with a placement its sum, and at least 4 in BigCouch and CouchDB before 3.2",
        ),
        r: count("Copies that must agree on a read; BigCouch only.", "2, or n if that is lower"),
        w: count("Copies that must agree on a write; BigCouch only.", "2, or n if that is lower"),
      },
      "Shards, copies and quorums of the database ring. Shards and copies apply to databases created afterwards. CouchDB always requires a majority of the copies.",
      "{ q: 3, n: 3 }",
    ).optional(),
    placement: named(
      dnsLabel,
      field(wholeNumber(1, 9), {
        description: "Copies kept in a zone.",
        expected: "a whole number from 1 to 9",
        example: "2",
      }),
      {
        description:
          "Copies of each document by zone. Unless given: in a ring of two zones 2 each (as far as they have nodes), of three 1 each; in more, the database spreads its n copies over the zones if all have equally many nodes. If not, a placement must be given.",
        expected: "a mapping from the ring's zones to numbers of copies",
        example: "{ us-east-nyc: 2, us-east-bos: 2 }",
      },
    ).optional(),
    brokerSettings: named(z.string(), scalar("Value of a setting.", "1024"), {
      description:
        "Other settings of the brokers, as in `rabbitmq.conf`. Watermarks of memory and disk override the program's. Not for secrets: they are stored in a ConfigMap.",
      expected: "a mapping from keys of rabbitmq.conf to values",
      example: "{ channel_max: 1024, log.console.level: warning }",
    }).default({}),
    brokerPlugins: field(z.array(text(/^[a-z][a-z0-9_]*$/)), {
      description: "Other plugins of the brokers, which their image must have.",
      expected: "a list of plugins",
      example: "[rabbitmq_shovel, rabbitmq_shovel_management]",
    }).default([]),
    databaseSettings: named(
      z.string(),
      named(z.string(), scalar("Value of a setting.", "8000000"), {
        description: "Settings of a section.",
        expected: "a mapping from keys to values",
        example: "{ max_document_size: 8000000 }",
      }),
      {
        description:
          "Other settings of the database, as in its ini files. Not for secrets: they are stored in a ConfigMap.",
        expected: "a mapping from sections to keys to values",
        example: "{ couchdb: { max_document_size: 8000000 } }",
      },
    ).default({}),
    masterAccount,
    rotations: mapping(
      {
        rabbitmq: rotation("rabbitmq", "user of the brokers, 2 being `kazoo-2`", "`kazoo`"),
        database: rotation("database", "administrator of the database, 2 being `kazoo-2`", "`kazoo`"),
        cookie: rotation("cookie", "Erlang cookie of the Kazoo nodes", "the first one"),
        databaseCookie: rotation("databaseCookie", "Erlang cookie of the database's nodes", "the first one"),
        masterAccount: rotation("masterAccount", "password of the master account's administrator", "the first one"),
      },
      "How far the credentials were rotated. `make rotate` writes it; see docs/runbooks.md#rotate-a-credential.",
      "{ rabbitmq: { number: 2 } }",
    ).default({}),
    upgrading: field(z.enum(upgradeSteps), {
      description:
        "The next step of an unfinished upgrade. `make upgrade` writes it, and removes it at the end; see docs/runbooks.md#upgrade.",
      expected: `one of ${upgradeSteps.join(", ")}`,
      example: "migrate",
      default: "no upgrade is in progress",
    }).optional(),
  },
  "A ring: the zones that are one Kazoo system and share database, cookie and credentials.",
  '{ kazoo: "4.3", database: couchdb-2.3.1 }',
);
