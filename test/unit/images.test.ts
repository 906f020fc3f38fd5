import assert from "node:assert/strict";
import { test } from "node:test";
import { mirrored } from "../../config/images";
import type { Platform } from "../../config/platform";
import { platformFrom } from "../support/mocks";

const stack = (config: Record<string, unknown>): Platform =>
  platformFrom({
    clusters: { local: { sandbox: true } },
    regions: { local: { cluster: "local", datacenters: { dev: {} } } },
    ...config,
  });

test("a mirror has the images of Docker Hub under their full names there, and no others", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const names = {
    "rabbitmq:3.9-management": "registry.example.com/mirror/library/rabbitmq:3.9-management",
    "docker.io/library/rabbitmq:3.9": "registry.example.com/mirror/library/rabbitmq:3.9",
    "docker.io/rabbitmq:3.9": "registry.example.com/mirror/library/rabbitmq:3.9",
    "index.docker.io/curlimages/curl": "registry.example.com/mirror/curlimages/curl",
    [`curlimages/curl:8.11.1@${digest}`]: `registry.example.com/mirror/curlimages/curl:8.11.1@${digest}`,
    "quay.io/curl/curl:8.11.1": "quay.io/curl/curl:8.11.1",
    "localhost/curl": "localhost/curl",
    "registry:5000/curl": "registry:5000/curl",
  };
  for (const [name, expected] of Object.entries(names)) {
    assert.equal(mirrored(name, "registry.example.com/mirror"), expected);
    assert.equal(mirrored(name, undefined), name);
  }
});

test("a stack's images come from the mirror, but not a Kazoo image that it names", () => {
  const imageMirror = "localhost:5000/hub";
  const { rings, image } = stack({ imageMirror, images: { curl: "quay.io/curl/curl:8.11.1" } });
  assert.deepEqual(rings["local-dev"]?.images, {
    rabbitmq: "localhost:5000/hub/library/rabbitmq:3.13-management",
    database: "localhost:5000/hub/library/couchdb:2.3.1",
    curl: "quay.io/curl/curl:8.11.1",
  });
  assert.deepEqual(image, { kind: "prebuilt", reference: "localhost:5000/hub/callforamerica/kazoo:4" });
  assert.deepEqual(stack({ imageMirror, image: { prebuilt: "example/kazoo:4.3" } }).image, {
    kind: "prebuilt",
    reference: "example/kazoo:4.3",
  });
});
