import type * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

/**
 * A guard resource: refuses changes that would lose data. It is a random id with `values` as keepers. A changed value would replace the id, and
 * the engine refuses to replace a protected resource before it changes anything else. Without `protect`, the change is allowed.
 * @param name logical name, which appears in the refusal, so it says what must not change: `us-east-nyc-database-names`
 * @param values what must not change
 */
export function refuseChange(
  name: string,
  values: Readonly<Record<string, pulumi.Input<string>>>,
  opts: pulumi.CustomResourceOptions & { readonly protect: boolean },
): random.RandomId {
  return new random.RandomId(name, { byteLength: 4, keepers: { ...values } }, opts);
}

/**
 * Refuses to remove something that a protected stack once had, while more may be added: the guard is a random id for each, and the engine
 * refuses to delete one that is protected. A preview shows the refusal.
 * @param names logical names; the refusal shows the one that is missing: `us-east-nyc-database-node-2`
 */
export function refuseLoss(
  names: readonly string[],
  opts: pulumi.CustomResourceOptions & { readonly protect: boolean },
): void {
  for (const name of names) new random.RandomId(name, { byteLength: 4 }, opts);
}

/**
 * Refuses changes from one state to another, except the allowed ones: the guard is a random id with the state in its name. It takes over
 * the id of a state from which the change is allowed; any other id would be deleted, which the engine refuses if it is protected.
 * @param name logical name without the state; the refusal shows `NAME-STATE` of the state that cannot be left
 * @param from the states from which a step to `state` is allowed
 */
export function refuseSteps(
  { name, state, from }: { readonly name: string; readonly state: string; readonly from: readonly string[] },
  opts: pulumi.CustomResourceOptions & { readonly protect: boolean },
): void {
  const aliases = from.map((earlier) => ({ name: `${name}-${earlier}` }));
  new random.RandomId(`${name}-${state}`, { byteLength: 4 }, { ...opts, aliases });
}
