/** A log that cannot be replayed as it is. */
export class ReplayError extends Error {
  readonly code: "log_damaged" | "log_unknown" | "blocks_missing";

  constructor(code: ReplayError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ReplayError";
    this.code = code;
  }
}
