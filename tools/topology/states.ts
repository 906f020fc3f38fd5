/** The states of a node, the worst last. `rolling`: it is being replaced, or will be; `away`: it does not exist or is not running. */
export const states = ["ready", "rolling", "starting", "away", "unknown"] as const;
export type State = (typeof states)[number];

/** The state of a node. */
export interface NodeState {
  readonly state: State;
  readonly waitsFor?: string;
  readonly image?: string;
  readonly restarts?: number;
}

/** The state of a zone. */
export interface ZoneState {
  /** By the names of its pods or containers. */
  readonly nodes?: Readonly<Record<string, NodeState>>;
  /** Why the state is unknown. */
  readonly problem?: string;
}
