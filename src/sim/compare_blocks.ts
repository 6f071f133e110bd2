import { type TxOutcome, txOutcome } from "../codec/recorded_tx.ts";
import { equalBytes, toHex } from "../lib/bytes.ts";
import { must } from "../lib/assert.ts";
import type { BlockOutput } from "../types/application.ts";
import type { Event } from "../types/event.ts";

/** What a recorded block came to. */
export interface Expected {
  /** 32 bytes: after the block. */
  readonly appHash: Uint8Array;
  /** One per tx; left out where they were not recorded. */
  readonly outcomes?: readonly TxOutcome[] | undefined;
  /** Of BeginBlock and EndBlock; left out where they were not recorded. */
  readonly events?: readonly Event[] | undefined;
}

/** The first field in which a replayed block is not as it was recorded. */
export interface Difference {
  readonly height: bigint;
  /** "txs[3].gas_used", "events[0].attributes[1].value", "app_hash". */
  readonly field: string;
  /** Hash of the tx in question, in upper-case hex. */
  readonly txHash?: string;
  /** As recorded; bytes in upper-case hex. */
  readonly expected: string;
  /** As replayed. */
  readonly found: string;
  /** What a replayed tx says of its failure. */
  readonly log?: string;
}

type Found = Pick<Difference, "field" | "expected" | "found">;

/**
 * Compares txs first, then the block's own events, then the app hash: the earliest of them says
 * most about the cause. Events of txs are not compared; they enter no hash.
 */
export function firstDifference(
  height: bigint,
  expected: Expected,
  output: BlockOutput,
  txHash: (index: number) => Uint8Array,
): Difference | undefined {
  for (const [index, outcome] of (expected.outcomes ?? []).entries()) {
    const result = must(output.txResults[index], "a block has one result per tx");
    const found = outcomeDifference(outcome, txOutcome(result));
    if (found === undefined) continue;
    const log = result.code === 0 ? {} : { log: result.log };
    const field = `txs[${index}].${found.field}`;
    return { height, ...found, field, txHash: hex(txHash(index)), ...log };
  }
  const found =
    eventsDifference(expected.events, output.events) ??
    bytesDifference("app_hash", expected.appHash, output.appHash);
  return found && { height, ...found };
}

function outcomeDifference(expected: TxOutcome, found: TxOutcome): Found | undefined {
  return (
    plainDifference("code", expected.code, found.code) ??
    plainDifference("codespace", expected.codespace, found.codespace) ??
    bytesDifference("data", expected.data, found.data) ??
    plainDifference("gas_wanted", expected.gasWanted, found.gasWanted) ??
    plainDifference("gas_used", expected.gasUsed, found.gasUsed)
  );
}

function eventsDifference(
  expected: readonly Event[] | undefined,
  found: readonly Event[],
): Found | undefined {
  if (expected === undefined) return undefined;
  for (const [index, event] of expected.entries()) {
    const other = found[index];
    if (other === undefined) break;
    const difference = eventDifference(event, other);
    if (difference !== undefined) {
      return { ...difference, field: `events[${index}].${difference.field}` };
    }
  }
  return plainDifference("events.length", expected.length, found.length);
}

function eventDifference(expected: Event, found: Event): Found | undefined {
  const ofType = plainDifference("type", expected.type, found.type);
  if (ofType !== undefined) return ofType;
  for (const [index, { key, value }] of expected.attributes.entries()) {
    const other = found.attributes[index];
    if (other === undefined) break;
    const at = `attributes[${index}]`;
    const difference =
      plainDifference(`${at}.key`, key, other.key) ??
      plainDifference(`${at}.value`, value, other.value);
    if (difference !== undefined) return difference;
  }
  return plainDifference("attributes.length", expected.attributes.length, found.attributes.length);
}

function plainDifference<T extends string | number | bigint>(
  field: string,
  expected: T,
  found: T,
): Found | undefined {
  if (expected === found) return undefined;
  return { field, expected: String(expected), found: String(found) };
}

function bytesDifference(
  field: string,
  expected: Uint8Array,
  found: Uint8Array,
): Found | undefined {
  return equalBytes(expected, found)
    ? undefined
    : { field, expected: hex(expected), found: hex(found) };
}

function hex(bytes: Uint8Array): string {
  return toHex(bytes).toUpperCase();
}
