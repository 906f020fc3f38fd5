import { z } from "zod";
import { defaultCurlImage, seedImage } from "../images";
import { build } from "./build";
import { cluster } from "./cluster";
import { credentials } from "./givenCredentials";
import { patches } from "./patches";
import { datacenter, everyLevel, region } from "./region";
import { ring } from "./ring";
import {
  dnsLabel,
  dnsName,
  field,
  imagePrefix,
  imageReference,
  mapping,
  named,
  registryHost,
  text,
  unset,
  dnsLabelWords,
  yesOrNo,
} from "./fields";

/**
 * The shape of a stack's config: every key below `kazoo:`, with its default. A default that depends on other keys is given in words; topology.ts
 * computes it. Relations between keys are in `checks/`. The config reference and the JSON Schema are generated from here.
 */

const image = (description: string, example: string, fallback: string) =>
  field(imageReference, {
    description,
    expected: "an image reference, preferably pinned by digest",
    example,
    default: fallback,
  }).optional();

/** All config keys of a stack, without the prefix `kazoo:`. */
export const schema = mapping(
  {
    image: mapping(
      {
        prebuilt: image(
          "The Kazoo image, by name or digest; instead of `build`.",
          "registry.example.com/kazoo:4.3",
          `\`${seedImage}\` in the sandbox and on Docker; a real cluster needs another`,
        ),
        build: build.optional(),
      },
      "The Kazoo image: `prebuilt` or `build`.",
      "{ build: { registry: registry.example.com, repository: kazoo } }",
    ).prefault({}),
    images: mapping(
      {
        rabbitmq: image(
          "Image of the brokers.",
          "mirror.example.com/rabbitmq:3.13-management",
          "`rabbitmq:VERSION-management`",
        ),
        database: image(
          "Image of the database; BigCouch has no default.",
          "mirror.example.com/couchdb:2.3.1",
          "`couchdb:VERSION`",
        ),
        curl: field(imageReference, {
          description:
            "Image with `sh` and `curl`, for the Job that joins the database's nodes and for the init container of Kazoo's nodes.",
          expected: "an image reference, preferably pinned by digest",
        }).default(defaultCurlImage),
      },
      "Other images, for example from a mirror.",
      "{ rabbitmq: mirror.example.com/rabbitmq:3.13-management }",
    ).prefault({}),
    imageMirror: field(imagePrefix, {
      description:
        "Registry to pull Docker Hub's images from: `rabbitmq:3.13-management` as `MIRROR/library/rabbitmq:3.13-management`, `curlimages/curl:8.11.1` as `MIRROR/curlimages/curl:8.11.1`. Images in `kazoo:images` that name another registry, and the Kazoo image that the config names or builds, keep their names.",
      expected: "a registry's host, optionally with port and path, without https:// and without a trailing slash",
      example: "registry.example.com/mirror",
      default: "none, images come from Docker Hub",
    }).optional(),
    registries: named(
      field(registryHost, {
        description: "Host of a registry.",
        expected:
          "a registry's host in lower case, with its port if it has one, without https:// and a path; docker.io is Docker Hub",
        example: "registry.example.com:5000",
      }),
      mapping(
        {
          username: field(text(/^[^\s:]+$/), {
            description: "User of the registry.",
            expected: "a user name without spaces and colons",
            example: "ci",
            default: "none, with a `secretName`",
          }).optional(),
          password: field(z.string().min(1), {
            description: "The user's password or token. Must be a Pulumi secret.",
            expected: "a password",
            example: `pulumi config set --secret --path 'kazoo:registries["registry.example.com"].password'`,
            default: "none, with a `secretName`",
            secret: true,
          }).optional(),
          secretName: field(dnsName, {
            description:
              "Instead of a login: name of a Secret of the type `kubernetes.io/dockerconfigjson`, which something else creates in each namespace.",
            expected: "the name of a Secret",
            example: "registry-pull",
            default: "none, with a `username` and a `password`",
          }).optional(),
        },
        "A login, or a Secret that holds one.",
        "{ username: ci, password: { secure: … } }",
      ),
      {
        description:
          "Logins for private registries, by the host part of image names. All pods of the stack and Docker Engines pull with them, and the stack's own image is pushed with the login of its registry.",
        expected: "a mapping from registries' hosts to logins",
        example: "{ registry.example.com: { username: ci, password: { secure: … } } }",
      },
    ).default({}),
    protect: field(z.boolean(), {
      description:
        "Whether Pulumi refuses to delete or replace what holds data: cookie, credentials, namespaces, brokers, databases. Set it to false only for throw-away stacks.",
      expected: yesOrNo,
      example: "false",
    }).default(true),
    policy: field(z.boolean(), {
      description:
        "Whether `make preview`, `preview-report` and `up` enforce the rules of `policy/` on the stack; see docs/policy.md.",
      expected: yesOrNo,
      example: "true",
    }).default(false),
    stacks: field(z.enum(["one", "region"]), {
      description:
        "Whether everything is one Pulumi stack, or each region has its own, `NAME.REGION`, beside `NAME` with what they share: docs/regions.md.",
      expected: "one or region",
      example: "region",
    }).default("one"),
    stackLabel: field(text(/^[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/), {
      description:
        "The stack's name on its namespaces' labels and in its dashboards. `make rename` sets it to the first name, so that nothing changes in the clusters.",
      expected: "the name of a stack, at most 63 characters",
      example: "prod",
      default: "the stack's name",
    }).optional(),
    clusters: named(dnsLabel, cluster, {
      description:
        "The clusters, by a name of your choice. Do not change the name later: everything in the cluster would be deleted and created again.",
      expected: `a mapping from names (each ${dnsLabelWords}) to clusters`,
      example: "{ east: { context: prod-east } }",
    }),
    rings: named(dnsLabel, ring, {
      description:
        "The rings, by a name of your choice. Do not change the name later: the ring's credentials are stored under it.",
      expected: `a mapping from names (each ${dnsLabelWords}) to rings`,
      example: '{ main: { kazoo: "4.3" } }',
    }).default({}),
    regions: named(dnsLabel, region, {
      description: "The regions, by `REGION`.",
      expected: `a mapping from regions (each ${dnsLabelWords}) to what they hold`,
      example: "{ us-east: { cluster: east, datacenters: { nyc: {} } } }",
    }),
    patches,
    credentials,
    registryPassword: field(z.string().min(1), {
      description: "Password or token of `kazoo:image.build.username`. Must be a Pulumi secret.",
      expected: "a password",
      example: "pulumi config set --secret kazoo:registryPassword",
      secret: true,
    }).optional(),
    ...everyLevel,
  },
  "The stack.",
  "clusters: { local: { sandbox: true } }",
);

/** The same keys without defaults, for a config as written in its file. */
export const givenSchema = unset(schema);

/** A config as written in its file. */
export type Given = z.output<typeof givenSchema>;
export type GivenRegion = Given["regions"][string];
export type GivenDatacenter = GivenRegion["datacenters"][string];
/** A config with its defaults. */
export type Config = z.output<typeof schema>;
export type RingConfig = z.output<typeof ring>;
export type ClusterConfig = z.output<typeof cluster>;
export type BuildConfig = z.output<typeof build>;
export type DatacenterConfig = z.output<typeof datacenter>;

/** A ring that no key describes. */
export const defaultRing: RingConfig = ring.parse({});
