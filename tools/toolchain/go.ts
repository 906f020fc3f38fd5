import { spawn } from "node:child_process";
import { UserError } from "../shared/terminal";

/** How a `go` command ended: what it printed, and its exit code. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/**
 * Runs `go` in `folder`, hands each line of its standard error to `onLine` and returns how it ended. When `signal` is
 * aborted, go and its compilers are ended first, then the signal's reason is thrown.
 */
export async function go(
  args: readonly string[],
  options: {
    readonly folder: string;
    readonly env: NodeJS.ProcessEnv;
    readonly signal: AbortSignal;
    readonly onLine?: (line: string) => void;
  },
): Promise<Outcome> {
  options.signal.throwIfAborted();
  // A process group of its own: the compilers end with it, and Ctrl-C reaches them through us alone.
  const child = spawn("go", args, {
    cwd: options.folder,
    env: options.env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // it has ended by itself
    }
  };
  let kill: NodeJS.Timeout | undefined;
  const stop = (): void => {
    end("SIGINT");
    kill = setTimeout(() => end("SIGKILL"), 5_000);
  };
  const leave = (): void => end("SIGKILL");
  options.signal.addEventListener("abort", stop, { once: true });
  process.once("exit", leave);
  try {
    let stdout = "";
    let stderr = "";
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) options.onLine?.(line);
    });
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exit) => resolve(exit ?? 1));
    });
    options.signal.throwIfAborted();
    return { stdout, stderr, code };
  } finally {
    clearTimeout(kill);
    options.signal.removeEventListener("abort", stop);
    process.off("exit", leave);
  }
}

/**
 * Like {@link go}, for a command that must succeed: returns its standard output, or throws what a user can act on.
 * `doing` completes "could not …".
 */
export async function mustGo(
  doing: string,
  args: readonly string[],
  options: Parameters<typeof go>[1],
): Promise<string> {
  const { stdout, stderr, code } = await go(args, options);
  if (code !== 0) throw explain(doing, `${stderr}\n${stdout}`, options.env);
  return stdout;
}

/** What a failed go command means, from what it printed. */
export function explain(doing: string, output: string, env: NodeJS.ProcessEnv): UserError {
  const lines = output.split("\n").map((line) => line.trim());
  const line = (pattern: RegExp): string | undefined => lines.find((candidate) => pattern.test(candidate));
  const disk = line(/no space left on device|disk quota exceeded/);
  if (disk !== undefined) {
    return new UserError(`could not ${doing}: the disk is full (${disk})`, "free some space and run the command again");
  }
  const sum = line(/checksum mismatch|SECURITY ERROR|missing go\.sum entry/);
  if (sum !== undefined) {
    return new UserError(
      `could not ${doing}: a downloaded Go module is not the one that go.sum names (${sum})`,
      "the module proxy or the module cache is not to be trusted: try another GOPROXY, or `go clean -modcache`",
    );
  }
  const network = line(
    /dial tcp|no such host|connection refused|connection reset|i\/o timeout|TLS handshake|x509:|proxyconnect|lookup disabled by GOPROXY=off|unexpected EOF|: (403|404|410|5\d\d) /,
  );
  if (network !== undefined) {
    return new UserError(
      `could not ${doing}: the Go module proxy cannot be reached (${network})`,
      `check the network, or set GOPROXY to one that can be reached (now: ${env["GOPROXY"] ?? "Go's default"}); what is downloaded is kept`,
    );
  }
  const memory = line(/signal: killed|cannot allocate memory|out of memory/);
  if (memory !== undefined) {
    return new UserError(
      `could not ${doing}: a compiler was ended, most likely for want of memory (${memory})`,
      "close other programs and run the command again: it goes on where it stopped",
    );
  }
  const last = lines.filter((candidate) => candidate !== "" && !isPackage(candidate)).slice(-5);
  return new UserError(`could not ${doing}: ${last.join(" | ") || "go gave no reason"}`);
}

/** Whether a line of `go build -v` names a package that is being compiled. */
export function isPackage(line: string): boolean {
  return /^[A-Za-z0-9_.~-]+(\/[A-Za-z0-9_.~-]+)*$/.test(line);
}
