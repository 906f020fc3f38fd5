/** What an HTTP request is answered with. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A document of a node. */
export type NodeDocument = Readonly<Record<string, unknown>> & { readonly _rev?: string };

export class NodeList {
  constructor(own?: string);
  members(): string[];
  get(id: string, options?: { readonly conflicts?: boolean }): Answer;
  put(id: string, document: NodeDocument): Answer;
  delete(id: string, rev: string | undefined): Answer;
  replicateTo(other: NodeList): void;
  toJSON(): unknown;
  static fromJSON(documents: unknown): NodeList;
}

export class Gate {
  constructor(options: { readonly admins: Readonly<Record<string, string>>; readonly locksOut: boolean });
  who(address: string, authorization: string | undefined): "admin" | "stranger" | Answer;
}

/** A database's `_security`. */
export interface Security {
  readonly members?: { readonly names?: readonly string[]; readonly roles?: readonly string[] };
  readonly admins?: { readonly names?: readonly string[]; readonly roles?: readonly string[] };
}

export const adminOnly: Security;
export const emptyRevision: string;
export function newSecurity(setting?: string): Security;
export function isOpen(security: Security): boolean;
