import type { QueryPriceCeilingsResponse } from "../../src/gen/settled/settlement/v1/query.ts";
import * as tx from "../../src/gen/settled/settlement/v1/tx.ts";
import { formatDec, type Dec } from "../../src/types/dec.ts";
import { authority, customer, provider } from "./accounts.ts";
import type { TestChain } from "./chain.ts";
import { price } from "./coins.ts";
import { ORDER, SIGNATURE, type TestMessage } from "./messages.ts";
import { responseOf } from "./outcome.ts";
import { own } from "./own_message.ts";

/** Messages about usage after its report, and what they answer. */

/** What a correction says; everything has a default. */
export interface To {
  readonly units?: bigint;
  /** "1.5uve" */
  readonly price?: string;
  readonly reason?: string;
  readonly signature?: Uint8Array;
}

export function correct(usageId: string, to: To = {}, signer = provider): TestMessage {
  return own("MsgCorrectUsage", tx.MsgCorrectUsage, signer, {
    sender: signer.address,
    usageId,
    usageUnits: to.units ?? 2n,
    unitPrice: price(to.price ?? "1uve"),
    reason: to.reason ?? "counted wrongly",
    signature: to.signature ?? SIGNATURE,
  });
}

export function withdraw(
  usageId: string,
  o: { reason?: string; signature?: Uint8Array } = {},
  signer = provider,
): TestMessage {
  return own("MsgCorrectUsage", tx.MsgCorrectUsage, signer, {
    sender: signer.address,
    usageId,
    usageUnits: 0n,
    unitPrice: undefined,
    reason: o.reason ?? "not our job",
    signature: o.signature ?? SIGNATURE,
  });
}

/** @param max "1.5uve"; empty: no ceiling from now on */
export function ceiling(
  max: string,
  o: { order?: string; type?: string } = {},
  signer = customer,
): TestMessage {
  return own("MsgSetPriceCeiling", tx.MsgSetPriceCeiling, signer, {
    sender: signer.address,
    orderId: o.order ?? ORDER,
    usageType: o.type ?? "cpu",
    maxUnitPrice: max === "" ? undefined : price(max),
  });
}

export function clearAnomaly(usageId: string, signer = authority): TestMessage {
  const value = { sender: signer.address, usageId };
  return own("MsgClearAnomaly", tx.MsgClearAnomaly, signer, value);
}

/** Corrects a record and returns the id of the new one. */
export async function corrected(chain: TestChain, usageId: string, to: To = {}): Promise<string> {
  const result = await chain.ok(correct(usageId, to));
  return responseOf<tx.MsgCorrectUsageResponse>(result).usageId;
}

/** The ceilings of an order, each step as "from:1.5uve", or "from:" for none. */
export async function ceilingsOf(
  chain: TestChain,
  orderId = ORDER,
): Promise<Record<string, string[]>> {
  const path = "settled.settlement.v1.Query/PriceCeilings";
  const { priceCeilings } = await chain.query<QueryPriceCeilingsResponse>(path, { orderId });
  const entries = priceCeilings.map(({ usageType, steps }) => {
    const texts = steps.map(({ from, maxUnitPrice: max }) => {
      if (max === undefined) return `${from}:`;
      const whole = formatDec(BigInt(max.amount) as Dec);
      return `${from}:${whole.replace(/\.?0+$/, "")}${max.denom}`;
    });
    return [usageType, texts] as const;
  });
  return Object.fromEntries(entries);
}
