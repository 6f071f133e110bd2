import { createHash } from "node:crypto";
import type { BroadcastResult, Client } from "../client/client.ts";
import { RpcError } from "../client/errors.ts";
import type { Fee } from "../client/tx_builder.ts";
import type { EncodedMessage } from "../client/wire.ts";
import { envelopeGas, feeOf, type GasPrice } from "./gas.ts";

/** What is known of txs and of the chain's answers to them, for whoever sends some. */

/** A message with the gas that it takes by itself. */
export interface Outgoing {
  readonly message: EncodedMessage;
  readonly gas: bigint;
}

/** Why the chain refused a message: clients match codespace and code, people read the text. */
export interface Refusal {
  readonly codespace: string;
  readonly code: number;
  readonly log: string;
}

/** Bytes that a message takes in a tx. */
export function messageBytes({ value, typeUrl }: EncodedMessage): number {
  return value.length + typeUrl.length + 12;
}

/** Gas limit and fee of a tx of these messages; `factor` makes room where the chain ran out. */
export function feeOfTx(items: readonly Outgoing[], price: GasPrice, factor: bigint): Fee {
  let [gas, bytes] = [0n, 0];
  for (const item of items) {
    gas += item.gas;
    bytes += messageBytes(item.message);
  }
  const gasLimit = (gas + envelopeGas(bytes)) * factor;
  const fee = feeOf(gasLimit, price);
  const amount = fee === 0n ? [] : [{ denom: price.denom, amount: fee.toString() }];
  return { amount, gasLimit };
}

/** Upper-case hex. */
export function hashOfTx(tx: Uint8Array): string {
  return createHash("sha256").update(tx).digest("hex").toUpperCase();
}

/**
 * Sends a tx; "wait": the mempool has no room. A tx that is there already, left by a run that was
 * cut short or by an answer that was lost, counts as taken: the same bytes are the same tx.
 */
export async function offerTx(client: Client, tx: Uint8Array): Promise<BroadcastResult | "wait"> {
  try {
    const result = await client.broadcastSync(tx);
    return isOf(result, 20) ? "wait" : result;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    if (/mempool is full/.test(error.message)) return "wait";
    if (!/already exists in cache/.test(error.message)) throw error;
    return { hash: hashOfTx(tx), code: 0, codespace: "", log: "" };
  }
}

/** The place of the message that a failed tx's error names; undefined: it names none. */
export function failedMessage(log: string): number | undefined {
  const named = /message index: ([0-9]+)/.exec(log)?.[1];
  return named === undefined ? undefined : Number(named);
}

/** The sequence that the chain expects, from its error text; undefined: ask for the account. */
export function expectedSequence(log: string): bigint | undefined {
  const expected = /expected ([0-9]+), got/.exec(log)?.[1];
  return expected === undefined ? undefined : BigInt(expected);
}

/** The least fee that a node takes, "12uve", from its error text. */
export function requiredFee(log: string): string | undefined {
  return /required: ([0-9]+[a-zA-Z][a-zA-Z0-9/:._-]*)/.exec(log)?.[1];
}

export function isOutOfGas(refusal: Refusal): boolean {
  return isOf(refusal, 11);
}

export function isWrongSequence(refusal: Refusal): boolean {
  return isOf(refusal, 32);
}

// Signature, funds of the payer, unknown account, fee, sequence: no message is at fault.
const CODES_OF_THE_TX = [4, 5, 9, 13, 32];

export function isOfTheTx({ codespace, code }: Refusal): boolean {
  return codespace === "sdk" && CODES_OF_THE_TX.includes(code);
}

/** Whether it is this code of codespace "sdk". */
function isOf({ codespace, code }: Refusal, expected: number): boolean {
  return codespace === "sdk" && code === expected;
}
