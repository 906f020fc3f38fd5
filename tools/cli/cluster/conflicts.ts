import { parseUrn } from "../../report/digest";
import type { EngineEvent, StepMetadata } from "../pulumi/eventLog";
import type { ObjectName } from "./kubernetes";
import { isSecretName, secret } from "../../../config/secrets";

/** A field that the program wants to set, but that someone else has set in the cluster. */
export interface Conflict {
  readonly urn: string;
  /** Kind, name and namespace of the object. */
  readonly object: string;
  /** Its path in the API server's notation, e.g. `.spec.replicas`. */
  readonly field: string;
  /** Who set it, e.g. `kubectl`. */
  readonly manager: string;
  /** The program's value; undefined if that is not known. */
  readonly wanted: unknown;
  /** Where the object is, to read the current value. */
  readonly place: ObjectName & { readonly cluster: string };
}

/** The fields over which an update failed. */
export function conflictsIn(events: readonly EngineEvent[]): Conflict[] {
  const steps = new Map<string, StepMetadata>();
  for (const { resourcePreEvent } of events) {
    if (resourcePreEvent !== undefined) steps.set(resourcePreEvent.metadata.urn, resourcePreEvent.metadata);
  }
  const found = events.flatMap(({ diagnosticEvent }) => {
    const { urn = "", message = "", severity } = diagnosticEvent ?? {};
    const step = steps.get(urn);
    if (severity !== "error" || step === undefined) return [];
    const inputs = step.new?.inputs ?? {};
    const { name = "", namespace = "" } = (inputs.metadata ?? {}) as { name?: string; namespace?: string };
    const { kind, apiVersion } = inputs as { kind: string; apiVersion: string };
    const cluster = parseUrn(step.provider?.replace(/::[^:]*$/, "") ?? "").name.replace(/^cluster-/, "");
    const object = `${kind} ${name}${namespace === "" ? "" : ` in namespace ${namespace}`}`;
    return fieldsIn(message).map(({ field, manager }): Conflict => {
      return {
        urn,
        object,
        field,
        manager,
        wanted: valueAt(inputs, field),
        place: { cluster, apiVersion, kind, name, namespace },
      };
    });
  });
  return [...new Map(found.map((conflict) => [JSON.stringify(conflict), conflict])).values()];
}

/** Fields with their managers, from the API server's message on a server-side apply. */
function fieldsIn(message: string): { field: string; manager: string }[] {
  const groups = message.matchAll(/conflicts? with "([^"]+)"[^:]*?(?:using [^\s:]+)?:((?:\s*(?:- )?\.\S+)+)/g);
  return [...groups].flatMap(([, manager = "", fields = ""]) =>
    [...fields.matchAll(/\.\S+/g)].map(([field]) => ({ field, manager })),
  );
}

/** The value at a field's path in an object: `.spec.template.spec.containers[name="kazoo"].image`. */
export function valueAt(object: unknown, field: string): unknown {
  const segments = field.matchAll(/\.([^.[\]]+)|\[((?:[^\]"]|"[^"]*")*)\]/g);
  return [...segments].reduce<unknown>((value, [, key, selector]) => {
    if (typeof value !== "object" || value === null) return undefined;
    if (key !== undefined) return (value as Record<string, unknown>)[key];
    const wanted = [...(selector ?? "").matchAll(/(\w+)=("[^"]*"|[^,]+)/g)];
    return (Array.isArray(value) ? (value as Record<string, unknown>[]) : []).find((item) =>
      wanted.every(([, name = "", text = ""]) => JSON.stringify(item[name]) === text),
    );
  }, object);
}

/** Whether a value must not be shown: it is of a Secret, or its field or variable has the name of a secret. */
const isHidden = ({ place, field }: Conflict): boolean =>
  place.kind === "Secret" || field.split(/[^\w-]+/).some(isSecretName);

/** A conflict as a line of text. `there` is the field's value in the cluster. */
export function conflictLine(conflict: Conflict, there: unknown): string {
  const { object, field, manager, wanted } = conflict;
  const shown = (value: unknown): string =>
    value === undefined ? "(not known)" : isHidden(conflict) ? secret : JSON.stringify(value);
  return `${object}: ${field} is ${shown(there)}, set by ${manager}; the program's value is ${shown(wanted)}`;
}
