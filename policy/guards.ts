import { databaseFormat, databaseKind } from "../config/compatibility";
import { datacenterTypes, guards, ringType } from "../components/names";
import { containersOf } from "./pods";
import { at, kindOf, later, namespaceOf, type Resource, text } from "./resource";
import { below, ringLabel } from "./ring";
import type { Finding, StackRule } from "./rule";
import { type Software, softwareOf } from "./software";

/**
 * Rules on changes. A policy pack sees a stack's new state, not the old one, so these rules demand the guards that make Pulumi refuse such
 * changes (components/guard.ts), and that the guards match what runs.
 */

export const noDowngrade: StackRule = {
  name: "no-downgrade",
  description:
    "Outside throw-away stacks, a ring has protected guards that make Pulumi refuse older versions of brokers and databases.",
  level: "mandatory",
  stack: (resources, { throwAway }) =>
    throwAway
      ? []
      : resources
          .filter(({ type }) => type === ringType)
          .flatMap((ring) => [
            ...guardOf(resources, ring, guards.format, stateOfDatabase),
            ...guardOf(resources, ring, guards.series, stateOfBroker),
          ]),
};

export const liveNames: StackRule = {
  name: "live-names",
  description: "Outside throw-away stacks, guards prevent changes of a datacenter's namespace, domain and ring.",
  level: "mandatory",
  stack: (resources, { throwAway }) =>
    throwAway
      ? []
      : resources
          .filter(({ type }) => type === datacenterTypes.kubernetes)
          .flatMap((datacenter) => {
            const missing = [guards.names, guards.ring].flatMap((guard) =>
              unguarded(datacenter, resources, `${datacenter.name}-${guard}`),
            );
            return [...missing, ...otherNames(datacenter, resources)];
          }),
};

/** The nodes of a datacenter whose names differ from the guard's. */
function otherNames(datacenter: Resource, resources: readonly Resource[]): Finding[] {
  const guard = resources.find((resource) => isGuard(resource, `${datacenter.name}-${guards.names}`));
  const suffix = at(guard?.props, "keepers", "suffix");
  if (typeof suffix !== "string" || suffix === later) return [];
  return resources.filter(below(resources, datacenter)).flatMap((resource) => {
    const flags = containersOf(resource).map(({ environment }) => text(environment.ERL_FLAGS));
    const named = flags.filter((flag) => /-name \S+/.test(flag));
    return named.every((flag) => flag.includes(`@$(POD_NAME).${suffix} `))
      ? []
      : [{ urn: resource.urn, message: `its nodes are not named …${suffix}, as guard ${guard?.name} has it` }];
  });
}

/** What is wrong with a ring's guard of a format or series, the last part of the guard's name. */
function guardOf(
  resources: readonly Resource[],
  ring: Resource,
  guard: string,
  stateOf: (software: Software) => string | undefined,
): Finding[] {
  const prefix = `${ring.name}-${guard}-`;
  const own = resources.filter((resource) => isGuard(resource, prefix, true));
  if (own.length === 0) return unguarded(ring, resources, `${prefix}*`);
  const namespaces = new Set(
    resources
      .filter(({ props }) => at(props, "metadata", "labels", ringLabel) === ring.name.replace(/^ring-/, ""))
      .map(({ props }) => at(props, "metadata", "name")),
  );
  const states = own.map(({ name }) => name.slice(prefix.length));
  const others = resources
    .filter((resource) => kindOf(resource) === "StatefulSet" && namespaces.has(namespaceOf(resource)))
    .flatMap((resource) =>
      softwareOf(resource)
        .map(stateOf)
        .filter((state) => state !== undefined && !states.includes(state))
        .map((state) => ({
          urn: resource.urn,
          message: `its image is ${state}, but guard ${own[0]?.name} has ${states.join(", ")}; expected the same`,
        })),
    );
  return [...own.flatMap(({ name }) => unguarded(ring, resources, name)), ...others];
}

function unguarded(component: Resource, resources: readonly Resource[], name: string): Finding[] {
  const guard = resources.find((resource) => isGuard(resource, name));
  if (guard === undefined)
    return [{ urn: component.urn, message: `no guard ${name}; expected a protected random id of that name` }];
  return guard.protect
    ? []
    : [
        {
          urn: guard.urn,
          message: `guard ${name} is not protected, so it refuses nothing; expected protect: true`,
        },
      ];
}

const isGuard = ({ type, name }: Resource, wanted: string, prefix = false): boolean =>
  type === "random:index/randomId:RandomId" && (prefix ? name.startsWith(wanted) : name === wanted);

function stateOfDatabase({ program, version }: Software): string | undefined {
  const kind = program === "database" ? databaseKind(version) : undefined;
  return kind === undefined ? undefined : databaseFormat(kind).state;
}

const stateOfBroker = ({ program, version }: Software): string | undefined =>
  program === "rabbitmq" ? version : undefined;
