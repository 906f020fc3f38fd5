import assert from "node:assert/strict";
import { test } from "node:test";
import { renamedState, withoutComponents } from "../../tools/cli/stack/stateMove";

const urn = (name: string): string => `urn:pulumi:prod::kazoo::x::${name}`;

test("a component leaves a state with all that is below it, and nothing refers to it any more", () => {
  const resource = (name: string, more: object) => ({ urn: urn(name), type: "x", ...more });
  const root = resource("root", {});
  const state = {
    version: 3,
    deployment: {
      secrets_providers: { type: "passphrase" },
      resources: [
        root,
        resource("east", { parent: urn("root") }),
        resource("west", { parent: urn("root") }),
        resource("east-part", { parent: urn("east") }),
        resource("east-object", { parent: urn("east-part") }),
        resource("west-object", {
          parent: urn("west"),
          dependencies: [urn("east-object"), urn("root")],
          propertyDependencies: { spec: [urn("east-part")], data: null },
          deletedWith: urn("east"),
        }),
      ],
    },
  };
  assert.deepEqual(withoutComponents(state, [urn("east")]), {
    version: 3,
    deployment: {
      secrets_providers: { type: "passphrase" },
      resources: [
        root,
        resource("west", { parent: urn("root") }),
        resource("west-object", {
          parent: urn("west"),
          dependencies: [urn("root")],
          propertyDependencies: { spec: [], data: [] },
        }),
      ],
    },
  });
});

test("a state is renamed wherever it names the stack in a URN, and nowhere else", () => {
  const stateOf = (stack: string) => ({
    version: 3,
    deployment: {
      resources: [
        { urn: `urn:pulumi:${stack}::kazoo::pulumi:pulumi:Stack::kazoo-${stack}`, outputs: { zone: "eu::eu" } },
        {
          urn: `urn:pulumi:${stack}::kazoo::a:b:C$kubernetes:core/v1:Namespace::eu-west`,
          parent: `urn:pulumi:${stack}::kazoo::pulumi:pulumi:Stack::kazoo-${stack}`,
          provider: `urn:pulumi:${stack}::kazoo::pulumi:providers:kubernetes::cluster-eu::0a1b`,
          propertyDependencies: { metadata: [`urn:pulumi:${stack}::kazoo::a:b:C::eu`], spec: null },
          inputs: { metadata: { labels: { "kazoo/stack": "eu" } } },
        },
        { urn: "urn:pulumi:eu-2::kazoo::a:b:C::eu" },
      ],
    },
  });
  assert.deepEqual(renamedState(stateOf("eu"), "eu", "europe"), stateOf("europe"));
});
