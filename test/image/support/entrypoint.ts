import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** The image's entrypoint in the working tree. */
export const entrypoint = join(__dirname, "../../../image/entrypoint");

/** What `entrypoint render` did with an environment. */
export interface Rendering {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Contents by file name; empty if it refused. */
  readonly files: Readonly<Record<string, string>>;
  /** Permission bits by file name, e.g. 0o400. */
  readonly modes: Readonly<Record<string, number>>;
}

const fileNames = ["config.ini", "vm.args", "sys.config", ".erlang.cookie"];

/** What the entrypoint made of one of many environments: a rendering without modes, and how long it took. */
export interface QuickRendering extends Omit<Rendering, "modes"> {
  /** The processor's time in seconds. */
  readonly seconds: number;
}

/**
 * Renders many environments in one process, a few milliseconds each.
 * @param environments the variables of each, beside PATH and what bash itself sets
 */
export function renderMany(environments: readonly Readonly<Record<string, string>>[]): QuickRendering[] {
  const input = environments.flatMap((environment) => {
    const pairs = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    return [String(pairs.length), ...pairs];
  });
  const folder = mkdtempSync(join(tmpdir(), "kazoo-render-"));
  try {
    // A file, since a shell reads a pipe byte by byte.
    writeFileSync(join(folder, "input"), input.map((text) => `${text}\0`).join(""));
    const script = join(__dirname, "renderMany.sh");
    const run = spawnSync("bash", [script, dirname(entrypoint), join(folder, "input")], {
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
      encoding: "utf8",
      maxBuffer: 1 << 30,
    });
    if (run.status !== 0 || run.stderr !== "") throw new Error(`renderMany.sh failed: ${run.stderr}`);
    const renderings = readMany(run.stdout);
    if (renderings.length !== environments.length) {
      throw new Error("renderMany.sh did not answer for each environment");
    }
    return renderings;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Reads what renderMany.sh prints. */
function readMany(output: string): QuickRendering[] {
  const fields = output.split("\0").slice(0, -1);
  const renderings: QuickRendering[] = [];
  while (fields.length > 0) {
    const end = fields.findIndex((field) => /^code \d+ [\d.]+ [\d.]+$/.test(field));
    const written = fields.splice(0, end);
    const [, code, user, system] = fields.shift()!.split(" ").map(Number) as [number, number, number, number];
    const files = Object.fromEntries(written.map((contents, index) => [fileNames[index], contents]));
    renderings.push({ code, stdout: "", stderr: fields.shift()!, files, seconds: user + system });
  }
  return renderings;
}

/**
 * Renders the configuration from an environment alone: nothing of this process's environment but PATH goes in.
 * @param environment the variables; give PATH to put other commands first
 */
export function renderWith(environment: Readonly<Record<string, string>>): Rendering {
  const folder = mkdtempSync(join(tmpdir(), "kazoo-render-"));
  try {
    const run = spawnSync("bash", [entrypoint, "render", folder], {
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", ...environment },
      encoding: "utf8",
    });
    const files: Record<string, string> = {};
    const modes: Record<string, number> = {};
    if (run.status === 0) {
      for (const name of fileNames) {
        files[name] = readFileSync(join(folder, name), "utf8");
        modes[name] = statSync(join(folder, name)).mode & 0o777;
      }
    }
    return { code: run.status, stdout: run.stdout, stderr: run.stderr, files, modes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
