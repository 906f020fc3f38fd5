import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { buildHash, buildProblems, contextFiles, declaredArguments } from "../../components/buildContext";
import { deployWithMocks, objects, platformFrom, type Registered } from "../support/mocks";

/** A build context of a few files, removed after the test. */
function contextFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "kazoo-context-"));
  t.after(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, "bin"));
  writeFileSync(join(directory, "Dockerfile"), "FROM scratch\nARG KAZOO_VERSION\nARG NODE_VERSION=10\nCOPY . /\n");
  writeFileSync(join(directory, ".dockerignore"), "**/*.md\n!KEPT.md\nDockerfile\n");
  writeFileSync(join(directory, "bin", "sup"), "#!/bin/sh\n", { mode: 0o755 });
  writeFileSync(join(directory, "README.md"), "ignored\n");
  writeFileSync(join(directory, "KEPT.md"), "kept\n");
  symlinkSync("sup", join(directory, "bin", "link"));
  return directory;
}

const args = { KAZOO_VERSION: "4.3" };

/** Changes that keep a build's hash. */
const same: Record<string, (directory: string) => void> = {
  "other times": (directory) => utimesSync(join(directory, "bin", "sup"), 1, 1),
  "another umask": (directory) => {
    chmodSync(join(directory, "bin", "sup"), 0o700);
    chmodSync(join(directory, "KEPT.md"), 0o600);
  },
  "a changed file that .dockerignore names": (directory) => writeFileSync(join(directory, "README.md"), "changed\n"),
  "another file that .dockerignore names": (directory) => writeFileSync(join(directory, "bin", "notes.md"), "new\n"),
  "an empty folder, which git does not keep": (directory) => mkdirSync(join(directory, "empty")),
};

/** Changes that change it. */
const other: Record<string, (directory: string) => void> = {
  "a changed byte": (directory) => writeFileSync(join(directory, "bin", "sup"), "#!/bin/zh\n"),
  "a lost executable bit": (directory) => chmodSync(join(directory, "bin", "sup"), 0o644),
  "a new file": (directory) => writeFileSync(join(directory, "bin", "new"), ""),
  "a removed file": (directory) => rmSync(join(directory, "KEPT.md")),
  "a file of another name": (directory) => {
    cpSync(join(directory, "bin", "sup"), join(directory, "bin", "sub"));
    rmSync(join(directory, "bin", "sup"));
  },
  "a link to elsewhere": (directory) => {
    rmSync(join(directory, "bin", "link"));
    symlinkSync("elsewhere", join(directory, "bin", "link"));
  },
  "a link's target in its place": (directory) => {
    rmSync(join(directory, "bin", "link"));
    writeFileSync(join(directory, "bin", "link"), "sup");
  },
  "a changed Dockerfile, although .dockerignore names it": (directory) =>
    writeFileSync(join(directory, "Dockerfile"), "FROM scratch\n"),
  "a .dockerignore that names more": (directory) => writeFileSync(join(directory, ".dockerignore"), "bin\n"),
};

for (const [what, change] of Object.entries(same)) {
  test(`${what}: nothing is built again`, (t) => {
    const directory = contextFor(t);
    const before = buildHash(directory, args);
    change(directory);
    assert.equal(buildHash(directory, args), before);
  });
}

for (const [what, change] of Object.entries(other)) {
  test(`${what}: the image is built again`, (t) => {
    const directory = contextFor(t);
    const before = buildHash(directory, args);
    change(directory);
    assert.notEqual(buildHash(directory, args), before);
  });
}

test("another clone has the same hash; another argument or value changes it", (t) => {
  const directory = contextFor(t);
  const clone = mkdtempSync(join(tmpdir(), "kazoo-a-clone-elsewhere-"));
  t.after(() => rmSync(clone, { recursive: true }));
  cpSync(directory, clone, { recursive: true, verbatimSymlinks: true });
  assert.equal(buildHash(clone, { ...args }), buildHash(directory, args));
  const hashes = [{}, args, { KAZOO_VERSION: "4.2" }, { NODE_VERSION: "4.3" }, { ...args, NODE_VERSION: "10" }].map(
    (changed) => buildHash(directory, changed),
  );
  assert.equal(new Set(hashes).size, hashes.length);
  assert.equal(buildHash(directory, { B: "2", A: "1" }), buildHash(directory, { A: "1", B: "2" }));
});

test("the context is what Docker sends: without .dockerignore's files but with its exceptions, and always with the Dockerfile", (t) => {
  assert.deepEqual(contextFiles(contextFor(t)), [".dockerignore", "Dockerfile", "KEPT.md", "bin/link", "bin/sup"]);
});

test("a Dockerfile's arguments are found in all their forms", () => {
  const text = 'ARG A\n  arg B=1\nARG C="x y" D\nARG E=1 \\\n  F=2\n# ARG NOT\nRUN echo ARG NOT\nARG A\n';
  assert.deepEqual(declaredArguments(text), ["A", "B", "C", "D", "E", "F"]);
});

test("an argument that the Dockerfile does not know is refused: Docker would build something else", (t) => {
  const directory = contextFor(t);
  assert.deepEqual(buildProblems(directory, args), []);
  const [problem, ...more] = buildProblems(directory, { KAZO_VERSION: "4.3" });
  assert.deepEqual(more, []);
  assert.match(
    problem ?? "",
    /kazoo:image\.build\.args\.KAZO_VERSION: .*KAZOO_VERSION, NODE_VERSION.*mean KAZOO_VERSION/,
  );
  assert.match(buildProblems(join(directory, "bin"), {})[0] ?? "", /a folder with a Dockerfile/);
});

const registry = "registry.example.com:5000";

async function deployBuilt(settings: Record<string, unknown>, password?: string): Promise<Registered[]> {
  const { resources } = await deployWithMocks(
    platformFrom(
      {
        image: { build: { registry, repository: "telephony/kazoo", tags: ["4.3", "latest"], ...settings } },
        ...(password === undefined ? {} : { registryPassword: password }),
        clusters: { east: { context: "e" } },
        regions: { "us-east": { cluster: "east", datacenters: { nyc: {} } } },
      },
      ...(password === undefined ? [] : ["registryPassword"]),
    ),
  );
  return resources;
}

const named = (resources: readonly Registered[], name: string) =>
  resources.find((resource) => resource.name === name)?.inputs ?? assert.fail(`no ${name}`);

test("the image is built once, pushed under each tag, and pods use the pushed digest", async () => {
  const resources = await deployBuilt({ platform: "linux/amd64", network: "host", args: { KAZOO_VERSION: "4.2" } });
  const fullName = `${registry}/telephony/kazoo`;
  const { name, build, keepLocally } = named(resources, "kazoo-image-build") as Record<string, unknown>;
  assert.equal(name, `${fullName}:4.3`);
  assert.equal(keepLocally, true);
  assert.deepEqual(build, {
    context: "image",
    buildArgs: { KAZOO_VERSION: "4.2" },
    tags: [`${fullName}:latest`],
    platform: "linux/amd64",
    networkMode: "host",
    useLegacyBuilder: true,
  });
  for (const tag of ["4.3", "latest"]) {
    assert.deepEqual(named(resources, `kazoo-image-push-${fullName}:${tag}`), {
      name: `${fullName}:${tag}`,
      triggers: { image: "sha256:id-of-kazoo-image-build" },
      keepRemotely: true,
    });
  }
  const set = objects(resources, "StatefulSet")["us-east-nyc/kazoo"] as {
    spec: { template: { spec: { containers: { image: string }[]; imagePullSecrets?: unknown } } };
  };
  const pod = set.spec.template.spec;
  assert.equal(pod.containers[0]?.image, `${fullName}@sha256:digest-of-kazoo-image-push-${fullName}:4.3`);
  assert.equal(pod.imagePullSecrets, undefined);
});

test("a registry without a login still gets an entry, and plain HTTP is part of its address", async () => {
  const provider = named(await deployBuilt({ plainHttp: true }), "image-builder");
  assert.deepEqual(JSON.parse(String(provider["registryAuth"])), [
    { address: `http://${registry}`, authDisabled: true },
  ]);
});

test("a registry's login goes to the engine and to a pull Secret, as a secret in both", async () => {
  const resources = await deployBuilt({ username: "ci" }, "hunter2-hunter2");
  const marker = "4dabf18193072939515e22adb298388d";
  const auth = named(resources, "image-builder")["registryAuth"] as Record<string, unknown>;
  assert.ok(marker in auth, "the provider's login is not secret");
  const secret = objects(resources, "Secret")["us-east-nyc/kazoo-image-pull"] as {
    type: string;
    stringData: Record<string, unknown>;
  };
  assert.equal(secret.type, "kubernetes.io/dockerconfigjson");
  assert.match(JSON.stringify(secret.stringData), /hunter2/);
  assert.ok(JSON.stringify(secret.stringData).includes(marker), "the pull secret is not secret");
  const elsewhere = resources.filter(({ name }) => name !== "image-builder" && !name.endsWith("-image-pull"));
  assert.doesNotMatch(JSON.stringify(elsewhere), /hunter2/);
});
