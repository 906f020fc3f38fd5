import * as pulumi from "@pulumi/pulumi";

/** Whether the stack's own config makes it throw-away: it is unprotected, and only on sandboxes or Docker. */
export function isThrowAway(config = new pulumi.Config("kazoo")): boolean {
  const clusters = Object.values(
    config.getObject<Record<string, { sandbox?: boolean; docker?: unknown }>>("clusters") ?? {},
  );
  return (
    config.getBoolean("protect") === false &&
    clusters.length > 0 &&
    clusters.every(({ sandbox, docker }) => sandbox === true || docker !== undefined)
  );
}
