import assert from "node:assert/strict";
import { test } from "node:test";
import { firstNodeScript } from "../../components/firstNode";
import { type Answers, runScript } from "../support/script";

const start = (pod: string, answers: Answers) =>
  runScript({ script: firstNodeScript(8000), environment: { POD_NAME: pod }, answers });

test("a zone's first node waits for none", () => {
  const run = start("kazoo-0", {});
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(run.requests, []);
});

test("another continues once a node answers", () => {
  const run = start("kazoo-10", { "GET http://kazoo-nodes:8000/": 200 });
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(run.requests, ["GET http://kazoo-nodes:8000/"]);
  assert.equal(run.stdout.includes("waiting"), false);
});

test("if none answers, it starts anyway after fifteen minutes", () => {
  const run = start("kazoo-1", {});
  assert.equal(run.code, 0, run.stderr);
  assert.equal(run.requests.length, 181);
  assert.match(run.stdout, /waiting for a node[\s\S]*no node of this zone answers: starting all the same\n$/);
});
