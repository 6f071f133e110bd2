import type { BilledUsage } from "../../client/usage_records.ts";
import { priceText } from "../price_text.ts";
import type { Difference, DifferenceKind } from "./difference.ts";
import type { OutsideRow } from "./outside_row.ts";
import {
  addQuantities,
  areEqual,
  areWithin,
  costOfQuantity,
  NO_UNITS,
  type Quantity,
  quantityText,
  wholeUnits,
} from "./quantity.ts";

/** What a row costs by the file: what it says itself, else floor(units × price). */
export function fileCost(row: OutsideRow, chainPrice: bigint): bigint {
  return row.cost ?? costOfQuantity(row.units, row.unitPrice ?? chainPrice);
}

/** A part of a difference before it has its place and time. */
type Cause = Pick<Difference, "kind" | "denom" | "amount" | "detail">;

/**
 * Why rows and records of the same usage differ in money, if they do: price, then units, then what
 * the file says itself beyond units × price. The causes add up to chain less file, exactly.
 * @param rows one or more
 * @param records one or more
 */
export function explain(
  rows: readonly OutsideRow[],
  records: readonly BilledUsage[],
): Difference[] {
  const [record] = records as readonly [BilledUsage];
  const [row] = rows as readonly [OutsideRow];
  const isOneDenom =
    records.every(({ denom }) => denom === record.denom) &&
    rows.every(({ denom = record.denom }) => denom === record.denom);
  const causes = isOneDenom ? causesOf(rows, records) : inTwoDenoms(rows, records);
  const last = { row: rows.at(-1) ?? row, record: records.at(-1) ?? record };
  const { orderId, leaseId } = record;
  return causes.map((cause) => ({
    ...cause,
    ...{ orderId, leaseId, usageType: row.usageType },
    periodStart: row.periodStart < record.periodStart ? row.periodStart : record.periodStart,
    periodEnd:
      last.row.periodEnd > last.record.periodEnd ? last.row.periodEnd : last.record.periodEnd,
    usageIds: records.map(({ usageId }) => usageId),
    places: rows.map(({ place }) => place),
  }));
}

function causesOf(rows: readonly OutsideRow[], records: readonly BilledUsage[]): Cause[] {
  const [{ denom, unitPrice: chainPrice }] = records as readonly [BilledUsage];
  // Several records at several prices have no common one: the rest is then not explained by units.
  const filePrice = rows.find(({ unitPrice }) => unitPrice !== undefined)?.unitPrice ?? chainPrice;
  const billed = sum(records.map(({ cost }) => cost));
  const atFilePrice = sum(records.map((each) => costAt(each.usageUnits, filePrice)));
  const calculated = sum(
    rows.map(({ units, unitPrice }) => costOfQuantity(units, unitPrice ?? filePrice)),
  );
  const stated = sum(rows.map((each) => fileCost(each, filePrice)));
  const causes: Cause[] = [];
  const add = (kind: DifferenceKind, amount: bigint, detail: string) => {
    causes.push({ kind, denom, amount, detail });
  };
  if (billed !== atFilePrice || filePrice !== chainPrice) {
    const [found, known] = [priceText(chainPrice, denom), priceText(filePrice, denom)];
    add("price", billed - atFilePrice, `a unit costs ${found} on the chain, ${known} in the file`);
  }
  const units = unitsOf(rows, records);
  if (atFilePrice !== calculated || units.kind === "units") {
    add(units.kind, atFilePrice - calculated, units.detail);
  }
  if (calculated !== stated) {
    const apart = calculated - stated;
    add(
      kindOfStated(apart, rows),
      apart,
      `the file says ${stated}, its units come to ${calculated}`,
    );
  }
  return causes;
}

function unitsOf(
  rows: readonly OutsideRow[],
  records: readonly BilledUsage[],
): { kind: "rounding" | "units"; detail: string } {
  const inFile = rows.map(({ units }) => units).reduce(addQuantities, NO_UNITS);
  const onChain = wholeUnits(sum(records.map(({ usageUnits }) => usageUnits)));
  const detail = `${quantityText(onChain)} units on the chain, ${quantityText(inFile)} in the file`;
  // Each window of either side is rounded once, by less than a unit.
  const windows = BigInt(Math.max(rows.length, records.length));
  if (areEqual(inFile, onChain) || areWithin(inFile, onChain, wholeUnits(windows))) {
    return { kind: "rounding", detail };
  }
  const isFootprint = rows[0]?.usageType === "cpu" && areOne(onChain) && inFile.numerator === 0n;
  if (isFootprint) return { kind: "rounding", detail: "an idle window is billed as one CPU-hour" };
  return { kind: "units", detail };
}

function areOne(units: Quantity): boolean {
  return units.numerator === units.denominator;
}

function kindOfStated(apart: bigint, rows: readonly OutsideRow[]): DifferenceKind {
  const size = apart < 0n ? -apart : apart;
  if (size <= BigInt(rows.length)) return "rounding";
  return rows.some(({ unitPrice }) => unitPrice !== undefined) ? "unexplained" : "price";
}

/** Amounts of two denoms do not add up: each side stands for itself. */
function inTwoDenoms(rows: readonly OutsideRow[], records: readonly BilledUsage[]): Cause[] {
  const causes: Cause[] = [];
  for (const { denom, cost } of records) {
    causes.push({ kind: "price", denom, amount: cost, detail: "the file has another denom" });
  }
  for (const row of rows) {
    const denom = row.denom ?? records[0]?.denom ?? "";
    const amount = -fileCost(row, records[0]?.unitPrice ?? 0n);
    causes.push({ kind: "price", denom, amount, detail: "the chain has another denom" });
  }
  return causes;
}

function costAt(units: bigint, unitPrice: bigint): bigint {
  return costOfQuantity(wholeUnits(units), unitPrice);
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}
