/**
 * A mistake in what the daemon was given: a file, prices, options, keys. `code` is stable text that
 * programs can match; the message says where and what to do.
 */
export class ProviderError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "ProviderError";
    this.code = code;
  }
}

/** Whether a disk did not do what it was asked: it may later, and nothing is known to be wrong. */
export function isOfDisk(error: unknown): error is ProviderError {
  return error instanceof ProviderError && error.code === "outbox_disk";
}

/** A line of a usage file that cannot be read. Nothing of such a file is submitted. */
export class UsageFileError extends ProviderError {
  /** From 1, the header included. */
  readonly line: number;

  constructor(line: number, detail: string) {
    super("bad_usage_file", `line ${line}: ${detail}`);
    this.name = "UsageFileError";
    this.line = line;
  }
}
