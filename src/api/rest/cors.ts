import type { IncomingMessage, ServerResponse } from "node:http";
import type { Origins } from "../rpc/origins.ts";

const METHODS = "GET, HEAD, POST, OPTIONS";
const REQUEST_HEADERS = [
  ...["Accept", "Content-Type", "Origin", "X-Requested-With", "X-Cosmos-Block-Height"],
  ...["Grpc-Metadata-X-Cosmos-Block-Height", "Grpc-Timeout", "X-Grpc-Web", "X-User-Agent"],
].join(", ");
const ANSWER_HEADERS = [
  ...["X-Cosmos-Block-Height", "Grpc-Metadata-X-Cosmos-Block-Height"],
  ...["Grpc-Status", "Grpc-Message"],
].join(", ");

/** Headers of every answer, for the pages that may read it. */
export function setCorsHeaders(
  origins: Origins,
  { headers: { origin } }: IncomingMessage,
  response: ServerResponse,
): void {
  response.setHeader("Vary", "Origin");
  if (origin === undefined || !origins.mayRead(origin)) return;
  response.setHeader("Access-Control-Allow-Origin", origin);
  response.setHeader("Access-Control-Expose-Headers", ANSWER_HEADERS);
}

/** The answer to OPTIONS: what a browser asks before it sends what a form could not. */
export function answerPreflight(
  origins: Origins,
  { headers }: IncomingMessage,
  response: ServerResponse,
): void {
  if (headers.origin !== undefined && origins.mayRead(headers.origin)) {
    response.setHeader("Access-Control-Allow-Methods", METHODS);
    response.setHeader("Access-Control-Allow-Headers", REQUEST_HEADERS);
    response.setHeader("Access-Control-Max-Age", "600");
    // Browsers ask this before a page of the public net reaches an address of this machine.
    if (headers["access-control-request-private-network"] === "true") {
      response.setHeader("Access-Control-Allow-Private-Network", "true");
    }
  }
  response.writeHead(204).end();
}
