import { z } from "zod";
import { dnsName, field, mapping, text } from "./fields";

const absolutePath = text(/^\/[A-Za-z0-9._/-]*$/);

/** Folder of Monster UI's apps in the Kazoo image. */
export const appsPath = "/var/www/html/monster-ui/apps";

/** The schema of a ring's master account. */
export const masterAccount = mapping(
  {
    name: field(z.string().min(1).max(128), {
      description: "The account's name.",
      expected: "text of 1 to 128 characters",
      example: "example",
    }),
    realm: field(dnsName.min(4), {
      description: "The account's SIP realm.",
      expected: "a DNS name of at least 4 characters",
      example: "sip.example.com",
    }),
    user: field(text(/^[A-Za-z0-9@._+-]{1,256}$/), {
      description: "Name of the account's administrator.",
      expected: "1 to 256 letters, digits, `@`, `.`, `_`, `+` or `-`",
      example: "admin",
    }),
    monsterUi: mapping(
      {
        url: field(text(/^https?:\/\/\S+$/), {
          description: "Address of Crossbar's API for browsers, which the apps call.",
          expected: "an http or https URL",
          example: "https://kazoo.example.com/v2",
          default: "that of the `ingress` or `gateway` of the ring's first zone that has one",
        }).optional(),
        path: field(absolutePath, {
          description: "Folder of Monster UI's apps on the Kazoo nodes.",
          expected: "an absolute path",
        }).default(appsPath),
      },
      "Monster UI's apps, registered with the account (`init_apps`). Without this key, they are not.",
      "{ url: https://kazoo.example.com/v2 }",
    ).optional(),
    prompts: mapping(
      {
        path: field(absolutePath, {
          description: "Folder of recordings (`*.wav`, `*.mp3`) in the Kazoo image.",
          expected: "an absolute path",
          example: "/opt/kazoo/sounds/en-us",
        }),
        language: field(text(/^[a-z]{2}(-[a-z]{2})?$/), {
          description: "Language of the recordings.",
          expected: "a language in lower case, with or without a country",
        }).default("en-us"),
      },
      "System prompts to import (`import_prompts`). Without this key, none are.",
      "{ path: /opt/kazoo/sounds/en-us }",
    ).optional(),
  },
  "The master account, created on first boot (on Docker by `make init-account`), unless the ring already has accounts. Without this key, none is created.",
  "{ name: example, realm: sip.example.com, user: admin }",
).optional();
