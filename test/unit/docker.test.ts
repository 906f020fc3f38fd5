import assert from "node:assert/strict";
import { test } from "node:test";
import { buildArguments, dockerPlace, launchArguments } from "../../tools/cli/docker/dockerImage";
import { deployWithMocks, platformFrom } from "../support/mocks";

const platform = (changes: Record<string, unknown> = {}, ...secretKeys: string[]) =>
  platformFrom(
    {
      image: { prebuilt: "kazoo:4.3" },
      clusters: { local: { docker: { host: "unix:///run/docker.sock", ports: { crossbar: 18000 } } } },
      regions: { local: { cluster: "local", datacenters: { dev: {} } } },
      ...changes,
    },
    ...secretKeys,
  );

interface Container {
  readonly name: string;
  readonly hostname: string;
  readonly envs: readonly unknown[];
  readonly networksAdvanced: readonly { name: string; aliases: string[] }[];
  readonly ports?: readonly { internal: number; external: number; ip: string }[];
  readonly memory: number;
  readonly cpus?: string;
  readonly uploads?: unknown;
  readonly tmpfs?: Readonly<Record<string, string>>;
}

async function containersOf(...given: Parameters<typeof platform>): Promise<Record<string, Container>> {
  const { resources } = await deployWithMocks(platform(...given));
  return Object.fromEntries(
    resources
      .filter(({ type }) => type.endsWith(":Container"))
      .map(({ inputs }) => [(inputs as unknown as Container).name, inputs as unknown as Container]),
  );
}

test("a datacenter on Docker is four containers, reachable by name in their network", async () => {
  const containers = await containersOf();
  assert.deepEqual(Object.keys(containers).sort(), ["bigcouch", "kazoo", "rabbitmq-alpha", "rabbitmq-beta"]);
  for (const [name, { hostname, networksAdvanced }] of Object.entries(containers)) {
    assert.equal(hostname, `${name}.local`);
    assert.deepEqual(networksAdvanced, [{ name: "local", aliases: [`${name}.local`] }]);
  }
});

test("only Kazoo is published on the machine, on loopback unless another address is configured", async () => {
  const { kazoo, ...others } = await containersOf();
  assert.deepEqual(
    kazoo?.ports?.map(({ internal, external, ip }) => [internal, external, ip]),
    [
      [8000, 18000, "127.0.0.1"],
      [5555, 5555, "127.0.0.1"],
    ],
  );
  for (const { ports } of Object.values(others)) assert.equal(ports, undefined);
  const open = await containersOf({ clusters: { local: { docker: { address: "0.0.0.0" } } } });
  assert.deepEqual(new Set(open["kazoo"]?.ports?.map(({ ip }) => ip)), new Set(["0.0.0.0"]));
});

test("limits and variables of the config reach the containers", async () => {
  const { kazoo, bigcouch } = await containersOf({
    workloads: { kazoo: { resources: { limits: { memory: "512Mi", cpu: "1500m" } } } },
    environment: { KAZOO_LOG_LEVEL: "debug" },
    extraEnvironment: { TZ: "America/New_York" },
  });
  assert.deepEqual([kazoo?.memory, kazoo?.cpus, bigcouch?.memory, bigcouch?.cpus], [512, "1.5", 2048, undefined]);
  for (const line of ["KAZOO_LOG_LEVEL=debug", "TZ=America/New_York", "KAZOO_ZONE=local-dev"]) {
    assert.ok(kazoo?.envs.includes(line), line);
  }
});

test("the database requires a login, and the broker's Erlang cookie is not on its volume", async () => {
  const { bigcouch, "rabbitmq-alpha": alpha } = await containersOf();
  const files = JSON.stringify(bigcouch?.uploads);
  for (const setting of ["default_security = admin_only", "admin_only_all_dbs = true", "require_valid_user = true"]) {
    assert.ok(files.includes(setting), setting);
  }
  assert.match(files, /local\.d\/00-ring\.ini/);
  assert.deepEqual(Object.keys(alpha?.tmpfs ?? {}), ["/home/rabbitmq"]);
  assert.ok(alpha?.envs.includes("HOME=/home/rabbitmq"));
});

test("configured credentials are secrets wherever they are used", async () => {
  const { resources } = await deployWithMocks(
    platform({ credentials: { "local-dev": { cookie: "a-cookie-of-enough-length" } } }, "credentials"),
  );
  const marker = "4dabf18193072939515e22adb298388d";
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip);
    if (typeof value !== "object" || value === null) return value;
    if (marker in value) return "[secret]";
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, strip(inner)]));
  };
  assert.match(JSON.stringify(resources), /a-cookie-of-enough-length/);
  assert.doesNotMatch(JSON.stringify(strip(resources)), /a-cookie-of-enough-length/);
});

test("docker build gets the same arguments as the stack's build", () => {
  const { image } = platform({
    image: {
      build: {
        registry: "registry.example.com",
        repository: "kazoo",
        tags: ["4.2", "latest"],
        platform: "linux/amd64",
        network: "host",
        args: { KAZOO_VERSION: "4.2" },
      },
    },
  });
  assert.ok(image.kind === "build");
  assert.deepEqual(buildArguments(image, ["--no-cache"]), [
    "build",
    ...["--build-arg", "KAZOO_VERSION=4.2"],
    ...["--tag", "registry.example.com/kazoo:4.2", "--tag", "registry.example.com/kazoo:latest"],
    ...["--platform", "linux/amd64"],
    ...["--network", "host"],
    "--no-cache",
    "image",
  ]);
});

test("docker run gets only names of variables, the published ports, and the stack's restrictions", () => {
  const place = dockerPlace(platform());
  assert.ok(place !== undefined);
  const line = launchArguments(place, "kazoo:4.3", ["ERLANG_COOKIE", "KAZOO_LOG_LEVEL"]).join(" ");
  assert.match(line, /--hostname kazoo\.local --publish 127\.0\.0\.1:18000:8000 --publish 127\.0\.0\.1:5555:5555/);
  assert.match(line, /--read-only --cap-drop ALL --security-opt no-new-privileges/);
  assert.match(line, /--env ERLANG_COOKIE --env KAZOO_LOG_LEVEL kazoo:4\.3$/);
});

test("a stack on Kubernetes is refused for Docker's targets", () => {
  const kubernetes = platformFrom({
    clusters: { east: { sandbox: true } },
    regions: { "us-east": { cluster: "east", datacenters: { nyc: {} } } },
  });
  assert.equal(dockerPlace(kubernetes), undefined);
});
