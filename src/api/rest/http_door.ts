import type { IncomingMessage, ServerResponse } from "node:http";
import type { Origins } from "../rpc/origins.ts";

/** What a door that is mounted on the REST server gets with a request. */
export interface DoorCall {
  /** Which web pages may do what; those that may not read are refused by their browser already. */
  readonly origins: Origins;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  /** Below the prefix, without the question mark: "/status", or "" for the prefix itself. */
  readonly path: string;
  readonly search: URLSearchParams;
  /** The body as JSON. @throws UnaryError 3 for one that is none; the server answers it. */
  readJson(): Promise<unknown>;
  sendJson(httpStatus: number, body: unknown): void;
}

/**
 * Something else that the REST server answers under a prefix of its own. CORS, OPTIONS and the limits
 * of connections, addresses and time are the server's; whatever is thrown becomes an answer, a
 * UnaryError one that says why.
 */
export interface HttpDoor {
  /** "/faucet": all that is under it, and itself. */
  readonly prefix: string;
  handle(request: IncomingMessage, response: ServerResponse, call: DoorCall): Promise<void> | void;
}
