import { divCeil } from "../lib/int.ts";
import { type Dec, parseDec, DEC_ONE } from "../types/dec.ts";
import { isDenom } from "../types/denom.ts";
import { ProviderError } from "./errors.ts";

/** What a message does; messages of one kind cost alike. */
export type MessageKind =
  | "create"
  | "activate"
  | "record"
  | "acknowledge"
  | "dispute"
  | "settle"
  | "claim";

/**
 * The chain's documented costs (README of the modules auth and settlement): gas per tx byte, per
 * signature, per message, and per record that a settlement settles or entry that a claim pays.
 */
const PER_TX_BYTE = 10n;
const PER_SIGNATURE = 1000n;
const PER_MESSAGE: Readonly<Record<MessageKind, bigint>> = Object.freeze({
  create: 20_000n,
  activate: 10_000n,
  record: 2000n,
  acknowledge: 1000n,
  dispute: 20_000n,
  settle: 20_000n,
  claim: 10_000n,
});
const PER_ITEM: Readonly<Partial<Record<MessageKind, bigint>>> = Object.freeze({
  settle: 1000n,
  claim: 200n,
});

/** Gas that one message takes by itself; `items`: records of a settlement, entries of a claim. */
export function messageGas(kind: MessageKind, items = 0): bigint {
  return PER_MESSAGE[kind] + (PER_ITEM[kind] ?? 0n) * BigInt(items);
}

/** Bytes of a signed tx besides its messages: key, signature, fee, and framing. */
const ENVELOPE_BYTES = 400n;

/** Gas that a tx takes besides its messages. `bytes`: its messages', encoded. */
export function envelopeGas(bytes: number): bigint {
  return PER_SIGNATURE + PER_TX_BYTE * (BigInt(bytes) + ENVELOPE_BYTES);
}

/** A price of gas: what a tx pays per unit of its gas limit. */
export interface GasPrice {
  readonly denom: string;
  readonly atomics: Dec;
}

/** What a node takes unless its settings say otherwise. */
export const DEFAULT_GAS_PRICE = "0.025uve";

/** "0.025uve" as a gas price. @throws ProviderError `bad_gas_price` */
export function parseGasPrice(text: string): GasPrice {
  const match = /^([0-9.]+)([a-zA-Z].*)$/.exec(text);
  const [atomics, denom] = [parseDec(match?.[1] ?? ""), match?.[2] ?? ""];
  if (atomics === undefined || !isDenom(denom)) {
    throw new ProviderError(
      "bad_gas_price",
      `not a gas price like ${DEFAULT_GAS_PRICE}: "${text}"`,
    );
  }
  return { denom, atomics };
}

/** The least fee of a gas limit, rounded up. */
export function feeOf(gasLimit: bigint, price: GasPrice): bigint {
  return divCeil(gasLimit * price.atomics, DEC_ONE);
}
