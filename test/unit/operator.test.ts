import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { type OperatorSettings, objectName, operatorStacks } from "../../tools/cli/stack/operatorStacks";
import { type Clone, cloneProject } from "../support/clone";
import { platformFrom, regionsInTwoClusters } from "../support/mocks";

const config = {
  ...regionsInTwoClusters,
  rings: { main: {}, own: {} },
  regions: {
    "us-east": { cluster: "east", datacenters: { nyc: { ring: "main" } } },
    "us-west": { cluster: "west", datacenters: { sfo: { ring: "main" }, lax: { ring: "own" } } },
    "us-south": { cluster: "west", datacenters: { hou: { ring: "own" } } },
  },
};
const settings: OperatorSettings = {
  stack: "acme/prod",
  file: "Pulumi.prod.yaml",
  git: { repository: "https://git.example.com/kazoo.git", branch: "main" },
  secret: "kazoo-pulumi",
  kubeconfigSecret: "kazoo-kubeconfig",
  serviceAccount: "pulumi",
  image: "pulumi/pulumi:3.218.0-nonroot",
  isNew: false,
};

interface StackObject {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly stack: string;
    readonly projectRepo: string;
    readonly branch?: string;
    readonly commit?: string;
    readonly repoDir?: string;
    readonly prerequisites?: readonly { readonly name: string }[];
    readonly envRefs: Readonly<Record<string, { literal?: { value: string }; secret?: { name: string; key: string } }>>;
  };
}
const stacks = (more: Partial<OperatorSettings> = {}, changed: object = {}) =>
  operatorStacks(platformFrom({ ...config, ...changed }), { ...settings, ...more }) as StackObject[];
const secretsOf = (more: Partial<OperatorSettings>) =>
  Object.entries(stacks(more)[0]?.spec.envRefs ?? {}).flatMap(([name, { secret }]) => (secret ? [[name, secret]] : []));

describe("the operator's objects", () => {
  test("are one Stack for what regions share, and one per region, in the order that live rings need", () => {
    const order = (objects: readonly StackObject[]) =>
      objects.map(({ metadata, spec }) => [
        metadata.name,
        spec.stack,
        (spec.prerequisites ?? []).map(({ name }) => name),
      ]);
    assert.deepEqual(order(stacks()), [
      ["prod", "acme/prod", []],
      ["prod-us-east", "acme/prod.us-east", ["prod"]],
      ["prod-us-south", "acme/prod.us-south", ["prod"]],
      ["prod-us-west", "acme/prod.us-west", ["prod", "prod-us-east", "prod-us-south"]],
    ]);
    const created = stacks({ isNew: true }).slice(1);
    for (const [, , before] of order(created)) assert.deepEqual(before, ["prod"], "regions are created together");
    assert.deepEqual(order(stacks({}, { stacks: "one" })), [["prod", "acme/prod", []]]);
  });

  test("give a region's stack the file of the whole, and no other stack", () => {
    const files = (objects: readonly StackObject[]) =>
      objects.map(({ spec }) => spec.envRefs.PULUMI_OPTION_CONFIG_FILE?.literal?.value);
    assert.deepEqual(files(stacks()), [undefined, ...Array<string>(3).fill("Pulumi.prod.yaml")]);
    assert.deepEqual(files(stacks({}, { stacks: "one" })), [undefined]);
  });

  test("refer to the secrets that backend and encryption need, and to no others", () => {
    const token = ["PULUMI_ACCESS_TOKEN", { name: "kazoo-pulumi", key: "PULUMI_ACCESS_TOKEN" }];
    const passphrase = ["PULUMI_CONFIG_PASSPHRASE", { name: "kazoo-pulumi", key: "PULUMI_CONFIG_PASSPHRASE" }];
    const bucket = "s3://states";
    assert.deepEqual(secretsOf({}), [token]);
    assert.deepEqual(secretsOf({ secretsProvider: "passphrase" }), [token, passphrase]);
    assert.deepEqual(secretsOf({ backend: bucket }), [passphrase]);
    assert.deepEqual(secretsOf({ backend: bucket, secretsProvider: "awskms://alias/states" }), []);
  });

  test("have names that fit every object that the operator makes of them", () => {
    assert.equal(objectName("acme/Prod_1.us-east"), "prod-1-us-east");
    assert.equal(objectName("1.us-east"), "stack-1-us-east");
    const long = ["a", "b"].map((end) => objectName(`production.${"very-".repeat(8)}far-${end}`));
    assert.notEqual(long[0], long[1]);
    for (const name of long) assert.match(name, /^[a-z0-9-]{42}$/);
  });
});

describe("kazoo operator", () => {
  let clone: Clone;
  before(async () => {
    clone = await cloneProject();
    write({});
    await git("init", "--quiet", "--initial-branch", "release");
  });
  after(() => clone?.dispose());
  const git = (...args: string[]) => promisify(execFile)("git", args, { cwd: clone.directory });
  const write = (more: object, top: object = {}) => {
    const keys = Object.fromEntries(
      Object.entries({ ...config, ...more }).map(([key, value]) => [`kazoo:${key}`, value]),
    );
    writeFileSync(join(clone.directory, "Pulumi.prod.yaml"), JSON.stringify({ ...top, config: keys }));
  };
  const run = (...args: string[]) => clone.run(["operator", "--stack", "prod", ...args]);
  const read = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as StackObject);

  test("takes the repository, without a token in its URL, and the branch from git", async () => {
    const without = await run();
    assert.match(without.stderr, /no remote origin\nnext: give the repository: REPOSITORY=/);
    await git("remote", "add", "origin", "https://bot:ghp_token@git.example.com/kazoo.git");
    write({}, { encryptionsalt: "v1:AAAA:v1:BBBB:CCCC" });
    const { code, stdout, stderr } = await run();
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stdout, /ghp_token|BBBB/);
    assert.match(stdout, /^# .*\n# - the Secret kazoo-pulumi with PULUMI_ACCESS_TOKEN and PULUMI_CONFIG_PASSPHRASE\n/);
    const [shared, ...regions] = read(stdout);
    assert.equal(regions.length, 3);
    const { projectRepo, branch, repoDir } = shared?.spec ?? assert.fail();
    assert.deepEqual([projectRepo, branch, repoDir], ["https://git.example.com/kazoo.git", "release", undefined]);
  });

  test("writes a file, and takes a commit and a folder instead", async () => {
    const { code, stdout, stderr } = await run("--out", "stacks.yaml", "--commit", "abc", "--folder", "telephony");
    assert.deepEqual([code, stdout], [0, ""], stderr);
    assert.match(stderr, /stacks\.yaml: 4 Stacks/);
    const [{ spec } = assert.fail()] = read(readFileSync(join(clone.directory, "stacks.yaml"), "utf8"));
    assert.deepEqual([spec.branch, spec.commit, spec.repoDir], [undefined, "abc", "telephony"]);
    const both = await run("--commit", "abc", "--branch", "main");
    assert.match(both.stderr, /both a branch and a commit are given/);
  });

  test("refuses what the operator's pods cannot deploy, with what to do", async () => {
    const region = await clone.run(["operator", "--stack", "prod.us-east"]);
    assert.match(region.stderr, /the stack of a region.*\nnext: .*--stack prod\n/);
    const sandbox = await clone.run(["operator", "--stack", "dev"]);
    assert.match(sandbox.stderr, /cluster local is the sandbox on this machine/);
    write({ image: { build: { registry: "registry.example.com", repository: "kazoo" } } });
    assert.match((await run()).stderr, /no Docker Engine\nnext: .*prebuilt/);
  });
});
