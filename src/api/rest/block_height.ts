import type { IncomingMessage, ServerResponse } from "node:http";
import { badRequest } from "./rest_error.ts";

const NAME = "x-cosmos-block-height";
/** How grpc-gateway calls metadata of gRPC. */
const METADATA_NAME = `grpc-metadata-${NAME}`;
const MAX_HEIGHT = 2n ** 63n - 1n;

/** The height that a request asks for, 0n for the latest. @throws UnaryError 3 */
export function heightAsked({ headers }: IncomingMessage): bigint {
  const text = headers[NAME] ?? headers[METADATA_NAME];
  if (text === undefined) return 0n;
  const height = typeof text === "string" && /^[0-9]{1,19}$/.test(text) ? BigInt(text) : undefined;
  if (height === undefined || height > MAX_HEIGHT) {
    throw badRequest(`${NAME}: expected a height, found "${String(text).slice(0, 60)}"`);
  }
  return height;
}

/** Tells the height of an answer. */
export function tellHeight(response: ServerResponse, height: bigint): void {
  response.setHeader("X-Cosmos-Block-Height", `${height}`);
  response.setHeader("Grpc-Metadata-X-Cosmos-Block-Height", `${height}`);
}
