import assert from "node:assert/strict";
import { test } from "node:test";
import { mirrored } from "../../config/images";
import { platformOfBytes } from "../../config/stackFile";
import { ConfigError } from "../../config/problem";
import type { Platform } from "../../config/platform";
import { baseImages, pulledImages } from "../../tools/cli/docker/pulledImages";
import { deployWithMocks, objects, platformFrom, type Registered } from "../support/mocks";

const stack = (config: Record<string, unknown>): Platform =>
  platformFrom({
    clusters: { local: { sandbox: true } },
    regions: { local: { cluster: "local", datacenters: { dev: {} } } },
    ...config,
  });

test("a mirror has the images of Docker Hub under their full names, and no others", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const names = {
    "rabbitmq:3.9-management": "registry.example.com/mirror/library/rabbitmq:3.9-management",
    "docker.io/library/rabbitmq:3.9": "registry.example.com/mirror/library/rabbitmq:3.9",
    "docker.io/rabbitmq:3.9": "registry.example.com/mirror/library/rabbitmq:3.9",
    "index.docker.io/curlimages/curl": "registry.example.com/mirror/curlimages/curl",
    [`curlimages/curl:8.11.1@${digest}`]: `registry.example.com/mirror/curlimages/curl:8.11.1@${digest}`,
    "quay.io/curl/curl:8.11.1": "quay.io/curl/curl:8.11.1",
    "localhost/curl": "localhost/curl",
    "registry:5000/curl": "registry:5000/curl",
  };
  for (const [name, expected] of Object.entries(names)) {
    assert.equal(mirrored(name, "registry.example.com/mirror"), expected);
    assert.equal(mirrored(name, undefined), name);
  }
});

test("a stack's images come from the mirror, except a Kazoo image that it names", () => {
  const imageMirror = "localhost:5000/hub";
  const { rings, image } = stack({ imageMirror, images: { curl: "quay.io/curl/curl:8.11.1" } });
  assert.deepEqual(rings["local-dev"]?.images, {
    rabbitmq: "localhost:5000/hub/library/rabbitmq:3.13-management",
    database: "localhost:5000/hub/library/couchdb:2.3.1",
    curl: "quay.io/curl/curl:8.11.1",
  });
  assert.deepEqual(image, { kind: "prebuilt", reference: "localhost:5000/hub/callforamerica/kazoo:4" });
  assert.deepEqual(stack({ imageMirror, image: { prebuilt: "example/kazoo:4.3" } }).image, {
    kind: "prebuilt",
    reference: "example/kazoo:4.3",
  });
});

const registries = {
  "registry.example.com:5000": { username: "ci", password: "hunter2-hunter2" },
  "docker.io": { username: "hub", password: "s3cret-s3cret" },
  "quay.io": { secretName: "quay-pull" },
};

type Tree = Record<string, unknown>;

/** The engine's mark of a secret. */
const marker = "4dabf18193072939515e22adb298388d";

const deployed = async (config: Tree): Promise<Registered[]> =>
  (await deployWithMocks(platformFrom(config, "registries"))).resources;

/** The pull Secrets of each workload's pods. */
function pulledWith(resources: readonly Registered[]): Record<string, unknown> {
  const owners = Object.entries({ ...objects(resources, "StatefulSet"), ...objects(resources, "Job") });
  return Object.fromEntries(
    owners.map(([name, { spec }]) => [
      name,
      (spec as { template: { spec: { imagePullSecrets?: unknown } } }).template.spec.imagePullSecrets,
    ]),
  );
}

const onKubernetes = (config: Tree = {}): Tree => ({
  image: { prebuilt: "registry.example.com:5000/kazoo:4.3" },
  clusters: { east: { context: "e" } },
  rings: { main: { masterAccount: { name: "example", realm: "sip.example.com", user: "admin" } } },
  regions: { "us-east": { cluster: "east", ring: "main", datacenters: { nyc: {}, bos: {} } } },
  ...config,
});

test("each namespace gets the logins of all registries, and all its pods use them", async () => {
  const resources = await deployed(onKubernetes({ registries }));
  for (const zone of ["us-east-nyc", "us-east-bos"]) {
    const secret = objects(resources, "Secret")[`${zone}/kazoo-registries`];
    assert.equal(secret?.type, "kubernetes.io/dockerconfigjson");
    const { [marker]: isSecret, value } = secret.stringData as Record<string, Record<string, string>>;
    assert.ok(isSecret !== undefined, "the logins are not secret");
    assert.deepEqual(JSON.parse(value?.[".dockerconfigjson"] ?? ""), {
      auths: {
        "https://index.docker.io/v1/": { username: "hub", password: "s3cret-s3cret", auth: "aHViOnMzY3JldC1zM2NyZXQ=" },
        "registry.example.com:5000": {
          username: "ci",
          password: "hunter2-hunter2",
          auth: "Y2k6aHVudGVyMi1odW50ZXIy",
        },
      },
    });
  }
  const pulled = pulledWith(resources);
  assert.equal(Object.keys(pulled).length, 11, "four workloads and a join in each zone, and one first boot");
  for (const [owner, names] of Object.entries(pulled)) {
    assert.deepEqual(names, [{ name: "kazoo-registries" }, { name: "quay-pull" }], owner);
  }
});

test("with existing Secrets only, the stack creates none, and its config holds no secret", async () => {
  const { resources } = await deployWithMocks(
    platformFrom(onKubernetes({ registries: { "quay.io": { secretName: "quay-pull" } } })),
  );
  assert.deepEqual(
    new Set(Object.values(pulledWith(resources)).map((names) => JSON.stringify(names))),
    new Set(['[{"name":"quay-pull"}]']),
  );
  assert.deepEqual(
    Object.keys(objects(resources, "Secret")).filter((name) => name.endsWith("/kazoo-registries")),
    [],
  );
});

test("the order of registries in the config changes nothing", async () => {
  const reversed = Object.fromEntries(Object.entries(registries).reverse());
  assert.deepEqual(
    await deployed(onKubernetes({ registries: reversed })),
    await deployed(onKubernetes({ registries })),
  );
});

test("a stack's own image is pushed with its registry's login, and pulled without another Secret", async () => {
  const build = { registry: "registry.example.com:5000", repository: "kazoo" };
  const resources = await deployed(onKubernetes({ image: { build }, registries }));
  const builder = resources.find(({ name }) => name === "image-builder")?.inputs ?? {};
  const auth = builder["registryAuth"] as Record<string, string>;
  assert.ok(marker in auth, "the builder's logins are not secret");
  assert.deepEqual(JSON.parse(auth["value"] ?? ""), [
    { address: "https://registry.example.com:5000", username: "ci", password: "hunter2-hunter2" },
    { address: "https://docker.io", username: "hub", password: "s3cret-s3cret" },
    { address: "https://registry-1.docker.io", username: "hub", password: "s3cret-s3cret" },
  ]);
  assert.equal(objects(resources, "Secret")["us-east-nyc/kazoo-image-pull"], undefined);
});

test("the build's own login is kept next to those of other registries", async () => {
  const build = { registry: "push.example.com", repository: "kazoo", username: "pusher" };
  const config = onKubernetes({ image: { build }, registryPassword: "hunter2-hunter2", registries });
  const { resources } = await deployWithMocks(platformFrom(config, "registries", "registryPassword"));
  const pulled = pulledWith(resources);
  const everyone = [{ name: "kazoo-registries" }, { name: "quay-pull" }];
  assert.deepEqual(pulled["us-east-nyc/kazoo"], [...everyone, { name: "kazoo-image-pull" }]);
  assert.deepEqual(pulled["us-east-bos/kazoo-bootstrap"], [...everyone, { name: "kazoo-image-pull" }]);
  assert.deepEqual(pulled["us-east-nyc/bigcouch"], everyone);
});

test("a Docker Engine pulls with the logins, too", async () => {
  const resources = await deployed({
    clusters: { local: { docker: {} } },
    regions: { local: { cluster: "local", datacenters: { dev: {} } } },
    registries: { "registry.example.com": { username: "ci", password: "hunter2-hunter2" } },
  });
  const provider = resources.find(({ name }) => name === "cluster-local")?.inputs ?? {};
  assert.deepEqual(JSON.parse((provider["registryAuth"] as Record<string, string>)["value"] ?? ""), [
    { address: "https://registry.example.com", username: "ci", password: "hunter2-hunter2" },
  ]);
});

test("a plain-text password in a file is refused, also next to an encrypted one", () => {
  const file = (password: string) => `config:
  kazoo:clusters: { local: { sandbox: true } }
  kazoo:regions: { local: { cluster: local, datacenters: { dev: {} } } }
  kazoo:registries:
    registry.example.com: { username: ci, password: { secure: v1 } }
    docker.io: { username: hub, password: ${password} }
    quay.io: { secretName: quay-pull }
`;
  const read = (password: string) => platformOfBytes(Buffer.from(file(password)), "Pulumi.x.yaml");
  assert.deepEqual(read("{ secure: v1 }").registries.secretNames, ["quay-pull"]);
  assert.throws(
    () => read("hunter2-hunter2"),
    (error) =>
      error instanceof ConfigError &&
      /kazoo:registries: found plain text/.test(error.message) &&
      !error.message.includes("hunter2"),
  );
});

const dockerfile = `ARG ERLANG_IMAGE=erlang
ARG ERLANG_VERSION="19.3"
ARG RUNTIME_IMAGE=debian:bookworm-slim
FROM \${RUNTIME_IMAGE} AS runtime
ARG ERLANG_VERSION=1
FROM --platform=linux/amd64 $ERLANG_IMAGE:\${ERLANG_VERSION} as kazoo
FROM scratch
FROM runtime
COPY --from=kazoo /src /opt
`;

test("a build's base images are those of its Dockerfile, with the build's arguments", () => {
  assert.deepEqual(baseImages(dockerfile, {}), ["debian:bookworm-slim", "erlang:19.3"]);
  assert.deepEqual(baseImages(dockerfile, { ERLANG_IMAGE: "mirror.example.com/erlang", ERLANG_VERSION: "18.3" }), [
    "debian:bookworm-slim",
    "mirror.example.com/erlang:18.3",
  ]);
});

test("a stack's images are listed as it pulls them, with the mirror's sources", () => {
  const build = { registry: "mirror.example.com", repository: "kazoo", tags: ["4.3", "latest"] };
  const platform = platformFrom(onKubernetes({ image: { build }, imageMirror: "mirror.example.com" }));
  assert.deepEqual(
    pulledImages(platform, () => dockerfile),
    [
      { image: "debian:bookworm-slim", source: "docker.io/library/debian:bookworm-slim" },
      { image: "erlang:19.3", source: "docker.io/library/erlang:19.3" },
      { image: "mirror.example.com/curlimages/curl:8.11.1", source: "docker.io/curlimages/curl:8.11.1" },
      { image: "mirror.example.com/kazoo:4.3", source: "mirror.example.com/kazoo:4.3" },
      { image: "mirror.example.com/library/couchdb:2.3.1", source: "docker.io/library/couchdb:2.3.1" },
      {
        image: "mirror.example.com/library/rabbitmq:3.13-management",
        source: "docker.io/library/rabbitmq:3.13-management",
      },
    ],
  );
});

test("every image that the program uses is listed", async () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const pinned = onKubernetes({ image: { build: { registry: "r.example.com", repository: "kazoo", digest } } });
  const onDocker = {
    clusters: { local: { docker: {} } },
    regions: { local: { cluster: "local", datacenters: { dev: {} } } },
  };
  for (const config of [pinned, onDocker, onKubernetes({ imageMirror: "localhost:5000" })]) {
    const platform = platformFrom(config);
    const { resources } = await deployWithMocks(platform);
    const asked = resources.flatMap(({ type, inputs }) =>
      type.endsWith(":RemoteImage") ? [String(inputs["name"])] : type.endsWith(":Container") ? [] : imagesIn(inputs),
    );
    const listed = pulledImages(platform, () => assert.fail("nothing is built")).map(({ image }) => image);
    assert.deepEqual(listed, [...new Set(asked)].sort());
  }
});

const imagesIn = (value: unknown): string[] =>
  typeof value !== "object" || value === null
    ? []
    : Object.entries(value).flatMap(([key, inner]) =>
        key === "image" && typeof inner === "string" ? [inner] : imagesIn(inner),
      );
