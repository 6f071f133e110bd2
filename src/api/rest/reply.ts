import type { ServerResponse } from "node:http";
import { JsonText } from "../json_text.ts";

export const JSON_TYPE = "application/json";

/** Sends a whole answer; a client that does not read it within `writeMs` is cut. */
export function sendText(
  response: ServerResponse,
  writeMs: number,
  answer: { readonly status: number; readonly type: string; readonly text: string | JsonText },
): void {
  const late = setTimeout(() => response.destroy(), writeMs);
  late.unref();
  response.once("close", () => clearTimeout(late));
  const { status, type } = answer;
  const text = typeof answer.text === "string" ? JsonText.of(answer.text) : answer.text;
  response.writeHead(status, { "Content-Type": type, "Content-Length": text.bytes });
  text.end(response);
}

/** Aborted when the client is gone before its answer was complete. */
export function leaveSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
