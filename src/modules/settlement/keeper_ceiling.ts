import type { Context } from "../../baseapp/context.ts";
import { DecodedCache } from "../../baseapp/decoded_cache.ts";
import { PriceCeilingState, type PriceCeilingStep } from "../../gen/settled/settlement/v1/state.ts";
import { must } from "../../lib/assert.ts";
import { ChainError } from "../../lib/errors.ts";
import type { Dec } from "../../types/dec.ts";
import { formatDec } from "../../types/dec.ts";
import { secondsOf } from "../../types/time.ts";
import * as errors from "./errors.ts";
import { priceCeilingSet } from "./events_usage.ts";
import { escrowId } from "./ids.ts";
import {
  type EscrowKeeper,
  isLive,
  quote,
  requireUnexpired,
  unauthorized,
} from "./keeper_escrow.ts";
import { priceCeilingKey } from "./keys.ts";
import type { Records } from "./records.ts";
import { statusName } from "./status_names.ts";
import { invalidUsage } from "./usage_facts.ts";
import { normaliseUsageType } from "../../types/usage_type.ts";

/** Steps that one order and usage type keep; the oldest is dropped for a new one. */
export const CEILING_STEPS_MAX = 64;

const DECODED_MAX = 4096;

/** A price per unit: atomics of a denom. */
export interface UnitPrice {
  readonly denom: string;
  readonly price: Dec;
}

/** What a customer lets a unit of usage cost (RULES 15). */
export class CeilingKeeper {
  readonly #records: Records;
  readonly #escrows: EscrowKeeper;
  readonly #ceilings = new DecodedCache(PriceCeilingState, DECODED_MAX);

  constructor(records: Records, escrows: EscrowKeeper) {
    this.#records = records;
    this.#escrows = escrows;
  }

  /**
   * Sets the ceiling for periods that start later than the block's time; without `max` there is none
   * from then on. By the depositor of the order's newest escrow while that lives.
   * @returns the second from which it holds
   */
  set(
    ctx: Context,
    request: { sender: string; orderId: string; usageType: string; max: UnitPrice | undefined },
  ): bigint {
    const { sender, orderId, max } = request;
    const escrow = this.#escrows.ofOrder(ctx, orderId);
    if (sender !== escrow.depositor) throw unauthorized(sender, `depositor ${escrow.depositor}`);
    if (!isLive(escrow.status)) {
      const detail = `${escrowId(escrow.seq)}: expected pending, active or disputed, found ${statusName(escrow.status)}`;
      throw new ChainError(errors.ErrEscrowNotActive, detail);
    }
    requireUnexpired(ctx, escrow);
    const usageType = normaliseUsageType(request.usageType);
    const before = this.#ceilings.read(ctx.kv, priceCeilingKey(orderId, usageType));
    // Periods start at whole seconds: the first one later than now, whatever the nanoseconds say.
    const from = secondsOf(ctx.time) + 1n;
    const step = stepOf(from, max);
    requireChange(before?.steps.at(-1), step, `${quote(usageType)} of order ${quote(orderId)}`);
    const steps = [...(before?.steps ?? []).filter((each) => each.from < from), step];
    const kept = steps.slice(-CEILING_STEPS_MAX);
    writeCeiling(ctx, this.#records, { orderId, usageType, steps: kept });
    const maxUnitPrice = max === undefined ? "" : textOf(max);
    ctx.emit(priceCeilingSet({ orderId, customer: sender, usageType, maxUnitPrice, from }));
    return from;
  }

  /**
   * Whether a report may have its price: asked only for orders that have a ceiling.
   * @param report `periodStart` in unix seconds
   * @throws ChainError settlement/1512 naming the ceiling and the price.
   */
  requireBelow(
    ctx: Context,
    report: UnitPrice & { orderId: string; usageType: string; periodStart: bigint },
  ): void {
    const key = priceCeilingKey(report.orderId, normaliseUsageType(report.usageType));
    const steps = this.#ceilings.read(ctx.kv, key)?.steps ?? [];
    const step = steps.findLast(({ from }) => from <= report.periodStart);
    if (step === undefined || step.maxUnitPrice === "") return;
    const max = { denom: step.denom, price: BigInt(step.maxUnitPrice) as Dec };
    if (report.denom === max.denom && report.price <= max.price) return;
    const detail = `unit price: expected at most ${textOf(max)}, which the customer set for periods from ${step.from}, found ${textOf(report)}`;
    throw invalidUsage(detail);
  }
}

/** Writes a ceiling, and counts a new one on its order. */
export function writeCeiling(ctx: Context, records: Records, ceiling: PriceCeilingState): void {
  const { orderId } = ceiling;
  const key = priceCeilingKey(orderId, ceiling.usageType);
  if (!ctx.kv.has(key)) {
    const order = must(records.order(ctx, orderId), "settlement: an order is there");
    records.setOrder(ctx, orderId, { ...order, priceCeilings: order.priceCeilings + 1 });
  }
  ctx.kv.set(key, PriceCeilingState.encode(ceiling).finish());
}

function stepOf(from: bigint, max: UnitPrice | undefined): PriceCeilingStep {
  if (max === undefined) return { from, denom: "", maxUnitPrice: "" };
  return { from, denom: max.denom, maxUnitPrice: max.price.toString() };
}

function requireChange(
  last: PriceCeilingStep | undefined,
  step: PriceCeilingStep,
  what: string,
): void {
  const { denom = "", maxUnitPrice = "" } = last ?? {};
  if (denom !== step.denom || maxUnitPrice !== step.maxUnitPrice) return;
  const found =
    maxUnitPrice === ""
      ? "has no price ceiling"
      : `has this price ceiling for periods from ${last?.from}`;
  throw invalidUsage(`nothing changes: ${what} ${found}`);
}

function textOf({ denom, price }: UnitPrice): string {
  return `${formatDec(price)}${denom}`;
}
