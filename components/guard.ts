import type * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

/**
 * Refuses changes that would lose data. The guard is a random id that keeps `values`: another value would replace the id, and the engine
 * refuses to replace a resource that is protected, before anything else of the update happens. Without `protect` the change goes through.
 * @param name logical name; the refusal shows it, so it says what may not change: `us-east-nyc-database-names`
 * @param values what may not change
 */
export function refuseChange(
  name: string,
  values: Readonly<Record<string, pulumi.Input<string>>>,
  opts: pulumi.CustomResourceOptions & { readonly protect: boolean },
): random.RandomId {
  return new random.RandomId(name, { byteLength: 4, keepers: { ...values } }, opts);
}
