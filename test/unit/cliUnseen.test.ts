import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type Server, createServer } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { stringify } from "yaml";
import { readKubeconfig } from "../../config/kubeconfig";
import { allUnseen, unseenClusters, unseenError } from "../../tools/cli/cluster/unseen";
import { exitCodeOf, reportOf } from "../../tools/report/model";
import { markdownOf, terminalText } from "../../tools/report/render";
import { colours } from "../../tools/shared/terminal";
import { deployWithMocks, platformFrom } from "../support/mocks";

let directory: string;
let server: Server;
let silent: Server;
const variable = process.env.KUBECONFIG;
before(async () => {
  directory = mkdtempSync(join(tmpdir(), "kazoo-unseen-"));
  server = createServer((_, answer) => answer.end("{}")).listen(0, "127.0.0.1");
  silent = createServer(() => undefined).listen(0, "127.0.0.1");
  await Promise.all([once(server, "listening"), once(silent, "listening")]);
});
after(() => {
  if (variable === undefined) delete process.env.KUBECONFIG;
  else process.env.KUBECONFIG = variable;
  server.close();
  silent.closeAllConnections();
  silent.close();
  rmSync(directory, { recursive: true });
});

const addressOf = (of: Server) => `http://127.0.0.1:${(of.address() as AddressInfo).port}`;

/** Writes a kubeconfig with a context for each server, and returns its path. */
function kubeconfig(
  file: string,
  servers: Readonly<Record<string, string>>,
  user: object = {},
  authority?: Buffer,
): string {
  const path = join(directory, file);
  const names = Object.keys(servers);
  const trust = authority === undefined ? {} : { "certificate-authority-data": authority.toString("base64") };
  writeFileSync(
    path,
    stringify({
      clusters: names.map((name) => ({ name, cluster: { server: servers[name], ...trust } })),
      users: names.map((name) => ({ name, user })),
      contexts: names.map((name) => ({ name, context: { cluster: name, user: name } })),
    }),
  );
  return path;
}

/** A self-signed certificate for 127.0.0.1, valid between two times such as 20900101000000Z. */
function certificateFrom(start: string, end: string): { readonly key: Buffer; readonly cert: Buffer } {
  const config =
    "[ca]\ndefault_ca=a\n[a]\ndatabase=index\nrand_serial=yes\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\n[p]\n[req]\ndistinguished_name=p\n";
  writeFileSync(join(directory, "openssl.cnf"), config);
  writeFileSync(join(directory, "index"), "");
  const openssl = (line: string) =>
    execFileSync("openssl", [...line.split(" "), "-config", "openssl.cnf"], { cwd: directory, stdio: "ignore" });
  openssl(
    "req -new -newkey rsa:2048 -nodes -keyout key -out request -subj /CN=early -addext subjectAltName=IP:127.0.0.1",
  );
  openssl(
    `ca -batch -notext -selfsign -keyfile key -in request -out cert -outdir . -startdate ${start} -enddate ${end}`,
  );
  return { key: readFileSync(join(directory, "key")), cert: readFileSync(join(directory, "cert")) };
}

const platform = platformFrom({
  image: { prebuilt: "registry.example.com/kazoo:4.3" },
  clusters: { east: { context: "east" }, west: { context: "west" } },
  regions: {
    "us-east": { cluster: "east", datacenters: { nyc: {}, bos: {} } },
    "us-west": { cluster: "west", datacenters: { sfo: {} } },
  },
});

describe("clusters that do not answer", () => {
  test("none, if all answer", async () => {
    process.env.KUBECONFIG = kubeconfig("good", { east: addressOf(server), west: addressOf(server) });
    assert.deepEqual(await unseenClusters(platform), []);
  });

  test("are listed with their zones, the reason that status gives, and what to do: no such context, nobody listens", async () => {
    process.env.KUBECONFIG = kubeconfig("bad", { east: "http://127.0.0.1:9" });
    const unseen = await unseenClusters(platform);
    assert.deepEqual(
      unseen.map(({ cluster, zones }) => [cluster, zones]),
      [
        ["east", ["us-east-bos", "us-east-nyc"]],
        ["west", ["us-west-sfo"]],
      ],
    );
    assert.match(unseen[0]?.problem ?? "", /^context east does not answer: .*ECONNREFUSED/);
    assert.match(
      unseen[1]?.problem ?? "",
      /^kazoo:clusters\.west\.context: found "west", which is not in your kubeconfig$/,
    );
    assert.equal(unseen[1]?.next, "use one of its contexts: east");
    assert.equal(allUnseen(platform, unseen), true);
    assert.match(
      unseenError(unseen).message,
      /^us-east-bos, us-east-nyc: context east .*\nus-west-sfo: kazoo:clusters/,
    );
  });

  test("include those whose credentials command is missing or fails", async () => {
    const servers = { east: "https://127.0.0.1:9", west: "https://127.0.0.1:9" };
    const exec = (command: string, ...args: string[]) => ({
      exec: { apiVersion: "client.authentication.k8s.io/v1", command, args, interactiveMode: "Never" },
    });
    process.env.KUBECONFIG = kubeconfig("exec", servers, exec("kazoo-no-such-plugin"));
    const [missing] = await unseenClusters(platform);
    assert.match(missing?.problem ?? "", /^context east does not answer: .*kazoo-no-such-plugin/);
    process.env.KUBECONFIG = kubeconfig("failing", servers, exec("sh", "-c", "echo not logged in >&2; exit 3"));
    const [failing] = await unseenClusters(platform);
    assert.match(failing?.problem ?? "", /^context east does not answer: not logged in/);
  });

  test("include one whose certificate is not valid yet: the message mentions the clock", async () => {
    const { key, cert } = certificateFrom("20900101000000Z", "20910101000000Z");
    const early = https.createServer({ key, cert }, (_, answer) => answer.end("{}")).listen(0, "127.0.0.1");
    try {
      await once(early, "listening");
      const address = `https://127.0.0.1:${(early.address() as AddressInfo).port}`;
      process.env.KUBECONFIG = kubeconfig("early", { east: address, west: addressOf(server) }, {}, cert);
      const [unseen] = await unseenClusters(platform);
      assert.equal(unseen?.problem, "context east does not answer: certificate is not yet valid");
      assert.match(unseen.next, /^check this machine's clock/);
    } finally {
      early.close();
    }
  });

  test("include one that accepts a connection and never answers", async () => {
    process.env.KUBECONFIG = kubeconfig("silent", { east: addressOf(silent), west: addressOf(server) });
    const unseen = await unseenClusters(platform, 200);
    assert.deepEqual(
      unseen.map(({ problem }) => problem),
      ["context east does not answer: no answer within 0.2 s"],
    );
    assert.equal(allUnseen(platform, unseen), false);
  });
});

test("a report says which part it could not check, and does not report success", async () => {
  const unseen = [
    { cluster: "east", zones: ["us-east-bos", "us-east-nyc"], problem: "context east is away", next: "mend it" },
  ];
  const empty = { steps: [], diagnostics: [] };
  const drift = reportOf({ stack: "prod", platform, preview: empty, refresh: empty, unseen });
  assert.equal(exitCodeOf(drift), 1);
  assert.match(
    terminalText(drift, colours),
    /^Cluster east did not answer, so 2 datacenters could not be seen; for the others: Nothing was changed by hand\.\n/,
  );
  assert.match(
    markdownOf(drift),
    /### Not seen\n\n- \*\*cluster east\*\* \(us-east-bos, us-east-nyc\): `context east is away`; mend it/,
  );
  const both = [...unseen, { cluster: "west", zones: ["us-west-sfo"], problem: "also away", next: "mend it" }];
  const blind = terminalText(reportOf({ stack: "prod", platform, preview: empty, unseen: both }), colours);
  assert.match(blind, /^Clusters east, west did not answer, so 3 datacenters .*; the changes are unknown\.\n/);
});

test("$KUBECONFIG is read as kubectl reads it: missing files are skipped, and the first of equal names wins", async () => {
  const client = await import("@kubernetes/client-node");
  const one = kubeconfig("one", { east: "https://one.example.com" });
  const two = kubeconfig("two", { east: "https://two.example.com", west: "https://west.example.com" });
  process.env.KUBECONFIG = ["", join(directory, "none"), one, two, one].join(delimiter);
  const config = readKubeconfig(client);
  assert.deepEqual(
    config.getClusters().map(({ name, server: url }) => [name, url]),
    [
      ["east", "https://one.example.com"],
      ["west", "https://west.example.com"],
    ],
  );
  assert.throws(() => readKubeconfig(client, join(directory, "none")), /ENOENT/);
});

test("no path of $KUBECONFIG gets into the state", async () => {
  process.env.KUBECONFIG = "/somebody/elses/config";
  const { resources } = await deployWithMocks(platform);
  const providers = resources.filter(({ type }) => type === "pulumi:providers:kubernetes");
  assert.deepEqual(
    providers.map(({ inputs }) => [inputs.context, inputs.kubeconfig]),
    [
      ["east", undefined],
      ["west", undefined],
    ],
  );
  assert.equal(process.env.KUBECONFIG, "/somebody/elses/config");
});
