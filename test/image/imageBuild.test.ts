import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { archive, archivedErlangImage } from "./support/archivedErlangImage";
import type { Outcome } from "./support/commands";
import { acquireEngine, noEngine, type Engine } from "./support/engine";
import { startFlakyProxy } from "./support/flakyProxy";
import { closedNetworkArgs, kazooImage, tryBuild } from "./support/kazooImage";
import { serveKazooSources, type KazooSources } from "./support/kazooSources";

describe("building the Kazoo image", { timeout: 60 * 60_000 }, () => {
  let skip: string | false;
  let engine: Engine;
  let sources: KazooSources;
  let args: Record<string, string>;
  let image: string;

  before(async () => {
    skip = await noEngine();
    if (skip !== false) return;
    engine = await acquireEngine();
    sources = await serveKazooSources();
    args = await closedNetworkArgs(engine, sources);
    image = await kazooImage(engine, sources);
  });
  after(async () => {
    await sources?.stop();
    await engine?.release();
  });

  const check = (name: string, work: (t: TestContext) => Promise<void>): void => {
    it(name, (t) => (skip === false ? work(t) : t.skip(skip)));
  };
  const inside = (tag: string, ...command: string[]) =>
    engine.docker(["run", "--rm", "--network=none", tag, ...command]);
  /** The build's whole output: the classic builder prints its own errors and a command's on different streams. */
  const output = ({ stdout, stderr }: { stdout: string; stderr: string }) => `${stdout}\n${stderr}`;
  // A failing download must not make the test wait for the long retries that production needs.
  const impatient = { RETRY_ATTEMPTS: "2", RETRY_DELAY: "0" };

  check("contains the release built by Kazoo's make targets and the versions it was built from", async () => {
    const versions = await inside(image, "cat", "/opt/kazoo/versions", "/opt/kazoo/versions.monster-ui");
    assert.match(versions, /^erlang 25$/m);
    assert.match(versions, /^kazoo 4\.3 [0-9a-f]{40}$/m);
    assert.match(versions, /^node v18\./m);
    assert.match(versions, /^monster-ui 4\.3 [0-9a-f]{40}$/m);
    await inside(image, "test", "-e", "/opt/kazoo/releases/4.3.0/kazoo.boot");
    const apps = (await inside(image, "ls", "/var/www/html/monster-ui/apps")).trim().split("\n");
    assert.deepEqual(apps, ["accounts", "callflows", "fax", "numbers", "pbxs", "voicemails", "voip", "webhooks"]);
    await inside(image, "test", "!", "-e", "/var/www/html/monster-ui/apps/voip/app.js");
  });

  check("KAZOO_VERSION and MONSTER_UI_VERSION pick the branches", async () => {
    const other = await kazooImage(engine, sources, "4.2");
    const versions = await inside(other, "cat", "/opt/kazoo/versions", "/opt/kazoo/versions.monster-ui");
    assert.match(versions, /^kazoo 4\.2 /m);
    assert.match(versions, /^monster-ui 4\.2 /m);
    await inside(other, "test", "-e", "/opt/kazoo/releases/4.2.0/kazoo.boot");
    assert.match(
      await inside(other, "cat", "/var/www/html/monster-ui/apps/voip/metadata/app.json"),
      /"version":"4\.2"/,
    );
  });

  check("labels have all six versions", async () => {
    const labels = JSON.parse(
      await engine.docker(["image", "inspect", "--format", "{{json .Config.Labels}}", image]),
    ) as Record<string, string>;
    assert.equal(labels["org.opencontainers.image.version"], "4.3");
    for (const [name, version] of Object.entries({
      kazoo: "4.3",
      erlang: "25",
      "monster-ui": "4.3",
      node: "18",
      gosu: "1.14",
      "dumb-init": "1.2.5",
    })) {
      assert.equal(labels[`kazoo.version.${name}`], version);
    }
  });

  for (const [variable, target] of [
    ["ERLANG_VERSION", "kazoo"],
    ["NODE_VERSION", "monster-ui"],
  ] as const) {
    check(`${variable} picks the base image, and one that does not exist fails`, async () => {
      const build = await tryBuild(engine, { ...args, [variable]: "0.0-nowhere" }, { target });
      assert.notEqual(build.code, 0);
      const steps = build.stdout.split("\n").filter((line) => line.startsWith("Step "));
      assert.match(steps.at(-1)!, new RegExp(`FROM .*\\$\\{${variable}\\}`));
    });

    check(`${variable} is held against what the base image brings`, async () => {
      const imageOf = args[variable.replace("VERSION", "IMAGE")]!;
      await engine.docker(["tag", `${imageOf}:${args[variable]}`, `${imageOf}:99`]);
      const build = await tryBuild(engine, { ...args, [variable]: "99" }, { target });
      assert.notEqual(build.code, 0);
      assert.match(output(build), new RegExp(`${variable} is 99, but the base image has`));
    });
  }

  for (const [variable, target] of [
    ["KAZOO_VERSION", "kazoo"],
    ["MONSTER_UI_VERSION", "monster-ui"],
  ] as const) {
    check(`${variable} without a branch fails, naming it`, async () => {
      const build = await tryBuild(engine, { ...args, ...impatient, [variable]: "no-such-branch" }, { target });
      assert.notEqual(build.code, 0);
      assert.match(output(build), /Remote branch no-such-branch not found/);
      assert.match(output(build), /FAILED after 2 attempts/);
    });
  }

  for (const [variable, name, version] of [
    ["GOSU_VERSION", "gosu", /^1\.14/m],
    ["DUMB_INIT_VERSION", "dumb-init", /^dumb-init v1\.2\.5/m],
  ] as const) {
    check(`${variable} picks the package, and one that does not exist fails`, async () => {
      const shown = output(
        await engine.tryDocker(["run", "--rm", "--network=none", "--entrypoint", name, image, "--version"]),
      );
      assert.match(shown, version);
      const build = await tryBuild(engine, { ...args, ...impatient, [variable]: "0.0.1" }, { target: "runtime" });
      assert.notEqual(build.code, 0);
      assert.match(output(build), new RegExp(`Version '0\\.0\\.1\\*' for '${name}' was not found`));
    });
  }

  check("continues after a short failure of the mirror", async () => {
    const proxy = await startFlakyProxy(2);
    try {
      const build = await tryBuild(
        engine,
        { ...args, http_proxy: proxy.url, RETRY_DELAY: "0" },
        { target: "runtime", noCache: true },
      );
      assert.equal(build.code, 0, output(build));
      assert.match(output(build), /Attempt 1 of 5 failed/);
    } finally {
      await proxy.stop();
    }
  });

  check("fails clearly, and in limited time, if the mirror stays down", async () => {
    const proxy = await startFlakyProxy(Infinity);
    try {
      const build = await tryBuild(
        engine,
        { ...args, http_proxy: proxy.url, RETRY_ATTEMPTS: "3", RETRY_DELAY: "0" },
        { target: "runtime", noCache: true },
      );
      assert.notEqual(build.code, 0);
      assert.match(output(build), /Attempt 2 of 3 failed/);
      assert.match(output(build), /FAILED after 3 attempts .*apt-get .*update/);
      assert.ok(proxy.count() >= 3 && proxy.count() <= 60, `${proxy.count()} requests`);
    } finally {
      await proxy.stop();
    }
  });

  check("DEBIAN_MIRROR replaces the base image's mirror", async () => {
    const mirror = await startFlakyProxy(Infinity);
    try {
      const build = await tryBuild(
        engine,
        { ...args, ...impatient, DEBIAN_MIRROR: `${mirror.url}/my-debian` },
        { target: "runtime" },
      );
      assert.notEqual(build.code, 0);
      assert.match(output(build), /\/my-debian\/dists\/bookworm\/InRelease/);
      assert.ok(mirror.count() > 0);
    } finally {
      await mirror.stop();
    }
  });

  const archived = { ERLANG_IMAGE: "kazoo-test/erlang-archived", KAZOO_BUILD_PACKAGES: "kazoo-test-archived" };
  /** What apt could not get, as `ADDRESS SUITE`. */
  const failed = (build: Outcome) =>
    new Set([...output(build).matchAll(/Err:\d+ (\S+ \S+) InRelease/g)].map(([, list]) => list));

  check("DEBIAN_ARCHIVE_MIRROR is the mirror of a base image whose release the others no longer have", async () => {
    await archivedErlangImage(engine);
    const mirror = await startFlakyProxy(Infinity);
    try {
      const address = { DEBIAN_ARCHIVE_MIRROR: `${mirror.url}/old` };
      const build = await tryBuild(engine, { ...args, ...archived, ...impatient, ...address }, { target: "kazoo" });
      assert.notEqual(build.code, 0);
      assert.deepEqual(
        failed(build),
        new Set([`${mirror.url}/old stretch`, `${mirror.url}/old-security stretch/updates`]),
      );
    } finally {
      await mirror.stop();
    }
  });

  check("such a release comes from Debian's archive by default, whatever DEBIAN_MIRROR is", async () => {
    const proxy = await startFlakyProxy(Infinity);
    try {
      const build = await tryBuild(
        engine,
        // The first stage, which the classic builder always builds, so that no other stage needs the proxy.
        {
          ...{ ...args, ...impatient, RUNTIME_IMAGE: await archivedErlangImage(engine), http_proxy: proxy.url },
          DEBIAN_MIRROR: "http://mirror.example.org/debian",
        },
        { target: "runtime" },
      );
      assert.notEqual(build.code, 0);
      assert.deepEqual(
        failed(build),
        new Set([
          "http://archive.debian.org/debian stretch",
          "http://archive.debian.org/debian-security stretch/updates",
        ]),
      );
    } finally {
      await proxy.stop();
    }
  });

  check("accepts the archive's outdated lists, whose signing keys have expired", async () => {
    await archivedErlangImage(engine);
    const mirror = { DEBIAN_ARCHIVE_MIRROR: `file:${archive}` };
    const build = await tryBuild(engine, { ...args, ...archived, ...impatient, ...mirror }, { target: "kazoo" });
    assert.equal(build.code, 0, output(build));
  });

  check("reports its largest folders first (the stand-in's sizes are not Kazoo's)", async (t) => {
    const bytes = Number(await engine.docker(["image", "inspect", "--format", "{{.Size}}", image]));
    const folders = await inside(image, "sh", "-c", "du -xkd1 / /opt/kazoo /usr 2>/dev/null | sort -rn | head -12");
    t.diagnostic(`${(bytes / 1e6).toFixed(0)} MB; KiB by folder:\n${folders}`);
    assert.ok(bytes < 250e6, `${bytes} bytes`);
    // No compiler, no package lists, nothing left of the builds.
    for (const path of ["/usr/bin/gcc", "/usr/bin/git", "/usr/bin/node", "/build", "/src"])
      await inside(image, "test", "!", "-e", path);
    assert.equal((await inside(image, "ls", "/var/lib/apt/lists")).trim(), "");
  });
});
