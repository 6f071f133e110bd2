import { messageTypeOfUrl } from "../../src/codec/message_types.ts";
import { TxMsgData } from "../../src/gen/cosmos/base/abci/v1beta1/abci.ts";
import type { Event } from "../../src/types/event.ts";
import type { TxResult } from "../../src/types/tx.ts";

/** Throws with the log unless the tx succeeded. */
export function expectOk(result: TxResult): TxResult {
  if (result.code === 0) return result;
  throw new Error(`expected success, found ${result.codespace}/${result.code}: ${result.log}`);
}

/**
 * Throws unless the tx failed with this code and its text holds all of `parts`.
 * @param expected "settlement/1512", or the code alone for the codespace "settlement"
 */
export function expectCode(
  result: TxResult,
  expected: string | number,
  ...parts: readonly (string | RegExp)[]
): TxResult {
  const wanted = typeof expected === "number" ? `settlement/${expected}` : expected;
  const found = result.code === 0 ? "success" : `${result.codespace}/${result.code}`;
  if (found !== wanted) throw new Error(`expected ${wanted}, found ${found}: ${result.log}`);
  for (const part of parts) {
    const holds = typeof part === "string" ? result.log.includes(part) : part.test(result.log);
    if (!holds) throw new Error(`expected a text with ${String(part)}, found "${result.log}"`);
  }
  return result;
}

/** What the messages of a tx answered, decoded. */
export function responsesOf<T = Record<string, unknown>>(result: TxResult): T[] {
  return TxMsgData.decode(expectOk(result).data).msgResponses.map(({ typeUrl, value }) => {
    const type = messageTypeOfUrl(typeUrl);
    if (type === undefined) throw new Error(`unknown response ${typeUrl}`);
    return type.codec.decode(value) as T;
  });
}

export function responseOf<T = Record<string, unknown>>(result: TxResult): T {
  const [first] = responsesOf<T>(result);
  if (first === undefined) throw new Error("the tx has no response");
  return first;
}

/** Attributes of all events of one type, without `msg_index` and `mode`. "Event" is left out. */
export function eventsOf(
  result: { readonly events: readonly Event[] },
  name: string,
): Record<string, string>[] {
  const type = name.includes(".") || name === name.toLowerCase() ? name : `${TYPED}${name}`;
  return result.events.filter((event) => event.type === type).map(attributesOf);
}

const TYPED = "virtengine.settlement.v1.Event";

function attributesOf({ attributes }: Event): Record<string, string> {
  const own = attributes.filter(({ key }) => key !== "msg_index" && key !== "mode");
  return Object.fromEntries(own.map(({ key, value }) => [key, value]));
}

/** Names of the typed events of the settlement module, in order. */
export function typedEvents(result: { readonly events: readonly Event[] }): string[] {
  return result.events
    .filter(({ type }) => type.startsWith(TYPED))
    .map(({ type }) => type.slice(TYPED.length));
}
