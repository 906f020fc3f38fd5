import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, describe, it } from "node:test";
import { Entries } from "../../tools/toolchain/cache";
import { atLeast, checkDisk, checkGo } from "../../tools/toolchain/checks";
import { explain } from "../../tools/toolchain/go";
import { type Group, binaryName, buildFlags, groupOf } from "../../tools/toolchain/groups";
import { groups as toolGroups, versions } from "../../tools/toolchain/parts";
import { duration } from "../../tools/toolchain/progress";
import { forcedMode, mirrorOf } from "../../tools/toolchain/mode";
import { programGroups } from "../programs";
import { until } from "../support/until";
import { Workplace, program, project, temporaryFolder } from "../support/workplace";

const groups: readonly Group[] = [...toolGroups, ...programGroups];
const allParts = groups.flatMap(({ packages }) => Object.keys(packages));
const compiler = { version: "go1.26.0", os: "linux", arch: "amd64" };

describe("the key of a cached build", () => {
  /** Creates the groups with their own sources, one folder each; returns the folder above them. */
  function copyOfSources(test: TestContext): { folder: string; copies: readonly Group[] } {
    const folder = temporaryFolder(test);
    const copies = groups.map((group) => ({ ...group, folder: join(folder, group.name) }));
    for (const group of groups) cpSync(group.folder, join(folder, group.name), { recursive: true });
    return { folder, copies };
  }
  const place = (part: string, from = groups, by = compiler): string => new Entries("/cache", from, by).binary(part);

  it("is the same in every clone, whatever the files' modification times", (test) => {
    const [one, two] = [copyOfSources(test), copyOfSources(test)];
    utimesSync(join(two.folder, "core/go.mod"), 0, 0);
    utimesSync(join(two.folder, "core/etcd/main.go"), 0, 0);
    for (const part of allParts) assert.equal(place(part, one.copies), place(part, two.copies));
  });

  for (const file of ["core/etcd/main.go", "core/go.mod", "core/go.sum", "core/upstream/go.mod"]) {
    it(`changes with ${file}, only for the parts of that module`, (test) => {
      const { folder, copies } = copyOfSources(test);
      writeFileSync(join(folder, file), `${readFileSync(join(folder, file), "utf8")}// changed\n`);
      for (const part of allParts) {
        assert.equal(place(part, copies) !== place(part), groupOf(groups, part).name === "core", part);
      }
    });
  }

  it("changes with a new file, unless Go does not read it", (test) => {
    const { folder, copies } = copyOfSources(test);
    writeFileSync(join(folder, "kwok/README.md"), "words");
    assert.equal(place("kwok", copies), place("kwok"));
    writeFileSync(join(folder, "kwok/more.go"), "package more\n");
    assert.notEqual(place("kwok", copies), place("kwok"));
  });

  it("changes with the compiler's version, system and processor", () => {
    const other = [{ version: "go1.26.1" }, { os: "darwin" }, { arch: "arm64" }];
    for (const change of other) assert.notEqual(place("etcd", groups, { ...compiler, ...change }), place("etcd"));
  });
});

describe("the parts", () => {
  it("have the versions that package.json pins, if the engine needs them to match", () => {
    const { dependencies } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    for (const [name, version] of Object.entries(versions)) assert.equal(version, dependencies[`@pulumi/${name}`]);
  });

  it("know their versions and are built only from the committed go.sum", () => {
    for (const group of groups) {
      assert.ok(buildFlags(group).includes("-mod=readonly"), group.name);
      assert.match(readFileSync(join(group.folder, "go.sum"), "utf8"), / h1:/);
    }
    const core = buildFlags(groupOf(groups, "pulumi")).join("\n");
    assert.match(core, /-X github\.com\/pulumi\/pulumi\/sdk\/v3\/go\/common\/version\.Version=v3\.218\.0/);
    assert.match(core, /pulumi-resource-random=.* -X main\.version=4\.21\.2/);
    assert.match(core, /gitVersion=v1\.34\.4/);
  });

  it("have programs with unique names within a module", () => {
    for (const group of groups) {
      const names = Object.keys(group.packages).map((part) => binaryName(group, part));
      assert.equal(new Set(names).size, names.length);
    }
    assert.equal(binaryName(groupOf(groups, "language"), "language"), "pulumi-language-nodejs");
    assert.equal(binaryName(groupOf(groups, "docker"), "docker"), "pulumi-resource-docker");
  });

  it("share compiled packages: the tests' Kubernetes programs pin the same modules as the API server", () => {
    const pins = (part: string) => {
      const text = readFileSync(join(groupOf(groups, part).folder, "go.mod"), "utf8");
      return new Map(
        [...text.matchAll(/^\t(\S+) (?:=> \S+ )?(v\S+)/gm)].map(([, path = "", version]) => [path, version]),
      );
    };
    const server = pins("kube-apiserver");
    const common = [...pins("kubelet")].filter(([path]) => server.has(path));
    assert.ok(common.length > 100);
    for (const [path, version] of common) assert.equal(version, server.get(path), path);
  });
});

describe("what is missing", () => {
  const goEnv = (version: string): string => JSON.stringify({ GOVERSION: version, GOOS: "linux", GOARCH: "amd64" });

  it("Go: one line with the version that the modules need", () => {
    const forAll = (output: string | undefined) => () => checkGo(output, groups);
    assert.throws(forAll(undefined), {
      message: "Go is not installed: building the toolchain needs 1.26.0 or newer",
      next: /install Go 1\.26\.0 or newer/,
    });
    assert.throws(forAll(goEnv("go1.22.5")), { message: "Go 1.22.5 is too old: 1.26.0 or newer is required" });
    assert.throws(forAll(goEnv("go1.25.9")), { message: /^Go 1\.25\.9 is too old/ });
    assert.deepEqual(forAll(goEnv("go1.26.0"))(), compiler);
    assert.equal(forAll(goEnv("go1.27rc1"))().version, "go1.27rc1");
    // A module must not require more than it needs.
    assert.equal(checkGo(goEnv("go1.25.9"), [groupOf(groups, "actionlint")]).version, "go1.25.9");
  });

  it("disk: how much, where, and how to use another one", () => {
    const free = (gibibytes: number) => () => gibibytes * 2 ** 30;
    assert.throws(() => checkDisk(join(tmpdir(), "not/there/yet"), 9, "building", free(2.5)), {
      message: /^too little disk for building: 9 GiB are needed in .*yet, 2\.5 GiB are free$/,
      next: /KAZOO_CACHE/,
    });
    checkDisk(tmpdir(), 9, "building", free(9));
  });

  for (const [output, message] of [
    [
      'go: x@v1: Get "https://proxy.example/x": dial tcp: lookup proxy.example: no such host',
      /module proxy cannot be reached \(go: x@v1/,
    ],
    ["go: x@v1: module lookup disabled by GOPROXY=off", /module proxy cannot be reached/],
    ["go: x@v1: reading https://proxy.example/x: 502 Bad Gateway", /module proxy cannot be reached/],
    ["a/b\nlink: write out: no space left on device", /the disk is full/],
    ["verifying x@v1: checksum mismatch\n\tdownloaded: h1:1\nSECURITY ERROR", /does not match go\.sum/],
    ["a/b: compile: signal: killed", /memory ran out/],
    ["go: could not create module cache: mkdir /x: permission denied", /Go cannot write to one of its folders/],
    ["a/b\n# a/b\nmain.go:3:1: syntax error", /could not build etcd: # a\/b \| main\.go:3:1: syntax error$/],
  ] as const) {
    it(`explains "${output.split("\n")[0]}"`, () => {
      const error = explain("build etcd", output, {});
      assert.match(error.message, message);
      assert.ok(!error.message.includes("\n"), "one line");
    });
  }

  it("compares versions by number", () => {
    assert.ok(atLeast("3.218.0", "3.218.0") && atLeast("3.1000.0", "3.218.0") && atLeast("1.26", "1.26.0"));
    assert.ok(!atLeast("3.99.9", "3.218.0") && !atLeast("1.9.7", "1.26.0") && !atLeast("", "1"));
  });

  it("formats durations for people", () => {
    assert.deepEqual([0, 59.4, 60, 190].map(duration), ["0s", "59s", "1m00s", "3m10s"]);
  });

  it("KAZOO_MIRROR: what was found and what is expected", () => {
    assert.equal(mirrorOf("http://127.0.0.1:8080/kazoo/"), "http://127.0.0.1:8080/kazoo/");
    assert.equal(mirrorOf(""), undefined);
    for (const value of ["mirror.example", "ftp://mirror.example"]) {
      assert.throws(() => mirrorOf(value), {
        message: `KAZOO_MIRROR is "${value}"; expected a URL, e.g. https://mirror.example.com/releases`,
      });
    }
  });

  it("TOOLCHAIN: what was found and what is expected", () => {
    assert.equal(forcedMode("build"), "build");
    assert.equal(forcedMode(""), undefined);
    assert.throws(() => forcedMode("docker"), {
      message: 'TOOLCHAIN is "docker"; expected download, build or system',
    });
  });
});

describe("kazoo toolchain", { concurrency: true }, () => {
  it("builds the requested parts and what belongs to them, only once", async (test) => {
    const at = new Workplace(test);
    const first = await at.run(["kwok", "docker"]);
    assert.equal(first.code, 0, first.error);
    assert.match(first.error, /\[1\/2\] kwok: .*\n(.*\n)*.*\[2\/2\] docker: 0 of 1 packages, 0s of about 2m30s/);
    assert.deepEqual(at.kept, [
      "docker-<key>",
      "docker-<key>/pulumi-resource-docker",
      "kwok-<key>",
      "kwok-<key>/kwok",
      "kwok-<key>/stage",
      "kwok-<key>/stage/node",
      "kwok-<key>/stage/node/node.yaml",
    ]);
    const path = /^kwok +(\S+)$/m.exec(first.out)?.[1];
    assert.equal(readFileSync(path ?? "", "utf8"), "whole\n");

    const second = await at.run(["kwok", "docker"]);
    assert.equal(second.error, "");
    assert.equal(at.builds.length, 2);
  });

  it("adds a part to its module without rebuilding the others", async (test) => {
    const at = new Workplace(test);
    assert.equal((await at.run(["etcd"])).code, 0);
    const both = await at.run(["etcd", "kube-scheduler"]);
    assert.equal(both.code, 0, both.error);
    assert.match(at.builds[0] ?? "", /\.\/etcd$/);
    assert.match(at.builds[1] ?? "", / k8s\.io\/kubernetes\/cmd\/kube-scheduler$/);
    assert.deepEqual(at.kept, ["core-<key>", "core-<key>/etcd", "core-<key>/kube-scheduler"]);
  });

  it("sets up the engine's home: the host next to the CLI, plugins by version, none of them on the PATH", async (test) => {
    const at = new Workplace(test);
    mkdirSync(join(at.folder, "module/nodejs/dist"), { recursive: true });
    for (const name of ["pulumi-analyzer-policy", "pulumi-resource-pulumi-nodejs"]) {
      writeFileSync(join(at.folder, "module/nodejs/dist", name), "");
    }
    const { code, out, error } = await at.run(["pulumi", "language", "random"]);
    assert.equal(code, 0, error);
    const home = /export PULUMI_HOME='([^']+)'/.exec(out)?.[1] ?? assert.fail(out);
    assert.ok(out.includes(`export PATH='${home}/bin':"$PATH"`), out);
    assert.deepEqual(readdirSync(join(home, "bin")).sort(), [
      "pulumi",
      "pulumi-analyzer-policy",
      "pulumi-language-nodejs",
      "pulumi-resource-pulumi-nodejs",
    ]);
    assert.deepEqual(readdirSync(join(home, "plugins")), ["resource-random-v4.21.2"]);
    assert.deepEqual(readdirSync(join(home, "plugins/resource-random-v4.21.2")), ["pulumi-resource-random"]);
    assert.ok(!existsSync(join(at.folder, ".pulumi")), "the user's own home is not touched");
  });

  it("leaves nothing incomplete if killed, and the next run cleans up and completes", async (test) => {
    const at = new Workplace(test);
    writeFileSync(at.hold, "");
    const killed = at.start(["kwok"]);
    await until("the build to begin", () => at.builds.length === 1);
    killed.child.kill("SIGKILL");
    assert.equal(await killed.ended, 137);
    assert.ok(!at.kept.some((name) => name.startsWith("kwok-")), at.kept.join(" "));
    assert.ok(at.kept.some((name) => name.startsWith("tmp-")) && at.kept.includes("lock"), "as a kill leaves it");

    rmSync(at.hold);
    const next = await at.run(["kwok"]);
    assert.equal(next.code, 0, next.error);
    assert.ok(!/waiting/.test(next.error), "the lock of a dead process is taken over");
    assert.deepEqual(at.kept, [
      "kwok-<key>",
      "kwok-<key>/kwok",
      "kwok-<key>/stage",
      "kwok-<key>/stage/node",
      "kwok-<key>/stage/node/node.yaml",
    ]);
  });

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    it(`${signal} stops the build with all its processes and leaves nothing`, async (test) => {
      const at = new Workplace(test);
      writeFileSync(at.hold, "");
      const stopped = at.start(["kwok"]);
      await until("the build to begin", () => at.builds.length === 1);
      stopped.child.kill(signal);
      assert.equal(await stopped.ended, code);
      assert.match(stopped.said.error, /error: interrupted\nnext: run the same command again to continue\n$/);
      assert.deepEqual(at.kept, []);
      const pid = at.builds[0]?.split(" ")[0];
      assert.ok(!existsSync(`/proc/${pid}`), "go has ended");
    });
  }

  it("two at once: one builds; the other waits, says for which process, and uses the result", async (test) => {
    const at = new Workplace(test);
    writeFileSync(at.hold, "");
    const one = at.start(["kwok"]);
    await until("the build to begin", () => at.builds.length === 1);
    const two = at.start(["kwok"]);
    await until("the other to say that it waits", () => two.said.error.includes("waiting"));
    assert.equal(two.said.error, `waiting for the toolchain build of process ${one.child.pid}\n`);
    rmSync(at.hold);
    assert.deepEqual(await Promise.all([one.ended, two.ended]), [0, 0]);
    assert.equal(at.builds.length, 1);
    assert.equal(two.said.out, one.said.out);
  });

  it("a failed build is one clear line, leaves nothing, and can be repeated", async (test) => {
    const at = new Workplace(test);
    writeFileSync(join(at.folder, "fail"), "");
    const failed = await at.run(["docker"]);
    assert.equal(failed.code, 1);
    assert.match(failed.error, /\nerror: could not build docker: # some\/package \| x\.go:1:1: broken\n$/);
    assert.deepEqual(at.kept, []);
    rmSync(join(at.folder, "fail"));
    assert.equal((await at.run(["docker"])).code, 0);
  });

  it("without Go, prints one clear line", async (test) => {
    const at = new Workplace(test);
    const { code, error } = await at.run(["kwok"], { PATH: join(at.folder, "nowhere") });
    assert.equal(code, 1);
    assert.match(error, /^error: Go is not installed: [^\n]*\nnext: install Go 1\.26\.0 [^\n]*\n$/);
  });

  it("a folder that cannot be created: one clear line", async (test) => {
    const at = new Workplace(test);
    writeFileSync(join(at.folder, "file"), "");
    const { code, error } = await at.run(["kwok"], { KAZOO_CACHE: join(at.folder, "file/cache") });
    assert.equal(code, 1);
    assert.match(
      error,
      /^error: cannot use \S+\/file\/cache\/toolchain: not a directory\nnext: [^\n]*KAZOO_CACHE[^\n]*\n$/,
    );
  });

  it("works with spaces in the cache's path", async (test) => {
    const at = new Workplace(test, join(temporaryFolder(test), "a folder with blanks"));
    const { code, out, error } = await at.run(["kwok"]);
    assert.equal(code, 0, error);
    assert.equal(readFileSync(/^kwok +(.+)$/m.exec(out)?.[1] ?? "", "utf8"), "whole\n");
  });

  it("an unknown part is refused with the list of parts", async (test) => {
    const { code, error } = await new Workplace(test).run(["kowk"]);
    assert.notEqual(code, 0);
    assert.match(error, /'kowk' is invalid .*Allowed choices are language, pulumi, /);
  });

  it("--prune removes other versions and Go's build cache, and keeps this version", async (test) => {
    const at = new Workplace(test);
    await at.run(["kwok"]);
    const old = join(at.cache, "kwok-0123456789abcdef");
    for (const folder of [old, join(at.cache, "go-build"), join(at.cache, "notes")])
      mkdirSync(folder, { recursive: true });
    const { code, out } = await at.run(["--prune"]);
    assert.equal(code, 0);
    assert.match(out, /^removed from .*: go-build, kwok-0123456789abcdef\n$/);
    assert.ok(!existsSync(old) && existsSync(join(at.cache, "notes")), "what is not the toolchain's own stays");
    await at.run(["kwok"]);
    assert.equal(at.builds.length, 1);
    assert.match((await at.run(["--prune"])).out, /^nothing to remove/);
  });
});

describe("an installed Pulumi", { concurrency: true }, () => {
  const auto = { TOOLCHAIN: "" };

  it("is used with its own plugins and home, and needs no Go", async (test) => {
    const at = new Workplace(test);
    at.addPulumi("3.219.4");
    at.addPlugin("random");
    rmSync(join(at.folder, "bin/go"));
    const { code, out, error } = await at.run(["pulumi", "language", "random"], auto);
    assert.equal(code, 0, error);
    assert.equal(error, "");
    assert.match(out, new RegExp(`^pulumi +${at.folder}/bin/pulumi\\n`));
    assert.ok(!out.includes("PULUMI_HOME"));
  });

  it("is not used if it is too old; with TOOLCHAIN=system, that is an error", async (test) => {
    const at = new Workplace(test);
    at.addPulumi("3.99.0");
    at.addPlugin("random");
    assert.equal((await at.run(["random"], auto)).code, 0);
    assert.equal(at.builds.length, 1);
    const forced = await at.run(["random"], { TOOLCHAIN: "system" });
    assert.equal(forced.code, 1);
    assert.match(
      forced.error,
      /^error: TOOLCHAIN=system, but .*pulumi is version 3\.99\.0 \(3\.218\.0 or newer is required\)\nnext: /,
    );
  });

  it("missing with TOOLCHAIN=system: an error, and no build", async (test) => {
    const at = new Workplace(test);
    const { code, error } = await at.run(["pulumi"], { TOOLCHAIN: "system" });
    assert.equal(code, 1);
    assert.match(error, /^error: TOOLCHAIN=system, but no pulumi is on the PATH\nnext: install Pulumi/);
    assert.deepEqual(at.builds, []);
  });

  it("is used if it can download missing plugins", async (test) => {
    const at = new Workplace(test);
    const plugin = `$HOME/.pulumi/plugins/resource-random-v${versions.random}`;
    at.addPulumi("3.218.0", `mkdir -p ${plugin}; touch ${plugin}/pulumi-resource-random`);
    const { code, out, error } = await at.run(["pulumi", "random"], { ...auto, HTTPS_PROXY: "http://127.0.0.1:1" });
    assert.equal(code, 0, error);
    assert.match(out, /^random +installed with Pulumi$/m);
    assert.deepEqual(at.builds, []);
  });

  it("whose downloads fail is tried once; then and later the plugins are built", async (test) => {
    const at = new Workplace(test);
    at.addPulumi("3.218.0", 'echo "error: 403 from the release server" >&2; exit 1');
    // Behind a proxy, only Pulumi itself can find out; nothing listens at this one.
    const env = { ...auto, HTTPS_PROXY: "http://127.0.0.1:1" };
    const first = await at.run(["random"], env);
    assert.equal(first.code, 0, first.error);
    assert.match(first.error, /cannot download the plugin random 4\.21\.2 \(error: 403 from the release server\)/);
    const second = await at.run(["random"], env);
    assert.equal(second.error, "");
    const installs = (): number => readFileSync(join(at.folder, "installs"), "utf8").trim().split("\n").length;
    assert.equal(installs(), 1);
    // With TOOLCHAIN=system it is tried again.
    const forced = await at.run(["random"], { ...env, TOOLCHAIN: "system" });
    assert.match(forced.error, /error: TOOLCHAIN=system, but the plugin random 4\.21\.2 cannot be downloaded: /);
    assert.equal(installs(), 2);
  });

  it("that this project built does not count as installed", async (test) => {
    const at = new Workplace(test);
    program(join(at.cache, "home-0123456789abcdef/bin/pulumi"), "echo v3.218.0");
    const path = `${join(at.cache, "home-0123456789abcdef/bin")}:${join(at.folder, "bin")}:/usr/bin:/bin`;
    const { code, out } = await at.run(["kwok", "random"], { ...auto, PATH: path });
    assert.equal(code, 0);
    assert.match(out, /^random .*core-/m);
  });
});
