/**
 * The torture itself could not be done: bad settings, a node that does not come back, a file that
 * cannot be read. It says nothing about the daemon. `code` is stable text that programs can match.
 */
export class TortureError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "TortureError";
    this.code = code;
  }
}
