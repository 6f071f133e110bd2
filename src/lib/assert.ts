/** A broken invariant: a bug or a corrupted disk, never a user's mistake. It halts the node. */
export class InvariantError extends Error {
  readonly details: Readonly<Record<string, unknown>>;

  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    const facts = Object.entries(details).map(([name, value]) => `${name}=${String(value)}`);
    super(facts.length === 0 ? message : `${message} (${facts.join(", ")})`);
    this.name = "InvariantError";
    this.details = details;
  }
}

/** Halts when `condition` does not hold; `details` name the key and both amounts. */
export function assert(
  condition: boolean,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): asserts condition {
  if (!condition) throw new InvariantError(message, details);
}

/** Narrows away `undefined` where the program knows that the value exists. */
export function must<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new InvariantError(message);
  return value;
}
