import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./commands";
import type { Engine } from "./engine";
import { ensureImage } from "./images";
import { nodeImage } from "./nodeImage";

const tag = "kazoo-test/couchdb:2.3.1";
const source = join(__dirname, "couchdb");
const parts = ["package.json", "package-lock.json", "server.js", "rules.js"];

/**
 * The database's double: speaks CouchDB's HTTP on 5984 and 5986, reads COUCHDB_USER, COUCHDB_PASSWORD and NODENAME, keeps
 * its data in /opt/couchdb/data, writes where the official image writes, runs as uid and gid 5984, and has curl. Beside it runs an Erlang
 * node with ERL_FLAGS, where they are set: the name, the cookie and the ports that CouchDB's own would have. The image's vm.args has a cookie
 * that every such image has, as a build of CouchDB 2.3.1 from its sources does.
 * @returns its tag
 */
export async function couchdbImage(engine: Engine): Promise<string> {
  return await ensureImage(engine, {
    tag,
    dockerfile: `FROM ${await nodeImage(engine)}
RUN apt-get update && apt-get install -y --no-install-recommends curl dumb-init erlang-base && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 5984 couchdb && useradd --uid 5984 --gid 5984 --home-dir /opt/couchdb couchdb \\
 && mkdir -p /opt/couchdb/data /opt/couchdb/etc/default.d /opt/couchdb/etc/local.d \\
 && echo '-setcookie monster' > /opt/couchdb/etc/vm.args && echo 'Of the image.' > /opt/couchdb/etc/local.d/README && chown -R couchdb:couchdb /opt/couchdb
COPY folder/ /opt/couchdb-double/
COPY start /usr/local/bin/couchdb-start
USER 5984:5984
VOLUME ["/opt/couchdb/data"]
EXPOSE 5984 5986
HEALTHCHECK --interval=2s --timeout=3s --start-period=60s CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:5984/_up"]
CMD ["dumb-init", "couchdb-start"]
`,
    files: { start },
    folder: {
      make: install,
      key: parts
        .map((name) =>
          createHash("sha256")
            .update(readFileSync(join(source, name)))
            .digest("hex"),
        )
        .join(),
    },
  });
}

/** What the official image's entrypoint writes before it starts the database. */
const start = `#!/bin/sh
set -eu
cd /opt/couchdb/etc/local.d
touch docker.ini
if [ -n "\${COUCHDB_USER-}" ] && [ -n "\${COUCHDB_PASSWORD-}" ] && ! cat *.ini | grep -q "^$COUCHDB_USER = "; then
  printf '\\n[admins]\\n%s = %s\\n' "$COUCHDB_USER" "$COUCHDB_PASSWORD" >> docker.ini
fi
if [ -n "\${ERL_FLAGS-}" ]; then erl +S 1 -noinput -args_file /opt/couchdb/etc/vm.args & fi
exec node /opt/couchdb-double/server.js
`;

/** Installs on this machine, whose npm is set up for its registry; the packages' binaries come ready-made in them. */
async function install(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "kazoo-couchdb-"));
  for (const name of parts) cpSync(join(source, name), join(folder, name));
  await run("npm", ["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"], { cwd: folder });
  return folder;
}
