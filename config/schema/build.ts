import { z } from "zod";
import { engine, localEngine } from "./cluster";
import { field, mapping, named, text, yesOrNo } from "./fields";

/** This project's folder with the Kazoo image. */
export const imageFolder = "image";

/** The schema of `kazoo:image.build`. */
export const build = mapping(
  {
    registry: field(text(/^[a-zA-Z0-9][-a-zA-Z0-9.]*(:[0-9]+)?$/), {
      description: "Registry to push the image to. Without it, the image stays in the Docker Engine that builds it.",
      expected: "the host of a registry, with its port if it has one, without http://",
      example: "registry.example.com:5000",
    }).optional(),
    repository: field(text(/^[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/), {
      description: "Repository of the image, without registry and tag.",
      expected: "a repository's name of lower-case letters, digits, `.`, `_`, `-` and `/`",
      example: "telephony/kazoo",
    }),
    tags: field(z.array(text(/^[A-Za-z0-9_][-.A-Za-z0-9_]{0,127}$/)).min(1), {
      description: "Tags of the image, all pushed. They are for people: pods use the digest.",
      expected: "a list of at least one tag",
      example: '["4.3", latest]',
    }).default(["latest"]),
    plainHttp: field(z.boolean(), {
      description: "Whether the registry is used without TLS.",
      expected: yesOrNo,
      example: "true",
    }).default(false),
    username: field(text(/^\S+$/), {
      description:
        "User of the registry, unless `kazoo:registries` has its login; the password is `kazoo:registryPassword`.",
      expected: "a user name without spaces",
      example: "ci",
      default: "none, for a registry that needs no login",
    }).optional(),
    platform: field(text(/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9]+)?$/), {
      description: "Platform of the image.",
      expected: "a platform as OS/ARCHITECTURE",
      example: "linux/amd64",
      default: "that of the Docker Engine",
    }).optional(),
    network: field(text(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/), {
      description:
        "Network of the build's steps; `host` if mirrors of packages and sources are only reachable through the engine's host.",
      expected: "host, none, or the name of a Docker network",
      example: "host",
      default: "the engine's",
    }).optional(),
    docker: field(engine, {
      description: "Address of the Docker Engine that builds and pushes.",
      expected: "unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST",
      example: localEngine,
      default: `that of the stack's Docker cluster, else ${localEngine}`,
    }).optional(),
    context: field(z.string().min(1), {
      description: "Folder with the Dockerfile, relative to the project's folder.",
      expected: "the path of a folder",
    }).default(imageFolder),
    args: named(
      text(/^[A-Za-z_][A-Za-z0-9_]*$/),
      field(z.union([z.string(), z.number().transform(String)]), {
        description: "Value of a build argument.",
        expected: "text or a number (a version in quotes, so that YAML does not read 4.10 as 4.1)",
        example: '"4.3"',
      }),
      {
        description:
          "Build variables, the Dockerfile's `ARG`s: `KAZOO_VERSION`, `ERLANG_VERSION`, … Not for secrets: they are stored in the image.",
        expected: "a mapping from the Dockerfile's arguments to values",
        example: '{ KAZOO_VERSION: "4.3.12" }',
      },
    ).default({}),
    digest: field(text(/^sha256:[a-f0-9]{64}$/), {
      description:
        "Runs an image built earlier instead of building one. `make kube-deploy-rollback` sets it; remove it to build again.",
      expected: "a digest in the registry or, without a registry, an image ID in the engine",
      example: `sha256:${"0".repeat(64)}`,
      default: "none, the image is built",
    }).optional(),
  },
  "Builds and pushes the Kazoo image.",
  "{ registry: registry.example.com, repository: kazoo }",
);
