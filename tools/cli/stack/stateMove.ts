import { datacenterTypes } from "../../../components/names";
import { type Deployed, parseUrn, stackType } from "../../report/digest";
import type { ExportedState } from "./backupFile";
import { deployedIn } from "./deployed";
import { type PulumiContext, askPulumi } from "../pulumi/pulumi";

/** A resource of a state, with what it refers to by URN. */
type Resource = Deployed & {
  readonly parent?: string;
  readonly deletedWith?: string;
  readonly propertyDependencies?: Readonly<Record<string, readonly string[] | null>>;
};

/**
 * Moves components and their children from one stack's state to another's; clusters are not touched. Pulumi saves the target first, so an
 * interruption can leave them in both states: the next run then removes them from the source.
 * @param components their URNs in the source
 */
export async function moveState(
  pulumi: PulumiContext,
  from: string,
  to: string,
  components: readonly string[],
): Promise<void> {
  const arrived = new Set((await deployedIn({ name: to, pulumi })).map(({ urn }) => urn));
  const isThere = (urn: string): boolean => arrived.has(urnIn(to, urn));
  const twice = components.filter(isThere);
  if (twice.length > 0) {
    const state = JSON.parse(await askPulumi(pulumi, ["stack", "export", "--stack", from])) as ExportedState;
    await askPulumi(pulumi, ["stack", "import", "--stack", from], JSON.stringify(withoutComponents(state, twice)));
  }
  const rest = components.filter((urn) => !isThere(urn));
  if (rest.length > 0) await askPulumi(pulumi, ["state", "move", "--yes", "--source", from, "--dest", to, ...rest]);
}

/** The URN that a resource has in another stack. */
const urnIn = (stack: string, urn: string): string => urn.replace(/^urn:pulumi:[^:]*/, `urn:pulumi:${stack}`);

/** A state with the URNs that its resources have in a stack of another name, as `pulumi stack rename` would write it. */
export function renamedState(state: ExportedState, from: string, to: string): ExportedState {
  if (from === to) return state;
  const renamed = (text: string): string => {
    if (!text.startsWith(`urn:pulumi:${from}::`)) return text;
    const urn = urnIn(to, text);
    // The stack itself is a resource with its name.
    return parseUrn(urn).type === stackType ? `${urn.slice(0, -from.length)}${to}` : urn;
  };
  return JSON.parse(JSON.stringify(state), (_, value: unknown) =>
    typeof value === "string" ? renamed(value) : value,
  ) as ExportedState;
}

/** URNs of these zones' datacenters in a state. */
export const datacentersOf = (resources: readonly Deployed[], zones: readonly string[]): string[] =>
  resources
    .filter(
      ({ urn, type }) => Object.values<string>(datacenterTypes).includes(type) && zones.includes(parseUrn(urn).name),
    )
    .map(({ urn }) => urn);

/** URNs of components and of all their descendants in a state. */
export function withChildren(resources: readonly Resource[], components: readonly string[]): Set<string> {
  const found = new Set(components);
  // A parent comes before its children.
  for (const { urn, parent } of resources) if (parent !== undefined && found.has(parent)) found.add(urn);
  return found;
}

/** A state without components and their descendants, and without dependencies on them. */
export function withoutComponents(state: ExportedState, components: readonly string[]): ExportedState {
  const resources = (state.deployment.resources ?? []) as readonly Resource[];
  const gone = withChildren(resources, components);
  const kept = (urns: readonly string[] | null = []): string[] => (urns ?? []).filter((urn) => !gone.has(urn));
  const stays = resources
    .filter(({ urn }) => !gone.has(urn))
    .map(({ deletedWith, dependencies, propertyDependencies, ...resource }) => ({
      ...resource,
      ...(deletedWith === undefined || gone.has(deletedWith) ? {} : { deletedWith }),
      ...(dependencies === undefined ? {} : { dependencies: kept(dependencies) }),
      ...(propertyDependencies === undefined
        ? {}
        : {
            propertyDependencies: Object.fromEntries(
              Object.entries(propertyDependencies).map(([property, urns]) => [property, kept(urns)]),
            ),
          }),
    }));
  return { ...state, deployment: { ...state.deployment, resources: stays } };
}

/** Allows Pulumi to delete resources. @returns how many of them were protected */
export async function unprotect(
  pulumi: PulumiContext,
  stack: string,
  urns: (resources: readonly Resource[]) => ReadonlySet<string>,
): Promise<number> {
  const resources = await deployedIn({ name: stack, pulumi });
  const meant = urns(resources);
  const kept = resources.filter(({ urn, protect }) => protect === true && meant.has(urn));
  for (const { urn } of kept) await askPulumi(pulumi, ["state", "unprotect", urn, "--stack", stack, "--yes"]);
  return kept.length;
}
