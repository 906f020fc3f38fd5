import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The result of a container's script. */
export interface ScriptRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** curl's requests: `METHOD URL BODY`. */
  readonly requests: readonly string[];
  /** sup's arguments, call by call. */
  readonly sup: readonly string[];
  /** curl's standard input, which has its credentials. */
  readonly credentials: string;
}

/** Answers by `METHOD URL`: a status, or a status and a body. Other requests get no answer. */
export type Answers = Readonly<Record<string, number | readonly [status: number, body: string]>>;

// Only what the scripts use: the first matching line answers; without one, curl fails as if nothing listened.
const curl = `#!/bin/sh
cat >"$FAKE/credentials"
method=GET url= body= wants= fail=
while [ $# -gt 0 ]; do
  case "$1" in
    --request) method=$2; shift ;;
    --data) body=$2; shift ;;
    --write-out) wants=$2; shift ;;
    --fail) fail=yes ;;
    --output | --max-time | --config | --header | --data-urlencode) shift ;;
    --*) ;;
    *) url=$1 ;;
  esac
  shift
done
echo "$method $url $body" >>"$FAKE/requests"
while read -r answer_method answer_url answer_status answer_body; do
  [ "$answer_method $answer_url" = "$method $url" ] || continue
  case "$wants" in
    '') printf '%s\\n' "$answer_body" ;;
    %*) printf %s "$answer_status" ;;
    *) printf '%s\\n%s' "$answer_body" "$answer_status" ;;
  esac
  [ "$fail" = yes ] && [ "$answer_status" -ge 400 ] && exit 22
  exit 0
done <"$FAKE/answers"
[ -n "$wants" ] && printf '\\n000'
echo "curl: (7) Failed to connect" >&2
exit 7
`;

/**
 * Runs a container's script under sh with a curl that gives configured answers, a sup that is the given shell code, and a sleep that returns at once.
 * @param sup shell code; its arguments are those of sup
 */
export function runScript(options: {
  readonly script: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly answers: Answers;
  readonly sup?: string;
}): ScriptRun {
  const folder = mkdtempSync(join(tmpdir(), "kazoo-script-"));
  const bin = join(folder, "bin");
  const command = (name: string, content: string) => writeFileSync(join(bin, name), content, { mode: 0o755 });
  const lines = (name: string): string[] => {
    const path = join(folder, name);
    return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
  };
  try {
    mkdirSync(bin);
    command("curl", curl);
    command("sleep", "#!/bin/sh\n");
    command("entrypoint", '#!/bin/sh\necho "$*" >"$FAKE/entrypoint"\n');
    command("sup", `#!/bin/sh\necho "$*" >>"$FAKE/sup"\n${options.sup ?? "exit 1"}\n`);
    const answers = Object.entries(options.answers).map(([request, answer]) => {
      const [status, body] = typeof answer === "number" ? [answer, ""] : answer;
      return `${request} ${status} ${body}\n`;
    });
    writeFileSync(join(folder, "answers"), answers.join(""));
    const run = spawnSync("sh", ["-c", options.script], {
      env: { PATH: `${bin}:/usr/bin:/bin`, FAKE: folder, ...options.environment },
      encoding: "utf8",
      timeout: 60_000,
    });
    return {
      code: run.status,
      stdout: run.stdout,
      stderr: run.stderr,
      requests: lines("requests").map((line) => line.trimEnd()),
      sup: lines("sup"),
      credentials: lines("credentials").join("\n"),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The result of a script that talked to a server. */
export interface ServedRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Arguments of all calls of curl. */
  readonly curl: string;
}

/**
 * Runs a container's script under sh with the real curl, for which every host and port is one port of this machine, and a sleep that
 * returns at once.
 */
export async function runAgainst(
  port: number,
  script: string,
  environment: Readonly<Record<string, string>>,
): Promise<ServedRun> {
  const folder = mkdtempSync(join(tmpdir(), "kazoo-script-"));
  const command = (name: string, content: string) =>
    writeFileSync(join(folder, name), `#!/bin/sh\n${content}`, { mode: 0o755 });
  const calls = join(folder, "calls");
  try {
    command("sleep", "");
    command(
      "curl",
      `printf '%s\\n' "$*" >>${calls}\nPATH=/usr/local/bin:/usr/bin:/bin exec curl --noproxy '*' --connect-to ::127.0.0.1:${port} "$@"\n`,
    );
    const child = spawn("sh", ["-c", script], {
      env: { PATH: `${folder}:/usr/local/bin:/usr/bin:/bin`, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 120_000,
    });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].on("data", (chunk: Buffer) => (output[name] += chunk.toString()));
    }
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    return { code, ...output, curl: existsSync(calls) ? readFileSync(calls, "utf8") : "" };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
