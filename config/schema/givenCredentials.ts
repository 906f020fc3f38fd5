import { z } from "zod";
import { isBrokerPassword, isCookie, isDatabasePassword, storedKeys } from "../credentials";
import { dnsLabel, dnsName, field, mapping, named, text } from "./fields";

const secret = <S extends z.ZodType>(value: S, key: string, description: string, expected: string) =>
  field(value, {
    description,
    expected,
    example: `pulumi config set --secret --path kazoo:credentials.main.${key}`,
    default: "random",
    secret: true,
  }).optional();

const secretKey = z.string().regex(/^[-._a-zA-Z0-9]{1,253}$/);

/** A secret, or the name of an existing Secret that has it. */
const storedSecret = (
  key: keyof typeof storedKeys,
  description: string,
  isRight: (text: string) => boolean,
  expected: string,
) =>
  secret(
    z.union([
      z.string().refine(isRight),
      z.strictObject({
        secretName: dnsName,
        keys: z
          .strictObject(Object.fromEntries(storedKeys[key].map((name) => [name, secretKey.optional()])))
          .optional(),
      }),
    ]),
    key,
    description,
    `${expected}; or { secretName: NAME } of an existing Secret with ${storedKeys[key].map((name) => `\`${name}\``).join(", ")}, ` +
      `or with the keys that \`keys: { ${storedKeys[key][0]}: KEY }\` names`,
  );

/** The schema of `kazoo:credentials`. */
export const credentials = named(
  dnsLabel,
  mapping(
    {
      cookie: storedSecret(
        "cookie",
        "Erlang cookie of the Kazoo nodes.",
        isCookie,
        "1 to 255 printable ASCII characters without blanks and double quotes",
      ),
      rabbitmq: storedSecret(
        "rabbitmq",
        "Password of the brokers' user `kazoo`.",
        isBrokerPassword,
        "1 to 255 bytes without double quotes and control characters; not guest, which everyone knows",
      ),
      database: storedSecret(
        "database",
        "Password of the database's administrator `kazoo`.",
        isDatabasePassword,
        "1 to 255 bytes without double quotes, control characters, `@` and `/`, since Kazoo puts it into a URL without encoding; not true or false, which Kazoo reads as booleans",
      ),
      masterAccount: secret(
        // Kazoo's schema for users accepts no more.
        text(/^[A-Za-z0-9._~-]{8,32}$/),
        "masterAccount",
        "Password of the master account's administrator.",
        "8 to 32 letters, digits, `.`, `_`, `~` or `-`",
      ),
    },
    "Existing credentials of a ring, to take over a live system. The others are random, and kept. Weak ones are accepted with a warning.",
    "{ cookie: { secure: … } }",
  ),
  {
    description:
      "Credentials by ring, or by zone for a datacenter without a ring. Must be Pulumi secrets, or names of Secrets that exist in the cluster.",
    expected: "a mapping from rings to their credentials",
    example: "{ main: { cookie: { secure: … } } }",
    secret: true,
  },
).default({});
