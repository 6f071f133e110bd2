import type { IncomingMessage } from "node:http";

/** How many times the limit is read and thrown away, so that the client gets to see the refusal. */
const DRAIN_FACTOR = 16;

/**
 * The body of a request as text.
 * @returns undefined when it is longer than `limit` bytes
 * @throws as `readBytes`
 */
export async function readBody(
  request: IncomingMessage,
  limit: number,
): Promise<string | undefined> {
  return (await readBytes(request, limit))?.toString("utf8");
}

/**
 * The body of a request.
 * @returns undefined when it is longer than `limit` bytes
 * @throws when the client leaves before the end, or sends far more than the limit
 */
export async function readBytes(
  request: IncomingMessage,
  limit: number,
): Promise<Buffer | undefined> {
  // Nothing of this size is worth waiting for; the connection closes after the refusal.
  if (Number(request.headers["content-length"] ?? 0) > limit * DRAIN_FACTOR) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else if (size <= limit * DRAIN_FACTOR) chunks.length = 0;
    else break;
  }
  return size <= limit ? Buffer.concat(chunks) : undefined;
}
