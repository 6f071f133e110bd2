import { hash } from "node:crypto";
import {
  MsgActivateEscrow,
  MsgCreateEscrow,
  MsgRecordUsage,
  MsgSettleOrder,
} from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { secondsOf } from "../../src/types/time.ts";
import { GENESIS_TIME } from "./genesis.ts";
import type { BenchOrder } from "./orders.ts";
import type { BenchMessage } from "./signing.ts";

const TYPES = ["cpu", "memory", "storage", "gpu", "network"] as const;
const PERIOD_SECONDS = 60n;
/** Usage begins 300 days before genesis, so that an order has room for two million records. */
const FIRST_PERIOD = secondsOf(GENESIS_TIME) - 300n * 86_400n;
const LEASE_SECONDS = 300n * 86_400n;
/** 0.5 uve a unit, in atomics. */
const PRICE = { denom: "uve", amount: "500000000000000000" };
/** Signatures do not compress: with one for all, the disk would look too small. */
const NOISE = Buffer.concat(
  Array.from({ length: 16_384 }, (_, index) => hash("sha512", `noise ${index}`, "buffer")),
);
const SIGNATURE_BYTES = 64;

const message = (name: string, value: Uint8Array): BenchMessage => ({
  typeUrl: `/virtengine.settlement.v1.${name}`,
  value,
});

/** Escrow for ten million records. */
export function createEscrow(order: BenchOrder): BenchMessage {
  const sender = order.customer.signer.address;
  const amount = [{ denom: "uve", amount: "10000000000" }];
  const value = { sender, orderId: order.orderId, amount, expiresIn: LEASE_SECONDS };
  return message("MsgCreateEscrow", MsgCreateEscrow.encode(value).finish());
}

export function activateEscrow(order: BenchOrder, escrowId: string): BenchMessage {
  const sender = order.customer.signer.address;
  const recipient = order.provider.signer.address;
  const value = { sender, escrowId, leaseId: order.leaseId, recipient };
  return message("MsgActivateEscrow", MsgActivateEscrow.encode(value).finish());
}

/**
 * The next record of an order: five resources for each of consecutive minutes. Costs 500 to 1,500
 * uve. The signature is noise, as the chain's parameters do not ask for it.
 */
export function recordUsage(order: BenchOrder): BenchMessage {
  const place = order.records;
  order.records += 1;
  const periodStart = FIRST_PERIOD + BigInt(Math.floor(place / TYPES.length)) * PERIOD_SECONDS;
  const value = MsgRecordUsage.encode({
    sender: order.provider.signer.address,
    orderId: order.orderId,
    leaseId: order.leaseId,
    usageUnits: 1000n + BigInt((place * 7919) % 2000),
    usageType: TYPES[place % TYPES.length] as string,
    periodStart,
    periodEnd: periodStart + PERIOD_SECONDS,
    unitPrice: PRICE,
    signature: signatureOf(made++),
  });
  return message("MsgRecordUsage", value.finish());
}

let made = 0;

function signatureOf(number: number): Uint8Array {
  const at = (number * SIGNATURE_BYTES) % NOISE.length;
  return NOISE.subarray(at, at + SIGNATURE_BYTES);
}

/** The customer settles: the first open records, up to the limit of a settlement (1,000). */
export function settleOrder(order: BenchOrder): BenchMessage {
  const sender = order.customer.signer.address;
  const value = { sender, orderId: order.orderId, usageRecordIds: [], isFinal: false };
  return message("MsgSettleOrder", MsgSettleOrder.encode(value).finish());
}
