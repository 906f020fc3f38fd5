import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { platformOfFile } from "../../config/stackFile";
import { testPrograms } from "../programs";
import { ignored } from "../support/kubeScoreIgnored";
import { deployWithMocks } from "../support/mocks";

/** kube-score's result for an object. Grades are 1 (critical), 5 (warning), 7 and 10 (fine). */
interface Scored {
  readonly type_meta: { readonly kind: string };
  readonly object_meta: { readonly name?: string };
  readonly checks: readonly {
    readonly check: { readonly id: string };
    readonly grade: number;
    readonly skipped: boolean;
    readonly comments: readonly { readonly path: string; readonly summary: string }[] | null;
  }[];
}

describe("kube-score finds nothing except what is ignored with a reason", async () => {
  let program = "";
  before(async () => {
    program = (await testPrograms(["kube-score"], () => undefined))("kube-score");
  });
  const used = new Set<object>();

  for (const file of ["Pulumi.rehearsal.yaml", "examples/twoRegions.yaml", "examples/takeOver.yaml"]) {
    test(`in ${file}`, async () => {
      const { resources } = await deployWithMocks(platformOfFile(join(__dirname, "../..", file)));
      const objects = resources.filter(({ type }) => type.startsWith("kubernetes:")).map(({ inputs }) => inputs);
      const { stdout, stderr } = spawnSync(
        program,
        ["score", "--output-format", "json", "--kubernetes-version", "v1.34", "-"],
        { input: objects.map(text).join("\n---\n"), maxBuffer: 64 * 1024 * 1024 },
      );
      assert.notEqual(stdout.length, 0, stderr.toString());
      const scored = JSON.parse(stdout.toString()) as Scored[];
      assert.ok(scored.length >= objects.length / 2, `${scored.length} of ${objects.length} objects were read`);
      const found = scored.flatMap(findings).filter((finding) => {
        const reason = ignored.find((one) => isIgnored(one, finding));
        if (reason !== undefined) used.add(reason);
        return reason === undefined;
      });
      assert.deepEqual(found, []);
    });
  }

  test("and each ignored finding still occurs somewhere", () => {
    assert.deepEqual(
      ignored.filter((one) => !used.has(one)),
      [],
    );
  });
});

/** The mocks' digests are not valid, and kube-score would report a missing tag. */
const text = (object: object): string =>
  JSON.stringify(object).replace(/@sha256:digest-of-[^"]+/g, `@sha256:${"0".repeat(64)}`);

interface Finding {
  readonly check: string;
  readonly kind: string;
  readonly name: string;
  readonly summary: string;
}

const findings = ({ type_meta: { kind }, object_meta: { name = "" }, checks }: Scored): Finding[] =>
  checks
    .filter(({ grade, skipped }) => grade < 10 && !skipped)
    .flatMap(({ check, comments }) =>
      (comments ?? []).map(({ summary }) => ({ check: check.id, kind, name, summary })),
    );

const isIgnored = (one: (typeof ignored)[number], { check, name, summary }: Finding): boolean =>
  one.check === check && one.objects.test(name) && one.finding.test(summary);
