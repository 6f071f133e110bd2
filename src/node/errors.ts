/**
 * A node home, file or setting that cannot be used: the operator's to mend. The message says what
 * was found and what to do; `facts` hold the path, port, pid or key it is about.
 */
export class NodeStartError extends Error {
  readonly facts: Readonly<Record<string, string | number>>;

  constructor(message: string, facts: Readonly<Record<string, string | number>> = {}) {
    super(message);
    this.name = "NodeStartError";
    this.facts = facts;
  }
}

/** A tx that the mempool does not take. The texts are those of CometBFT: clients match them. */
export class MempoolError extends Error {
  readonly kind: "in-cache" | "full" | "too-large" | "gas" | "halted";

  constructor(kind: MempoolError["kind"], message: string) {
    super(message);
    this.name = "MempoolError";
    this.kind = kind;
  }
}

/** A query text that does not parse. `offset` counts characters from 0. */
export class QueryLanguageError extends Error {
  readonly offset: number;

  constructor(problem: string, offset: number) {
    super(`${problem} at offset ${offset}`);
    this.name = "QueryLanguageError";
    this.offset = offset;
  }
}

/** A request to the dev controls that cannot be done. */
export class DevControlsError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DevControlsError";
  }
}

/** Stored data of this node that cannot be read back: a bug or a damaged disk. */
export class StoredDataError extends Error {
  constructor(what: string, options?: ErrorOptions) {
    const remedy = "the database is damaged; restore a snapshot or replay";
    super(`stored ${what} cannot be read: ${remedy}`, options);
    this.name = "StoredDataError";
  }
}

/** The node has halted; `cause` is what halted it. */
export class HaltedError extends Error {
  constructor(cause: Error) {
    super(`the node has halted: ${cause.message}`, { cause });
    this.name = "HaltedError";
  }
}
