import {
  type BlockOutcome,
  decodeBlockOutcome,
  decodeEvent,
  decodeTxRecord,
  splitBlockOutcome,
  splitTxRecord,
  type TxRecord,
} from "../codec/tendermint.ts";
import type { Event } from "../types/event.ts";
import { StoredDataError } from "./errors.ts";
import type { Pace } from "./pace.ts";

/** Records up to this many bytes are decoded in one go, in far less time than a slice. */
const AT_ONCE_BYTES = 32_768;

/** The record of a tx. @throws StoredDataError, the reason of the pace */
export async function readTxRecord(bytes: Uint8Array, pace?: Pace): Promise<TxRecord> {
  if (pace === undefined || bytes.length <= AT_ONCE_BYTES) {
    return decoded("tx", bytes, decodeTxRecord);
  }
  const { record, events } = decoded("tx", bytes, splitTxRecord);
  return { ...record, result: { ...record.result, events: await readEvents(events, pace) } };
}

/** Events and app hash of a block, with the errors of `readTxRecord`. */
export async function readBlockOutcome(bytes: Uint8Array, pace?: Pace): Promise<BlockOutcome> {
  if (pace === undefined || bytes.length <= AT_ONCE_BYTES) {
    return decoded("results", bytes, decodeBlockOutcome);
  }
  const { appHash, events } = decoded("results", bytes, splitBlockOutcome);
  return { appHash, events: await readEvents(events, pace) };
}

async function readEvents(encoded: readonly Uint8Array[], pace: Pace): Promise<Event[]> {
  const events: Event[] = [];
  for (const bytes of encoded) {
    events.push(decoded("event", bytes, decodeEvent));
    if (pace.isDue()) await pace.pause();
  }
  return events;
}

/** What `decode` makes of stored bytes. @throws StoredDataError */
export function decoded<T>(what: string, bytes: Uint8Array, decode: (bytes: Uint8Array) => T): T {
  try {
    return decode(bytes);
  } catch (error) {
    throw new StoredDataError(what, { cause: error });
  }
}
