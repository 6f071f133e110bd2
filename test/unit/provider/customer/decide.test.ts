import { expect, test } from "vitest";
import type { BilledUsage } from "../../../../src/client/usage_records.ts";
import { decide } from "../../../../src/provider/customer/decide.ts";
import { parsePolicy, type Policy, readPolicy } from "../../../../src/provider/customer/policy.ts";
import { inRoot } from "../../../architecture/repository.ts";
import { SecondMeter } from "../../../../src/provider/customer/second_meter.ts";
import { parseQuantity, quantityText } from "../../../../src/provider/reconcile/quantity.ts";

const ONE = 10n ** 18n;
const subject = { orderId: "o", leaseId: "l", usageType: "cpu" };

function meterOf(...rows: readonly (readonly [start: bigint, end: bigint, units: string])[]) {
  const meter = new SecondMeter();
  for (const [periodStart, periodEnd, text] of rows) {
    const units = parseQuantity(text);
    if (units === undefined) throw new Error(`not a quantity: ${text}`);
    const price = { denom: undefined, unitPrice: undefined, cost: undefined };
    meter.add({ ...subject, periodStart, periodEnd, units, ...price, place: "file:1" });
  }
  meter.sort();
  return meter;
}

function record(units: bigint, more: Partial<BilledUsage> = {}): BilledUsage {
  return {
    ...{ usageId: "usage-1", ...subject, usageType: "Compute", provider: "p", customer: "c" },
    ...{ usageUnits: units, periodStart: 0n, periodEnd: 100n, denom: "uve", unitPrice: 10n * ONE },
    ...{ cost: units * 10n, isAcknowledged: false, isSettled: false, status: "" },
    ...more,
  };
}

function policyOf(more: object = {}): Policy {
  return parsePolicy({ tolerance: { share: "0.02", units: 1n }, ...more }, "policy.yaml");
}

const actionOf = (units: bigint, metered: string, policy = policyOf({ differs: "dispute" })) => {
  return decide(record(units), policy, meterOf([0n, 100n, metered])).action;
};

test("meters agree within a share or within so many units, whichever is more", () => {
  expect(actionOf(3n, "4")).toBe("acknowledge");
  expect(actionOf(3n, "4.000000000000000001")).toBe("dispute");
  expect(actionOf(102n, "100")).toBe("acknowledge");
  expect(actionOf(103n, "100")).toBe("dispute");
  expect(actionOf(1000n, "980.4")).toBe("acknowledge");
});

test("what a policy does not say is done by a person", () => {
  const cautious = policyOf();
  expect(actionOf(9n, "1", cautious)).toBe("wait");
  expect(decide(record(9n), cautious, undefined)).toMatchObject({ action: "wait" });
  expect(decide(record(9n), policyOf({ unmetered: "dispute" }), undefined).action).toBe("dispute");
});

test("a price above the agreed one is a difference, and a high cost waits", () => {
  const meter = meterOf([0n, 100n, "5"]);
  const dear = policyOf({ differs: "dispute", limits: { unit_price: { cpu_hours: "9.5uve" } } });
  expect(decide(record(5n), dear, meter)).toMatchObject({
    action: "dispute",
    why: "a unit costs 10uve, at most 9.5uve is agreed",
  });
  const other = policyOf({ differs: "dispute", limits: { unit_price: { cpu: "99uusd" } } });
  expect(decide(record(5n), other, meter).action).toBe("dispute");
  const small = policyOf({ limits: { cost: "49uve" } });
  expect(decide(record(5n), small, meter).action).toBe("wait");
  expect(decide(record(4n), small, meter).action).toBe("acknowledge");
});

test("a meter's rows are shared out by time, exactly, and count only when they cover all", () => {
  const meter = meterOf([0n, 30n, "1"], [30n, 60n, "1"], [90n, 150n, "6"]);
  const units = (start: bigint, end: bigint) => {
    const reading = meter.usage(subject, start, end);
    return reading === undefined ? undefined : quantityText(reading.units);
  };
  expect(units(0n, 60n)).toBe("2");
  expect(units(10n, 45n)).toBe("~1.166666");
  expect(units(95n, 105n)).toBe("1");
  expect(units(0n, 61n), "nothing of 60 to 90").toBeUndefined();
  expect(units(80n, 100n)).toBeUndefined();
  expect(units(200n, 300n)).toBeUndefined();
  expect(meter.usage({ ...subject, leaseId: "other" }, 0n, 60n)).toBeUndefined();
  const twice = meterOf([0n, 60n, "1"], [30n, 60n, "1"]);
  expect(twice.usage(subject, 0n, 60n), "the same time twice").toBeUndefined();
});

test("a policy that cannot be meant is refused with field, expected and found", () => {
  const refusal = (policy: unknown) => () => parsePolicy(policy, "p.yaml");
  expect(refusal({ agree: "acknowledge" })).toThrow(/unknown field "agree", expected .*agrees/);
  expect(refusal({ tolerance: { shar: "1" } })).toThrow(/unknown field "tolerance.shar"/);
  expect(refusal({ tolerance: { share: 0.02 } })).toThrow(
    /tolerance.share: expected a decimal in quotes, as in "0.02", found 0.02/,
  );
  expect(refusal({ differs: "acknowledge" })).toThrow(/differs: expected "dispute" or "wait"/);
  expect(refusal({ agrees: "dispute" })).toThrow(/agrees: expected "acknowledge" or "wait"/);
  expect(refusal({ unmetered: "pay" })).toThrow(/unmetered: expected .*, found "pay"/);
  expect(refusal({ limits: { cost: "12" } })).toThrow(/limits.cost: expected an amount/);
  expect(refusal({ limits: { unit_price: { cpu: "x" } } })).toThrow(/limits.unit_price.cpu/);
  expect(refusal({ orders: "o" })).toThrow(/orders: expected a list of texts, found "o"/);
  expect(refusal([])).toThrow(/the policy is not a map/);
});

test("the example policy can be read, and finds its meter beside it", async () => {
  const policy = await readPolicy(inRoot("examples/policy.yaml"));
  expect(policy.meterFile).toBe(inRoot("examples/second-meter.csv"));
  expect(policy.unitPriceMax.get("cpu")).toEqual({ denom: "uve", atomics: 1500n * ONE });
  expect(policy.costMax).toEqual({ denom: "uve", amount: 1_000_000n });
});
