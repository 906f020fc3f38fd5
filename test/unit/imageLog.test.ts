import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { entrypoint } from "../image/support/entrypoint";

const image = dirname(entrypoint);
const scratch = mkdtempSync(join(tmpdir(), "kazoo-log-"));
const running = new Set<ChildProcessWithoutNullStreams>();
after(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});

/** Waits for a condition, for at most two minutes, because machines can be slow. */
async function until<T>(what: string, condition: () => T | undefined | false): Promise<T> {
  for (const end = Date.now() + 120_000; Date.now() < end; await sleep(20)) {
    const found = condition();
    if (found !== undefined && found !== false) return found;
  }
  throw new Error(`timed out waiting for ${what}`);
}

interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  /** The output so far. */
  readonly out: () => string;
  readonly err: () => string;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

function start(script: string, environment: Readonly<Record<string, string>> = {}): Running {
  const child = spawn("bash", ["--norc", "-c", script], { env: { PATH: process.env["PATH"], ...environment } });
  running.add(child);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (data: Buffer) => out.push(data));
  child.stderr.on("data", (data: Buffer) => err.push(data));
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on("close", (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  return {
    child,
    out: () => Buffer.concat(out).toString("latin1"),
    err: () => Buffer.concat(err).toString("latin1"),
    ended,
  };
}

/** The filter alone, between two shells: `script` writes to it on file descriptors 3 and 4. */
function filtered(secrets: readonly string[], script: string): Running {
  const folder = mkdtempSync(join(scratch, "filter-"));
  writeFileSync(join(folder, "secrets"), ["the end of it", ...secrets].map((secret) => `${secret}\0`).join(""));
  spawnSync("mkfifo", [join(folder, "out"), join(folder, "err")]);
  return start(`
    cd ${folder}
    exec 3<>out 4<>err
    perl ${image}/lib/mask.pl out err <secrets 3>&- 4>&- &
    ${script}
    printf 'the end of it' >&3
    printf 'the end of it' >&4
    wait $!`);
}

async function mask(secrets: readonly string[], text: string | Buffer): Promise<string> {
  const file = join(mkdtempSync(join(scratch, "text-")), "text");
  writeFileSync(file, text);
  const filter = filtered(secrets, `cat ${file} >&3`);
  assert.deepEqual(await filter.ended, { code: 0, signal: null }, filter.err());
  return filter.out();
}

describe("the log's filter", () => {
  const secret = "Zq3vT8mK1xW5cB7nR2pL";

  it("masks a secret anywhere, in every form in which Kazoo writes it", async () => {
    const cases: readonly (readonly [secret: string, written: string, masked: string])[] = [
      [
        secret,
        `loaded settings : [{kazoo_apps,[{cookie,'${secret}'}]}]`,
        "loaded settings : [{kazoo_apps,[{cookie,'[masked]'}]}]",
      ],
      [secret, `${secret}${secret} ${secret}`, "[masked][masked] [masked]"],
      [
        "a@b/c:d%e!f",
        `{amqp_uri,"amqp://kazoo:a%40b%2Fc%3Ad%25e%21f@mq:5672"}`,
        '{amqp_uri,"amqp://kazoo:[masked]@mq:5672"}',
      ],
      ["a@b/c:d%e!f", "a%40b%2fc%3ad%25e%21f", "[masked]"],
      ["a@b/c:d%e!f", "http://kazoo:a@b/c:d%e!f@db:5984", "http://kazoo:[masked]@db:5984"],
      ["(.*)[a-z]+$^|{2}", '{password,"(.*)[a-z]+$^|{2}"}', '{password,"[masked]"}'],
      ["(.*)[a-z]+$^|{2}", "anything else", "anything else"],
      ["back\\slash-quo'te", `{password,"back\\\\slash-quo'te"}`, '{password,"[masked]"}'],
      ["back\\slash-quo'te", `{cookie,'back\\\\slash-quo\\'te'}`, "{cookie,'[masked]'}"],
      ["secret-of-20-bytes", "[115,101,99,114,101,116,45,111,102,45,50,48,45,98,121,116,101,115]", "[[masked]]"],
      [secret, `"Zq3vT8mK"\n        "1xW5cB7n"\n  "R2pL"}`, '"[masked]"}'],
      ["secret-of-20-bytes", "[115,101,99,114,101,116,45,111,102,\n  45,50,48,45,98,121,116,101,115]", "[[masked]]"],
      [secret, `{password,"Zq3vT8mK1xW5cB..."`, '{password,"[masked]..."'],
      [
        "short",
        `{password,"short"}, amqp://u:short@h, {cookie,short}, cookie to short`,
        `{password,"[masked]"}, amqp://u:[masked]@h, {cookie,[masked]}, cookie to [masked]`,
      ],
      ["short", "in short: a short message, shortly", "in short: a short message, shortly"],
      ["a", `a quick {password,"a"} and :a@host`, `a quick {password,"[masked]"} and :[masked]@host`],
    ];
    for (const [value, written, masked] of cases) {
      assert.equal(await mask([value], `before\n${written}\nafter\n`), `before\n${masked}\nafter\n`);
    }
    const umlauts = Buffer.from("pässwörd-of-ümlauts");
    const twice = Buffer.from(umlauts.toString("latin1"));
    assert.equal(
      await mask([umlauts.toString()], Buffer.concat([umlauts, Buffer.from(" "), twice])),
      "[masked] [masked]",
    );
  });

  it("passes everything else on unchanged: colours, bytes, carriage returns, a last line without an end", async () => {
    const colours = "\u001b[0;31m12:00:00.000 [error] |\u001b[0m\r\n";
    const bytes = Buffer.from(Array.from({ length: 4096 }, (_, index) => index % 256));
    const text = Buffer.concat([Buffer.from(colours), bytes, Buffer.from('a "quoted"\n "line"\n1,\n2\nlast')]);
    assert.equal(await mask([secret, "x", ""], text), text.toString("latin1"));
    assert.equal(await mask([], text), text.toString("latin1"));
    assert.equal(await mask([secret], ""), "");
  });

  it("finds a secret in a line that arrives in pieces, and in one without an end", async () => {
    const filter = filtered([secret], "printf 'a Zq3vT8mK' >&3; read -r; printf '1xW5cB7nR2pL b\\n' >&3");
    filter.child.stdin.write("go\n");
    await filter.ended;
    assert.equal(filter.out(), "a [masked] b\n");
    const longest = "é%".repeat(85);
    assert.equal(
      await mask([longest], `a ${encodeURIComponent(longest)} ${encodeURIComponent(longest).slice(0, 700)}...`),
      "a [masked] [masked]...",
    );
    const long = "y".repeat(300_000);
    assert.equal(await mask([secret], `${long}${secret}${long}${secret}\n`), `${long}[masked]${long}[masked]\n`);
  });

  it("shows an incomplete line, but not the beginning of a secret", async () => {
    const filter = filtered(
      [secret],
      "printf 'progress: 50 %% Zq3vT8mK' >&3; read -r; printf '\"\n \"1xW5cB7n' >&3; read -r",
    );
    await until("the unfinished line", () => filter.out() === "progress: 50 % ");
    filter.child.stdin.write("go\n");
    // The beginning of a secret is held back until its end arrives, however long that takes.
    await sleep(1500);
    assert.equal(filter.out(), "progress: 50 % ");
    filter.child.stdin.write("go\n");
    await filter.ended;
    assert.equal(filter.out(), "progress: 50 % [masked]");
  });

  it("finds random secrets in random texts, however they are written and cut into pieces", async () => {
    const secrets = fc.uniqueArray(
      fc.string({ minLength: 8, maxLength: 40, unit: fc.constantFrom(..."ABCXYZ!@/:%$^*()[]{}?+|.~é".split("")) }),
      { minLength: 1, maxLength: 3 },
    );
    const filler = fc.string({ maxLength: 30, unit: fc.constantFrom(..."abc012 \n\n\",'\\\u001b".split("")) });
    const piece = fc.record({
      filler,
      secret: fc.nat(2),
      form: fc.constantFrom("raw", "uri", "spread", "none"),
      at: fc.nat(40),
    });
    const written = (secret: string, form: string, at: number): string => {
      if (form === "uri")
        return encodeURIComponent(secret).replace(/[!*()]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);
      if (form === "none") return "";
      const seam = 1 + (at % (secret.length - 1));
      return form === "raw" ? secret : `${secret.slice(0, seam)}"\n   "${secret.slice(seam)}`;
    };
    await fc.assert(
      fc.asyncProperty(
        secrets,
        fc.array(piece, { maxLength: 12 }),
        fc.array(fc.nat(400)),
        async (known, pieces, cuts) => {
          // A secret within another is masked in part, as expected.
          fc.pre(known.every((a) => known.every((b) => a === b || !a.includes(b.slice(0, 6)))));
          const of = (index: number) => known[index % known.length]!;
          const text = Buffer.from(pieces.map((p) => `${p.filler}a${written(of(p.secret), p.form, p.at)}a`).join(""));
          const expected = pieces.map((p) => `${p.filler}a${p.form === "none" ? "" : "[masked]"}a`).join("");
          const filter = filtered(known, "cat >&3");
          let from = 0;
          for (const at of [...cuts].sort((a, b) => a - b).concat(text.length)) {
            filter.child.stdin.write(text.subarray(from, Math.max(from, at)));
            from = Math.max(from, at);
            await sleep(0);
          }
          filter.child.stdin.end();
          assert.deepEqual(await filter.ended, { code: 0, signal: null });
          assert.equal(filter.out(), expected);
        },
      ),
      { numRuns: 50 * Number(process.env["FUZZ"] ?? "1") },
    );
  });

  it("keeps standard output and standard error apart", async () => {
    const filter = filtered([secret], `echo 'out ${secret}' >&3; echo 'err ${secret}' >&4`);
    await filter.ended;
    assert.deepEqual([filter.out(), filter.err()], ["out [masked]\n", "err [masked]\n"]);
  });

  it("keeps up with far more than 10,000 lines a second", async () => {
    const line = `12:00:00.000 [info] |0123456789abcdef|kz_datamgr:123 (<0.1234.0>) {"some":"message"} of the usual length ... 1,\n`;
    const text = line.repeat(100_000);
    const started = process.hrtime.bigint();
    const out = await mask([secret, "a@b/c:d%e!f", "kazoo-cookie-kazoo-cookie", "guest"], text);
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    assert.equal(out.length, text.length);
    assert.ok(seconds < 10, `100,000 lines took ${seconds.toFixed(1)} s`);
  });
});

describe("a node and its log", () => {
  const secrets = {
    cookie: "Zq3vT8mK1xW5-cookie",
    RABBITMQ_PASS: "pass/word:of@broker",
    COUCHDB_PASS: "password-of-the-database",
  };

  /**
   * Runs `run_node` on a release whose Erlang is a shell script.
   * @param script what the node does; a call to it from outside, for example to stop it, creates the file `called`
   */
  function runNode(
    script: string,
    environment: Readonly<Record<string, string>> = {},
  ): Running & { readonly root: string } {
    const root = mkdtempSync(join(scratch, "node-"));
    for (const folder of ["erts-1/bin", "releases/1", "etc", "log"]) mkdirSync(join(root, folder), { recursive: true });
    for (const boot of ["kazoo", "start_clean"]) writeFileSync(join(root, `releases/1/${boot}.boot`), "");
    const erlexec = join(root, "erts-1/bin/erlexec");
    writeFileSync(
      erlexec,
      `#!/usr/bin/env bash\ncd ${root}\nif [[ " $* " == *" -hidden "* ]]; then echo "$*" >called; exit; fi\n${script}\n`,
    );
    chmodSync(erlexec, 0o755);
    const node = start(
      `set -euo pipefail
       here=${image}; for part in checks log node; do . "$here/lib/$part.sh"; done
       kazoo_root=${root} kazoo_etc=${root}/etc kazoo_log=${root}/log
       node=kazoo_apps@kazoo.local KAZOO_ZONE=here RABBITMQ_USER=kazoo COUCHDB_USER=couch
       ${Object.entries(secrets)
         .map(([name, value]) => `${name}='${value}'`)
         .join(" ")}
       run_node`,
      environment,
    );
    return { ...node, root };
  }

  /** The processes of a release's log, found by their command lines. */
  const processes = (root: string) =>
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
          return command.includes("mask.pl") && command.includes(`${root}/etc/stdout`) && command.startsWith("perl");
        } catch {
          return false;
        }
      })
      .map(Number);

  it("hides every secret that the entrypoint knows, and passes on the exit code", async () => {
    const { ended, out, err, root } = runNode(`
      echo "loaded settings : {cookie,'${secrets.cookie}'},{password,\\"${secrets.COUCHDB_PASS}\\"}"
      echo "amqp://kazoo:pass%2Fword%3Aof%40broker@mq:5672, Basic ${Buffer.from(`couch:${secrets.COUCHDB_PASS}`).toString("base64")}"
      echo "crashed: ${secrets.RABBITMQ_PASS}" >&2
      exit 7`);
    assert.deepEqual(await ended, { code: 7, signal: null });
    assert.equal(
      out(),
      [
        "Starting kazoo_apps@kazoo.local in zone here",
        `loaded settings : {cookie,'[masked]'},{password,"[masked]"}`,
        "amqp://kazoo:[masked]@mq:5672, Basic [masked]",
        "Stopped kazoo_apps@kazoo.local (exit code 7)\n",
      ].join("\n"),
    );
    assert.equal(err(), "crashed: [masked]\n");
    assert.deepEqual(readdirSync(join(root, "etc")), []);
  });

  it("loses nothing at the end, not even if a process keeps running", async () => {
    const { ended, out } = runNode("seq 1 50000; sleep 300 & echo $! >background; printf 'the last words'");
    assert.deepEqual(await ended, { code: 0, signal: null });
    const lines = out().split("\n");
    assert.equal(lines.length, 50_003);
    assert.match(lines[50_001]!, /^the last wordsStopped /);
    process.kill(
      Number(
        readFileSync(
          join(
            scratch,
            readdirSync(scratch).find((name) => existsSync(join(scratch, name, "background")))!,
            "background",
          ),
          "utf8",
        ),
      ),
    );
  });

  it("stops gracefully on SIGTERM, and the log with it", async () => {
    const { child, ended, out, root } = runNode(
      `echo started; until [[ -e called ]]; do sleep 0.05; done; echo "stopped in order"; exit 0`,
    );
    await until("the node to start", () => out().includes("started"));
    child.kill("SIGTERM");
    assert.deepEqual(await ended, { code: 0, signal: null });
    assert.match(out(), /started\n[^]*Stopping [^]*stopped in order\nStopped [^]*exit code 0/);
    assert.match(readFileSync(join(root, "called"), "utf8"), /init stop/);
  });

  it("survives the filter's death, and the filter is restarted", async () => {
    const { ended, out, err, root } = runNode(`
      echo "before ${secrets.cookie}"
      until [[ -e go ]]; do sleep 0.05; done
      for ((i = 0; i < 20000; i++)); do echo "line $i ${secrets.cookie}"; done`);
    await until("the first line", () => out().includes("before [masked]\n"));
    const [filter] = await until("the filter", () => {
      const found = processes(root);
      return found.length > 0 && found;
    });
    process.kill(filter!, "SIGKILL");
    await until("another filter", () => processes(root).some((pid) => pid !== filter));
    writeFileSync(join(root, "go"), "");
    assert.deepEqual(await ended, { code: 0, signal: null });
    assert.match(out(), /line 0 \[masked\]\n[^]*line 19999 \[masked\]\nStopped /);
    assert.match(err(), /The filter of the log has failed and is started again/);
    assert.ok(!out().includes(secrets.cookie));
    assert.deepEqual(processes(root), []);
  });

  it("stops gracefully even if the node leaves its output full and non-blocking, as Erlang does", async () => {
    const { ended, out, root } = runNode(`
      until [[ -e go ]]; do sleep 0.05; done
      perl -MFcntl -e 'fcntl STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK; 1 while syswrite STDOUT, "x" x 99; 1 while syswrite STDOUT, "x"'
      echo >full`);
    const [filter] = await until("the filter", () => {
      const found = processes(root);
      return found.length > 0 && found;
    });
    process.kill(filter!, "SIGSTOP");
    writeFileSync(join(root, "go"), "");
    await until("the pipe to be full", () => existsSync(join(root, "full")));
    // By then the shell prints its last lines, or is about to.
    await sleep(500);
    process.kill(filter!, "SIGCONT");
    assert.deepEqual(await ended, { code: 0, signal: null });
    assert.match(out(), /^Starting [^\n]*\nx{60000,}Stopped [^\n]*\n$/);
  });

  it("shows no secret in the process list or in the node's own cookie variable", async () => {
    const { ended, out } = runNode(
      `cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -a mask.pl; echo "cookie \${KAZOO_COOKIE-none}, apps \${KAZOO_APPS-none}"`,
      { KAZOO_COOKIE: secrets.cookie, KAZOO_APPS: "" },
    );
    await ended;
    assert.match(out(), /mask\.pl[^]*cookie none, apps none/);
    assert.doesNotMatch(out(), /\[masked\]/);
  });
});
