/** A mistake in what the client was given. `code` is stable text that programs can match. */
export class ClientError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "ClientError";
    this.code = code;
  }
}

/** The node cannot be reached, does not answer in time, or is not a CometBFT RPC. */
export class ConnectionError extends Error {
  readonly url: string;

  constructor(url: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ConnectionError";
    this.url = url;
  }
}

/** The node answered a call with a JSON-RPC error. */
export class RpcError extends Error {
  readonly code: number;
  readonly data: string;

  constructor(code: number, message: string, data: string) {
    super(data === "" ? message : `${message}: ${data}`);
    this.name = "RpcError";
    this.code = code;
    this.data = data;
  }
}

/** A query that the application answered with an error. Codespace "sdk", 22: not found. */
export class QueryError extends Error {
  readonly codespace: string;
  readonly code: number;
  readonly path: string;

  constructor(path: string, codespace: string, code: number, log: string) {
    super(log === "" ? `query ${path} failed with ${codespace}/${code}` : log);
    this.name = "QueryError";
    this.path = path;
    this.codespace = codespace;
    this.code = code;
  }

  /** Whether the chain has no such query at all. */
  get unknownPath(): boolean {
    return this.codespace === "sdk" && this.code === 6;
  }

  /** Whether the thing asked for does not exist. */
  get notFound(): boolean {
    return this.code === 22 || /rpc error: code = NotFound/i.test(this.message);
  }
}

/** A tx that was sent but was not seen in a block in time. It may still get into one. */
export class TxTimeoutError extends Error {
  readonly hash: string;

  constructor(hash: string, timeoutMs: number) {
    super(`tx ${hash} is in no block after ${timeoutMs} ms; it may still be included`);
    this.name = "TxTimeoutError";
    this.hash = hash;
  }
}
