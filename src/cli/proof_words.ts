import type { ProvedRecord } from "../client/proof.ts";
import { messageToJson } from "../codec/proto_json.ts";
import { findMessageType } from "../codec/message_types.ts";
import { SERVICES } from "../gen/schema.ts";
import { fromUtf8, toHex } from "../lib/bytes.ts";
import { bytesOfKey, type Key, keyOfBytes } from "../lib/key.ts";
import * as auth from "../modules/auth/keys.ts";
import * as bank from "../modules/bank/keys.ts";
import * as settlement from "../modules/settlement/keys.ts";

/** A record of the state in words. */
export interface RecordWords {
  /** "escrow 3", or "key 0304…" for one that is not known here. */
  readonly record: string;
  /** Hex. */
  readonly key: string;
  readonly present: boolean;
  /** JSON of the record, text of an amount, or hex; null: there is none. */
  readonly value: unknown;
}

type ReadRest = (rest: Uint8Array) => string;

/** How keys under a prefix read, and what they hold: a message type, or text. */
const KINDS: readonly (readonly [Key, string, ReadRest, string])[] = [
  [auth.PARAMS_KEY, "auth params", none, "settled.auth.v1.Params"],
  [auth.ACCOUNT_PREFIX, "account", texts, "settled.auth.v1.AccountState"],
  [bank.BALANCE_PREFIX, "balance", texts, "text"],
  [bank.SUPPLY_PREFIX, "supply", plain, "text"],
  [bank.JOURNAL_PREFIX, "journal entry", number, "settled.bank.v1.JournalEntry"],
  [settlement.PARAMS_KEY, "params", none, "virtengine.settlement.v1.Params"],
  [settlement.EXTENDED_PARAMS_KEY, "extended params", none, "settled.settlement.v1.Params"],
  [settlement.ESCROW_PREFIX, "escrow", number, "settled.settlement.v1.EscrowState"],
  [settlement.USAGE_PREFIX, "usage record", number, "settled.settlement.v1.UsageState"],
  [settlement.SETTLEMENT_PREFIX, "settlement", number, "settled.settlement.v1.SettlementState"],
  [settlement.INVOICE_PREFIX, "invoice", number, "settled.settlement.v1.InvoiceState"],
  [settlement.PAYOUT_PREFIX, "payout", number, "settled.settlement.v1.PayoutState"],
  [
    settlement.DISTRIBUTION_PREFIX,
    "distribution",
    number,
    "settled.settlement.v1.DistributionState",
  ],
  [settlement.CLAIMABLE_PREFIX, "claimable rewards", texts, "settled.settlement.v1.ClaimableState"],
];

export function recordWords({ key, value }: ProvedRecord): RecordWords {
  const text = keyOfBytes(key);
  const kind = KINDS.find(([prefix]) => text.startsWith(prefix));
  const hex = toHex(key);
  const present = value !== undefined;
  if (kind === undefined) {
    return { record: `key ${hex}`, key: hex, present, value: present ? toHex(value) : null };
  }
  const [prefix, name, read, holds] = kind;
  const record = `${name} ${read(bytesOfKey(text.slice(prefix.length) as Key))}`.trimEnd();
  return { record, key: hex, present, value: present ? valueWords(holds, value) : null };
}

/** One line: "escrow 3: {…}". */
export function recordLine({ record, present, value }: RecordWords): string {
  if (!present) return `${record}: there is none`;
  return `${record}: ${typeof value === "string" ? value : JSON.stringify(value)}`;
}

/** The answer of a query as JSON; hex where the path names no method. */
export function responseWords(path: string, response: Uint8Array): unknown {
  const [, service, name] = path.split("/");
  const found = SERVICES.find((each) => each.name === service);
  const output = found?.methods.find((method) => method.name === name)?.output;
  return output === undefined ? toHex(response) : valueWords(output, response);
}

function valueWords(holds: string, value: Uint8Array): unknown {
  if (holds === "text") return fromUtf8(value) ?? toHex(value);
  const type = findMessageType(holds);
  if (type === undefined) return toHex(value);
  try {
    return messageToJson(type.name, type.codec.decode(value) as object);
  } catch {
    // Another version of the program wrote it: its bytes are proved all the same.
    return toHex(value);
  }
}

function none(): string {
  return "";
}

/** Text, or hex of what a terminal had better not get: a key that is not proved can be anything. */
function plain(rest: Uint8Array): string {
  const text = fromUtf8(rest);
  return text !== undefined && /^[\x20-\x7e]*$/.test(text) ? text : toHex(rest);
}

/** A big-endian number of 6 or 8 bytes. */
function number(rest: Uint8Array): string {
  return rest.length === 0 || rest.length > 8 ? toHex(rest) : BigInt(`0x${toHex(rest)}`).toString();
}

/** A text with its length in front (src/lib/key.ts), and one without at the end. */
function texts(rest: Uint8Array): string {
  const [first = 0, high = 0, low = 0] = rest;
  const [from, length] = first < 255 ? [1, first] : [3, (high << 8) | low];
  const parts = [rest.subarray(from, from + length), rest.subarray(from + length)];
  return parts.map(plain).join(" ").trimEnd();
}
