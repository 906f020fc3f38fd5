import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { versions } from "../../tools/toolchain/parts";

export const project = resolve(__dirname, "../..");

export function temporaryFolder(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "toolchain-test-"));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function program(path: string, script: string): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

/**
 * The real command with its own cache and its own `go`. That `go` records each build in `builds`, creates programs that
 * are plain files, and while a file `hold` exists it waits in the middle of a build, with half of its output written.
 */
export class Workplace {
  readonly cache: string;
  readonly hold: string;
  private readonly bin: string;
  private readonly running = new Set<ChildProcess>();

  constructor(
    test: TestContext,
    readonly folder = temporaryFolder(test),
  ) {
    this.cache = join(folder, "cache/toolchain");
    this.hold = join(folder, "hold");
    this.bin = join(folder, "bin");
    mkdirSync(join(folder, "module/kustomize/stage/node"), { recursive: true });
    writeFileSync(join(folder, "module/kustomize/stage/node/node.yaml"), "kind: Stage\n");
    program(
      join(this.bin, "go"),
      `case "$1" in
env) echo '{"GOVERSION":"go1.26.0","GOOS":"linux","GOARCH":"amd64"}' ;;
mod) echo '{"Dir":"${folder}/module"}' ;;
list) echo "true stale dependency" ;;
build)
  echo "$$ $*" >> "${folder}/builds"
  while [ "$1" != -o ]; do shift; done
  output=$2; shift 2
  test -e "${folder}/fail" && { echo "# some/package" >&2; echo "x.go:1:1: broken" >&2; exit 1; }
  for package in "$@"; do
    echo "$package" >&2
    echo half > "$output$(basename "$package")"
    while [ -e "${this.hold}" ]; do sleep 0.05; done
    echo whole > "$output$(basename "$package")"
  done ;;
*) exit 2 ;;
esac`,
    );
    // A process left behind by a failed test must not outlive it.
    test.after(() => {
      rmSync(this.hold, { force: true });
      for (const child of this.running) child.kill("SIGKILL");
    });
  }

  /** Starts `kazoo toolchain …`. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const child = spawn(process.execPath, [join(project, "tools/cli/kazoo.js"), "toolchain", ...args], {
      // No TOOLCHAIN, Pulumi or Go other than the test's.
      env: {
        PATH: `${this.bin}:/usr/bin:/bin`,
        HOME: this.folder,
        KAZOO_CACHE: join(this.folder, "cache"),
        TOOLCHAIN: "build",
        KAZOO_MIRROR: "http://127.0.0.1:1", // nothing listens there
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.running.add(child);
    const said = { out: "", error: "" };
    child.stdout.on("data", (text: Buffer) => (said.out += text.toString()));
    child.stderr.on("data", (text: Buffer) => (said.error += text.toString()));
    const ended = new Promise<number>((done) =>
      child.once("close", (code, signal) => {
        this.running.delete(child);
        done(code ?? (signal === "SIGKILL" ? 137 : 1));
      }),
    );
    return { child, said, ended };
  }

  async run(args: readonly string[], env?: NodeJS.ProcessEnv) {
    const { said, ended } = this.start(args, env);
    return { code: await ended, ...said };
  }

  /** `<process> <arguments>` of each `go build`. */
  get builds(): string[] {
    const file = join(this.folder, "builds");
    return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  }

  /** Everything in the cache, in short: `kwok-<key>/kwok`, … */
  get kept(): string[] {
    if (!existsSync(this.cache)) return [];
    return readdirSync(this.cache, { recursive: true, encoding: "utf8" })
      .map((name) => name.replace(/-[0-9a-f]{16}/, "-<key>"))
      .filter((name) => /^(kwok|docker|core|language|release|tmp|lock)/.test(name))
      .sort();
  }

  addPulumi(version: string, install = "exit 1"): void {
    program(
      join(this.bin, "pulumi"),
      `case "$1" in version) echo v${version} ;; plugin) echo "$*" >> "${this.folder}/installs"; ${install} ;; esac`,
    );
    program(join(this.bin, "pulumi-language-nodejs"), "exit 0");
  }

  addPlugin(name: "random" | "kubernetes" | "docker"): void {
    program(join(this.folder, `.pulumi/plugins/resource-${name}-v${versions[name]}/pulumi-resource-${name}`), "exit 0");
  }
}
