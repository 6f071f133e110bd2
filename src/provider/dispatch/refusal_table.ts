import { failedMessage, type Refusal } from "../tx_facts.ts";

/**
 * What is done after a refusal:
 * - `poison`: the record is refused for good, and waits for a person
 * - `later`: the record is sent again after a while, by itself
 * - `repeat`: the chain has a record of the period: it is looked at
 * - `gas`: the tx is sent again with more gas
 * - `pause`: no record is at fault, nothing can be sent: all wait, and a person is told
 * - `sequence`: the account's sequence is read again
 * - `expired`: the tx is in no block and can be in none: its records are sent again
 * - `room`: the same tx is offered again when the mempool has room
 * - `split`: the tx is too large: it is sent in two
 */
export type Verdict =
  | "poison"
  | "later"
  | "repeat"
  | "gas"
  | "pause"
  | "sequence"
  | "expired"
  | "room"
  | "split";

interface Row {
  readonly codespace: string;
  readonly code: number;
  /** Only refusals whose text matches. */
  readonly text?: RegExp;
  readonly verdict: Verdict;
  /** It holds for all records of the order, not for the one alone that the chain came upon. */
  readonly isOfOrder?: boolean;
  /** Why; for people and for whoever changes the table. */
  readonly why: string;
}

const settlement = (code: number, verdict: Verdict, why: string, text?: RegExp): Row => {
  return { codespace: "settlement", code, verdict, why, ...(text === undefined ? {} : { text }) };
};
const order = (row: Row): Row => ({ ...row, isOfOrder: true });
const sdk = (code: number, verdict: Verdict, why: string): Row => {
  return { codespace: "sdk", code, verdict, why };
};

/** The first row that matches holds. */
export const REFUSALS: readonly Row[] = [
  settlement(1514, "repeat", "the period is recorded already: by an earlier tx, or differently"),
  order(settlement(1501, "later", "the customer may create the escrow of the order yet")),
  order(settlement(1519, "later", "the customer may activate the escrow yet", /found pending/)),
  order(settlement(1519, "poison", "the escrow has ended: it takes no more usage")),
  order(settlement(1523, "later", "the dispute of the escrow ends some day")),
  order(settlement(1518, "poison", "the escrow has expired: it takes no more usage")),
  order(settlement(1505, "poison", "the escrow pays somebody else")),
  settlement(1512, "later", "the chain's clock is behind: the period ends", /after block time/),
  settlement(1512, "poison", "lease, denom, price or period can never be right; or it overlaps"),
  settlement(1522, "poison", "an amount that cannot be right"),
  settlement(1521, "poison", "an address that cannot be right"),
  settlement(1524, "poison", "the signature of the report does not fit its content"),
  settlement(1, "poison", "an address that cannot be right"),
  settlement(3, "poison", "an amount that cannot be right"),
  settlement(5, "poison", "a field of the report is empty, too long or out of range"),
  settlement(6, "poison", "the report is not signed"),
  sdk(4, "pause", "key, chain id or account number of the signer are not the chain's"),
  sdk(5, "pause", "the account cannot pay the fee"),
  sdk(9, "pause", "the account does not exist: nobody has funded it"),
  sdk(11, "gas", "the tx took more gas than documented"),
  sdk(13, "pause", "the node wants a higher fee"),
  sdk(19, "room", "the tx is in the mempool already"),
  sdk(20, "room", "the mempool is full"),
  sdk(21, "split", "the tx is larger than the node takes"),
  sdk(30, "expired", "the chain is past the tx's last block"),
  sdk(32, "sequence", "somebody else used the account, or the tx is in a block already"),
];

/** The row that a refusal falls under; undefined: the table does not know it. */
export function rowOf({ codespace, code, log }: Refusal): Row | undefined {
  return REFUSALS.find((row) => {
    return row.codespace === codespace && row.code === code && row.text?.test(log) !== false;
  });
}

/**
 * What is done after a refusal. One that the table does not know is the fault of the message that
 * it names; when it names none, the tx is split until one message is left.
 * @param records of the tx
 */
export function verdictOf(refusal: Refusal, records: number): Verdict {
  const known = rowOf(refusal)?.verdict;
  if (known === "split" && records === 1) return "poison";
  if (known !== undefined && isOfMessage(known) && !namesOne(refusal, records)) return "split";
  return known ?? (namesOne(refusal, records) ? "poison" : "split");
}

/** Whether a refusal is about one record, as far as the table knows it. */
export function isOfRecord(refusal: Refusal): boolean {
  const row = rowOf(refusal);
  return row !== undefined && isOfMessage(row.verdict);
}

function isOfMessage(verdict: Verdict): boolean {
  return verdict === "poison" || verdict === "later" || verdict === "repeat";
}

function namesOne({ log }: Refusal, records: number): boolean {
  return records === 1 || (failedMessage(log) ?? records) < records;
}
