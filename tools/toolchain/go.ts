import { UserError } from "../shared/terminal";

/** Options of a `go` command. */
export interface GoOptions {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** When it is aborted, go and its compilers are ended and its reason is thrown. */
  readonly signal: AbortSignal;
  /** Receives each line of standard error. */
  readonly onLine?: (line: string) => void;
}

/**
 * Runs a `go` command and returns its standard output. Throws a UserError with a next step if it fails; `doing` completes "could not …".
 */
export async function mustGo(doing: string, args: readonly string[], options: GoOptions): Promise<string> {
  const { folder, env, signal, onLine } = options;
  const { execa } = await import("execa");
  signal.throwIfAborted();
  const child = execa("go", args, {
    cwd: folder,
    env,
    extendEnv: false,
    // In its own process group, so that the compilers end with it and only we pass Ctrl-C on.
    detached: true,
    stdin: "ignore",
    stderr: function* (line: unknown) {
      onLine?.(String(line));
      yield line;
    },
    reject: false,
  });
  const end = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // it has ended already
    }
  };
  let kill: NodeJS.Timeout | undefined;
  const stop = (): void => {
    end("SIGINT");
    kill = setTimeout(() => end("SIGKILL"), 5_000);
  };
  const leave = (): void => end("SIGKILL");
  signal.addEventListener("abort", stop, { once: true });
  process.once("exit", leave);
  try {
    const { stdout, stderr, exitCode } = await child;
    signal.throwIfAborted();
    if (exitCode !== 0) throw explain(doing, `${stderr}\n${stdout}`, env);
    return stdout;
  } finally {
    clearTimeout(kill);
    signal.removeEventListener("abort", stop);
    process.off("exit", leave);
  }
}

/** The error for a failed go command, from its output. */
export function explain(doing: string, output: string, env: NodeJS.ProcessEnv): UserError {
  const lines = output.split("\n").map((line) => line.trim());
  const line = (pattern: RegExp): string | undefined => lines.find((candidate) => pattern.test(candidate));
  const disk = line(/no space left on device|disk quota exceeded/);
  if (disk !== undefined) {
    return new UserError(`could not ${doing}: the disk is full (${disk})`, "free some space and run the command again");
  }
  const place = line(/permission denied|read-only file system|could not create module cache/);
  if (place !== undefined) {
    return new UserError(
      `could not ${doing}: Go cannot write to one of its folders (${place})`,
      "set GOMODCACHE (or TMPDIR, if that is the folder) to a folder that you can write to",
    );
  }
  const sum = line(/checksum mismatch|SECURITY ERROR|missing go\.sum entry/);
  if (sum !== undefined) {
    return new UserError(
      `could not ${doing}: a downloaded Go module does not match go.sum (${sum})`,
      "the module proxy or cache may be corrupt: try another GOPROXY, or `go clean -modcache`",
    );
  }
  const network = line(
    /dial tcp|no such host|connection refused|connection reset|i\/o timeout|TLS handshake|x509:|proxyconnect|lookup disabled by GOPROXY=off|unexpected EOF|: (403|404|410|5\d\d) /,
  );
  if (network !== undefined) {
    return new UserError(
      `could not ${doing}: the Go module proxy cannot be reached (${network})`,
      `check the network, or set GOPROXY to a reachable proxy (now: ${env["GOPROXY"] ?? "Go's default"}); finished downloads are kept`,
    );
  }
  const memory = line(/signal: killed|cannot allocate memory|out of memory/);
  if (memory !== undefined) {
    return new UserError(
      `could not ${doing}: the compiler was killed, most likely because memory ran out (${memory})`,
      "close other programs and run the command again: it continues where it stopped",
    );
  }
  const last = lines.filter((candidate) => candidate !== "" && !isPackage(candidate)).slice(-5);
  return new UserError(`could not ${doing}: ${last.join(" | ") || "go gave no reason"}`);
}

/** Whether a line of `go build -v` names a package that is being compiled. */
export function isPackage(line: string): boolean {
  return /^[A-Za-z0-9_.~-]+(\/[A-Za-z0-9_.~-]+)*$/.test(line);
}
