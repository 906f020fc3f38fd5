import type { Finding } from "../doctor/checks/finding";
import { type Examination, examine, stateFindings } from "../doctor/examine";
import { healthOf } from "../cluster/health";
import { deployedIn, knownObjects } from "../stack/deployed";
import { zonesOf } from "../cluster/nodes";
import { openStack } from "../stack/openStack";
import { UserError, colours, reportToStderr } from "../../shared/terminal";
import { endWith, unaskedLines } from "./status";

/** Examines a stack from inside its pods. The exit code is 0 without findings, otherwise 1. */
export async function doctor({ stack: name, json }: { readonly stack: string; readonly json: boolean }) {
  const stack = await openStack(name, reportToStderr);
  const all = await zonesOf(stack);
  const zones = all.filter(({ cluster }) => cluster.kind !== "docker");
  if (zones.length === 0)
    throw new UserError(
      `doctor is for Kubernetes, and stack ${name} is on Docker`,
      `make status STACK=${name} shows what runs, make logs STACK=${name} what it says`,
    );
  const known = knownObjects(await deployedIn(stack));
  reportToStderr(`examining ${zones.map((zone) => zone.name).join(", ")}; a pod that does not answer takes a minute`);
  const [health, examination] = await Promise.all([healthOf(zones, known), examine(stack.platform, zones, "doctor")]);
  const findings = [...stateFindings(health, "doctor"), ...examination.findings].sort(byKind);
  const result = { ...examination, findings };
  const text = json ? `${JSON.stringify({ stack: name, ...result }, null, 2)}\n` : examinationText(name, result);
  return endWith(text, findings.length === 0 ? 0 : 1);
}

/** Errors first. */
const byKind = (a: Finding, b: Finding): number => a.kind.localeCompare(b.kind);

/** An examination for people. */
export function examinationText(stack: string, { findings, unasked, simulated }: Examination): string {
  const errors = findings.filter(({ kind }) => kind === "error").length;
  return [
    ...findings.flatMap(({ kind, where, what, why, fix }) => [
      `${(kind === "error" ? colours.red : colours.yellow)(`${kind}:`)} ${colours.bold(where)}: ${what}`,
      `  why: ${why}`,
      `  ${colours.cyan("fix:")} ${fix}`,
      "",
    ]),
    ...(simulated
      ? ["The pods are simulated, so only the cluster was examined: no names, ports, credentials, clocks and volumes."]
      : []),
    ...unaskedLines(unasked, 20),
    findings.length === 0
      ? `${colours.green(stack)}: nothing is wrong`
      : `${colours.red(stack)}: ${errors} of ${findings.length} findings are errors`,
    "",
  ].join("\n");
}
