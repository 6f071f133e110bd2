import type { TxInfo } from "../client/client.ts";
import type { Context } from "./context.ts";
import { printResult } from "./output.ts";
import { txJson } from "./tx_json.ts";

/** Prints what became of a tx that was sent. */
export function printSent(
  { io, format }: Context,
  { hash, info }: { hash: string; info: TxInfo | undefined },
): void {
  if (info === undefined) {
    if (format === "text") io.err(`waits for a block; see: settled query tx ${hash}\n`);
    return printResult(io, format, { hash, code: 0 });
  }
  const { events, messages, responses, ...rest } = txJson(info);
  if (format === "json") return printResult(io, format, { ...rest, responses, messages, events });
  const { height, gas_wanted, gas_used, fee, memo } = rest;
  const note = memo === "" ? {} : { memo };
  printResult(io, format, { hash, height, gas_wanted, gas_used, fee, ...note, responses });
}
