import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { engineHosts, requireEngines } from "../../tools/cli/docker/dockerEngines";
import { readPlatform } from "../../tools/cli/stack/openStack";
import type { UserError } from "../../tools/shared/terminal";

test("Docker Engines that are not running are named once, before Pulumi reports each resource; running ones are not", async (t) => {
  assert.deepEqual(engineHosts(readPlatform("docker")), ["unix:///var/run/docker.sock"]);
  const folder = mkdtempSync(join(tmpdir(), "kazoo-engine-"));
  const path = join(folder, "docker.sock");
  const engine = createServer().listen(path);
  await new Promise((done) => engine.once("listening", done));
  t.after(() => {
    engine.close();
    rmSync(folder, { recursive: true });
  });

  await requireEngines([`unix://${path}`, "ssh://ci@docker.example.com"]);
  await assert.rejects(
    requireEngines([`unix://${path}`, "unix:///nowhere/docker.sock", "tcp://127.0.0.1:9"]),
    ({ message, next }: UserError) => {
      assert.match(
        message,
        /^Docker at unix:\/\/\/nowhere\/docker\.sock does not answer: .*ENOENT.*\nDocker at tcp:\/\/127\.0\.0\.1:9 does not answer: .*ECONNREFUSED/,
      );
      assert.match(next ?? "", /start the engine/);
      return true;
    },
  );
});
