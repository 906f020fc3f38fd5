import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { type Server, type ServerResponse, createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { basename, join } from "node:path";
import { type TestContext, describe, it } from "node:test";
import { checksumIn, download, mirrored } from "../../tools/toolchain/download";
import { versions } from "../../tools/toolchain/parts";
import { Workplace, program, temporaryFolder } from "../support/workplace";

const sha256 = (content: string | Buffer): string => createHash("sha256").update(content).digest("hex");

/** A mirror on loopback that serves files by `/<host>/<path>`. */
class Mirror {
  /** The files, and how to send them; by default unchanged. */
  readonly files = new Map<string, string | Buffer>();
  send: (path: string, content: string | Buffer, response: ServerResponse) => void = (_, content, response) =>
    void response.end(content);
  /** The requested paths. */
  readonly asked: string[] = [];

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(test: TestContext): Promise<Mirror> {
    const server = createServer((request, response) => {
      const path = request.url ?? "";
      mirror.asked.push(path);
      const content = mirror.files.get(path);
      if (content === undefined) response.writeHead(404).end();
      else mirror.send(path, content, response);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const mirror = new Mirror(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    test.after(() => mirror.stop());
    return mirror;
  }

  /** Adds a file and the text with its checksum. */
  publish(path: string, content: string | Buffer, checksums: string, text = `${sha256(content)}  ${basename(path)}\n`) {
    this.files.set(path, content).set(checksums, text);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }
}

describe("a download", () => {
  const url = "https://files.example/v1/tool";
  const path = "/files.example/v1/tool";
  const content = "#!/bin/sh\necho tool\n".repeat(10_000);

  const signal = new AbortController().signal;

  async function tried(test: TestContext, mirror: Mirror, options: { sum?: string; signal?: AbortSignal } = {}) {
    const folder = temporaryFolder(test);
    const file = { url, sha256: options.sum ?? `${url}.sha256` };
    const settings = { mirror: mirror.url, patience: 500, signal: options.signal ?? signal };
    return { folder, result: download(file, folder, settings) };
  }

  async function mirrorOfTool(test: TestContext): Promise<Mirror> {
    const mirror = await Mirror.start(test);
    mirror.publish(path, content, `${path}.sha256`);
    return mirror;
  }

  it("is the published file, and executable", async (test) => {
    const { folder, result } = await tried(test, await mirrorOfTool(test));
    await result;
    assert.equal(readFileSync(join(folder, "tool"), "utf8"), content);
    assert.equal(statSync(join(folder, "tool")).mode & 0o777, 0o755);
  });

  it("that is not the published file is refused", async (test) => {
    const mirror = await mirrorOfTool(test);
    mirror.files.set(path, "something else");
    const { result } = await tried(test, mirror);
    await assert.rejects(result, {
      message: `${url} does not match its published checksum: SHA-256 ${sha256("something else")}, not ${sha256(content)}`,
    });
  });

  it("whose checksum is in the project is checked against that one", async (test) => {
    const mirror = await mirrorOfTool(test);
    await (
      await tried(test, mirror, { sum: sha256(content) })
    ).result;
    await assert.rejects(
      (await tried(test, mirror, { sum: sha256("another") })).result,
      /does not match its published checksum/,
    );
  });

  it("whose checksum is not published is not made", async (test) => {
    const mirror = await mirrorOfTool(test);
    mirror.files.set(`${path}.sha256`, `${sha256(content)}  another-tool\n`);
    const { result } = await tried(test, mirror);
    await assert.rejects(result, { message: `${mirror.url}${path}.sha256 has no checksum of tool` });
    assert.deepEqual(mirror.asked, [`${path}.sha256`]);
  });

  it("that does not exist fails with the server's answer", async (test) => {
    const mirror = await mirrorOfTool(test);
    mirror.files.delete(path);
    await assert.rejects((await tried(test, mirror)).result, { message: `${mirror.url}${path} answers 404` });
  });

  for (const [when, send] of [
    ["before the answer", () => undefined],
    [
      "in the middle",
      (_: string, body: string | Buffer, response: ServerResponse) => void response.write(body.slice(0, 99)),
    ],
  ] as const) {
    it(`that hangs ${when} is given up`, { timeout: 120_000 }, async (test) => {
      const mirror = await mirrorOfTool(test);
      mirror.send = (asked, body, response) => (asked === path ? send(asked, body, response) : response.end(body));
      await assert.rejects((await tried(test, mirror)).result, /^Error: 127\.0\.0\.1:\d+ has not answered for 0\.5 s$/);
    });
  }

  it("that breaks off fails", async (test) => {
    const mirror = await mirrorOfTool(test);
    mirror.send = (asked, body, response) => {
      if (asked !== path) return response.end(body);
      response.writeHead(200, { "content-length": body.length });
      response.write(body.slice(0, 99), () => response.destroy());
    };
    await assert.rejects((await tried(test, mirror)).result, /^Error: 127\.0\.0\.1:\d+: /);
  });

  it("from an unreachable server fails at once", async (test) => {
    const mirror = await mirrorOfTool(test);
    await mirror.stop();
    await assert.rejects((await tried(test, mirror)).result, /^Error: 127\.0\.0\.1:\d+: connect ECONNREFUSED/);
  });

  it("uses the environment's proxy", async (test) => {
    const mirror = await mirrorOfTool(test);
    const asked: string[] = [];
    const proxy = createServer().on("connect", (request, socket) => {
      asked.push(request.url ?? "");
      const { port } = new URL(mirror.url);
      const through = connect(Number(port), "127.0.0.1", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
      socket.on("error", () => through.destroy());
      through.on("error", () => socket.destroy());
      socket.pipe(through).pipe(socket);
    });
    await new Promise<void>((listening) => proxy.listen(0, "127.0.0.1", listening));
    const before = process.env["http_proxy"];
    process.env["http_proxy"] = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    test.after(() => {
      if (before === undefined) delete process.env["http_proxy"];
      else process.env["http_proxy"] = before;
      proxy.close();
    });
    const folder = temporaryFolder(test);
    const file = { url, sha256: `${url}.sha256` };
    await download(file, folder, { mirror: "http://mirror.example", patience: 60_000, signal });
    assert.equal(readFileSync(join(folder, "tool"), "utf8"), content);
    assert.deepEqual([...new Set(asked)], ["mirror.example:80"]);
    // This machine is not reached through a proxy.
    await (
      await tried(test, mirror)
    ).result;
    assert.deepEqual([...new Set(asked)], ["mirror.example:80"]);
  });

  it("ends when it is interrupted", async (test) => {
    const mirror = await mirrorOfTool(test);
    const controller = new AbortController();
    mirror.send = () => controller.abort(new Error("interrupted"));
    const { result } = await tried(test, mirror, { signal: controller.signal });
    await assert.rejects(result, { message: "interrupted" });
  });

  it("takes its checksum from a list, from a separate file, and from GitHub's release data", () => {
    const [one, two] = [sha256("1"), sha256("2")];
    assert.equal(checksumIn(`${one}  a.tar.gz\n${two} *./b.tar.gz\n`, "b.tar.gz"), two);
    assert.equal(checksumIn(`${one}\n`, "b"), one);
    const assets = [
      { name: "a", digest: `sha256:${one}` },
      { name: "b", digest: `sha256:${two}` },
      { name: "c", digest: null },
    ];
    assert.equal(checksumIn(JSON.stringify({ assets }), "b"), two);
    for (const text of [JSON.stringify({ assets }), "{}", "", "<html>", `${one}  d`])
      assert.equal(checksumIn(text, "c"), undefined);
  });

  it("goes to the mirror by host and path", () => {
    assert.equal(mirrored(url, "http://mirror.example/kazoo/"), "http://mirror.example/kazoo/files.example/v1/tool");
    assert.equal(mirrored(url, undefined), url);
  });
});

/** The Pulumi CLI, a plugin, and two programs of the sandbox, as they are published. */
function publishAll(test: TestContext, mirror: Mirror): void {
  const folder = temporaryFolder(test);
  // It installs plugins from files, like Pulumi.
  const install = `dir="$PULUMI_HOME/plugins/resource-$4-v$5"; mkdir -p "$dir"; while [ "$1" != --file ]; do shift; done; tar -xzf "$2" -C "$dir"`;
  program(
    join(folder, "pulumi/pulumi"),
    `case "$1" in version) echo v${versions.pulumi} ;; plugin) ${install} ;; esac`,
  );
  program(join(folder, "pulumi/pulumi-language-nodejs"), "exit 0");
  const archive = execFileSync("tar", ["-cz", "-C", folder, "pulumi"]);
  const os = process.platform;
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  const cli = `/github.com/pulumi/pulumi/releases/download/v${versions.pulumi}`;
  mirror.publish(
    `${cli}/pulumi-v${versions.pulumi}-${os}-${process.arch}.tar.gz`,
    archive,
    `${cli}/pulumi-${versions.pulumi}-checksums.txt`,
  );
  program(join(folder, "plugin/pulumi-resource-random"), "echo random");
  const plugin = execFileSync("tar", ["-cz", "-C", join(folder, "plugin"), "pulumi-resource-random"]);
  const name = `pulumi-resource-random-v${versions.random}-${os}-${arch}.tar.gz`;
  mirror.publish(
    `/github.com/pulumi/pulumi-random/releases/download/v${versions.random}/${name}`,
    plugin,
    `/api.github.com/repos/pulumi/pulumi-random/releases/tags/v${versions.random}`,
    JSON.stringify({ assets: [{ name, digest: `sha256:${sha256(plugin)}` }] }),
  );
  for (const name of ["kube-apiserver", "kube-scheduler"]) {
    const path = `/dl.k8s.io/release/v1.34.4/bin/${os}/${arch}/${name}`;
    const content = `#!/bin/sh\necho ${name}\n`;
    mirror.publish(path, content, `${path}.sha256`, sha256(content));
  }
}

const apiServer = /kube-apiserver$/;

describe("kazoo toolchain, where it can download", { concurrency: true }, () => {
  const parts = ["pulumi", "language", "random", "kube-apiserver", "kube-scheduler"];

  async function place(test: TestContext) {
    const [at, mirror] = [new Workplace(test), await Mirror.start(test)];
    publishAll(test, mirror);
    const run = (names: readonly string[], mode = "", env = {}) =>
      at.run(names, { TOOLCHAIN: mode, KAZOO_MIRROR: mirror.url, ...env });
    return { at, mirror, run };
  }

  it("downloads everything, without Go, only once", async (test) => {
    const { at, mirror, run } = await place(test);
    rmSync(join(at.folder, "bin/go"));
    const first = await run(parts);
    assert.equal(first.code, 0, first.error);
    const at_ = (part: string): string =>
      new RegExp(`^${part} +(\\S+)$`, "m").exec(first.out)?.[1] ?? assert.fail(first.out);
    assert.equal(readFileSync(at_("kube-apiserver"), "utf8"), "#!/bin/sh\necho kube-apiserver\n");
    assert.equal(join(at_("pulumi"), ".."), join(at_("language"), ".."), "the language host is beside the CLI");
    const home = /export PULUMI_HOME='([^']+)'/.exec(first.out)?.[1] ?? assert.fail(first.out);
    assert.ok(first.out.includes(`export PATH='${join(at_("pulumi"), "..")}':"$PATH"`), first.out);
    assert.deepEqual(readdirSync(join(home, "plugins")), [`resource-random-v${versions.random}`]);
    assert.ok(at_("random").startsWith(join(home, "plugins")));
    assert.equal(readFileSync(at_("random"), "utf8"), "#!/bin/sh\necho random\n");
    assert.ok(!existsSync(join(at.folder, ".pulumi")), "the user's own home is not touched");

    await mirror.stop();
    const second = await run(parts);
    assert.deepEqual([second.code, second.error, second.out], [0, "", first.out]);
  });

  it("builds a part if the download is not the published file, says so, and does not download it again unless forced", async (test) => {
    const { at, mirror, run } = await place(test);
    const path = [...mirror.files.keys()].find((name) => apiServer.test(name)) ?? assert.fail();
    mirror.files.set(path, "something else");
    const first = await run(["kube-apiserver", "kube-scheduler"]);
    assert.equal(first.code, 0, first.error);
    assert.match(
      first.error,
      /^kube-apiserver cannot be downloaded \(\S+ does not match its published checksum: .*\): building instead, now and in later runs \(TOOLCHAIN=download retries\)$/m,
    );
    assert.equal(at.builds.length, 1);
    assert.match(at.builds[0] ?? "", / k8s\.io\/kubernetes\/cmd\/kube-apiserver$/);
    assert.match(first.out, /^kube-apiserver .*\/core-/m);
    assert.match(first.out, /^kube-scheduler .*\/release-/m);

    const { length } = mirror.asked;
    rmSync(join(at.cache, readdirSync(at.cache).find((name) => name.startsWith("core-")) ?? ""), { recursive: true });
    assert.equal((await run(["kube-apiserver"])).code, 0);
    assert.equal(mirror.asked.length, length, "not asked again");
    assert.equal(at.builds.length, 2);

    const forced = await run(["kube-apiserver"], "download");
    assert.equal(forced.code, 1);
    assert.match(
      forced.error,
      /\nerror: TOOLCHAIN=download, but kube-apiserver cannot be downloaded: \S+ does not match its published checksum: .*\nnext: check the network, set KAZOO_MIRROR to a mirror, or unset TOOLCHAIN [^\n]*\n$/,
    );
    assert.deepEqual(
      at.kept.filter((name) => /tmp|lock/.test(name)),
      [],
    );

    // --prune forgets failed downloads.
    publishAll(test, mirror);
    await run(["--prune"]);
    rmSync(join(at.cache, readdirSync(at.cache).find((name) => name.startsWith("core-")) ?? ""), { recursive: true });
    assert.match((await run(["kube-apiserver"])).out, /^kube-apiserver .*\/release-/m);
  });

  it("builds after a download hangs for a few seconds", { timeout: 180_000 }, async (test) => {
    const { at, mirror, run } = await place(test);
    mirror.send = () => undefined;
    const { code, error } = await run(["kube-apiserver", "kube-scheduler", "kwok"]);
    assert.equal(code, 0, error);
    assert.match(error, /^kube-apiserver, kube-scheduler, kwok cannot be downloaded \(\S+ has not answered for 5 s; /m);
    assert.equal(at.builds.length, 2);
  });

  it("uses what is built already, and downloads nothing with TOOLCHAIN=build", async (test) => {
    const { at, mirror, run } = await place(test);
    assert.equal((await run(["kube-apiserver"], "build")).code, 0);
    assert.match((await run(["kube-apiserver"])).out, /^kube-apiserver .*\/core-/m);
    assert.deepEqual(mirror.asked, []);
    // TOOLCHAIN=download gets the published program.
    assert.match((await run(["kube-apiserver"], "download")).out, /^kube-apiserver .*\/release-/m);
    assert.equal(at.builds.length, 1);
  });

  it("without Go, reports both problems, and tries again each time", async (test) => {
    const { at, mirror, run } = await place(test);
    rmSync(join(at.folder, "bin/go"));
    const path = [...mirror.files.keys()].find((name) => apiServer.test(name)) ?? assert.fail();
    const content = mirror.files.get(path) ?? assert.fail();
    mirror.files.delete(path);
    const { code, error } = await run(["kube-apiserver"]);
    assert.equal(code, 1);
    assert.match(
      error,
      /\nerror: Go is not installed: building the toolchain needs 1\.\S+ or newer, and it cannot be downloaded: \S+ answers 404\nnext: check the network, or install Go [^\n]*\n$/,
    );
    mirror.files.set(path, content);
    assert.equal((await run(["kube-apiserver"])).code, 0);
  });

  it("leaves nothing incomplete if interrupted", async (test) => {
    const { at, mirror } = await place(test);
    const asked = new Promise<void>((resolve) => {
      mirror.send = (path, content, response) => {
        if (!apiServer.test(path)) return response.end(content);
        response.write(content.slice(0, 5));
        resolve();
      };
    });
    mkdirSync(at.cache, { recursive: true });
    const { child, said, ended } = at.start(["kube-apiserver"], { TOOLCHAIN: "", KAZOO_MIRROR: mirror.url });
    await asked;
    child.kill("SIGINT");
    assert.equal(await ended, 130);
    assert.match(said.error, /error: interrupted\nnext: /);
    assert.deepEqual(readdirSync(at.cache), []);
  });
});
