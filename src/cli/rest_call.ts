import { CliError } from "./cli_error.ts";
import type { Context } from "./context.ts";
import { rpcUrlOf } from "./endpoints.ts";
import { EXIT } from "./exit_codes.ts";
import { readRunningNode } from "./home.ts";

const DEFAULT_REST_PORT = 1317;
const TIMEOUT_MS = 30_000;

/** The REST address that a flag names, else that of the node of the home, else the standard one. */
export async function restUrl(context: Context, flag: string | undefined): Promise<string> {
  const given = flag ?? (await readRunningNode(context.home))?.rest;
  return (given ?? rpcUrlOf("127.0.0.1", DEFAULT_REST_PORT)).replace(/\/+$/, "");
}

/**
 * The JSON that a REST address answers; with `body` it is posted.
 * @throws CliError `connection` when nothing answers, `refused` when the answer is an error
 */
export async function restCall(url: string, path: string, body?: object): Promise<unknown> {
  const post = body && {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  const answer = await answerOf(`${url}${path}`, { ...post });
  const { status, value } = answer;
  if (status === 200) return value;
  const { code, message = `HTTP ${status}` } = (value ?? {}) as { code?: number; message?: string };
  if (code === 12) {
    throw new CliError(EXIT.other, "not_offered", `the node has no ${path}`, {
      hint: "a faucet is on dev chains only, when the node listens on this machine alone",
    });
  }
  throw new CliError(EXIT.other, "refused", message, { details: { status: code ?? status } });
}

async function answerOf(
  url: string,
  init: RequestInit,
): Promise<{ status: number; value: unknown }> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    return { status: response.status, value: await response.json() };
  } catch (error) {
    const { cause, message } = error as Error & { cause?: Error };
    throw new CliError(EXIT.connection, "connection", `${url}: ${cause?.message ?? message}`, {
      hint: "is the node running? settled start, or give --rest",
    });
  }
}
