import { expect, test } from "vitest";
import { type Bill, billsOf, netOf, type Row, type Terms } from "./oracle.ts";

// The oracle judges the daemon; these windows were reckoned by hand.

const ROW: Row = {
  ...{ order: "o", lease: "l", start: 0n, end: 3600n },
  ...{ cpuMs: 0n, memory: 0n, storage: 0n, gpu: 0n, netIn: 0n, netOut: 0n },
};
const ONE = { denom: "uve", atomics: 10n ** 18n };
const TERMS: Terms = {
  interval: 3600n,
  rounding: "floor",
  prices: { cpu: ONE, memory: ONE, storage: ONE, gpu: ONE, network: ONE },
};

const brief = (bills: readonly Bill[]) =>
  bills.map(({ type, start, end, units }) => `${units} ${type} ${start}-${end}`);

test("units are floored, a window without one bills the footprint", () => {
  const rows = [
    { ...ROW, cpuMs: 7_199_999n, netIn: 2n ** 29n, netOut: 2n ** 29n },
    { ...ROW, start: 3600n, end: 7200n, cpuMs: 3_599_999n },
  ];
  expect(brief(billsOf(rows, TERMS))).toEqual([
    "1 cpu 0-3600",
    "1 network 0-3600",
    "1 cpu 3600-7200",
  ]);
});

test("carry adds what is left, and then only an idle window bills the footprint", () => {
  const rows = [
    { ...ROW, cpuMs: 3_599_999n },
    { ...ROW, start: 3600n, end: 7200n, cpuMs: 1n },
    { ...ROW, start: 7200n, end: 10_800n },
    { ...ROW, start: 10_800n, end: 10_801n, gpu: 1n },
  ];
  expect(brief(billsOf(rows, { ...TERMS, rounding: "carry" }))).toEqual([
    "1 cpu 3600-7200",
    "1 cpu 7200-10800",
  ]);
});

test("under carry a record's period begins where the one before it ended", () => {
  const rows = [
    { ...ROW, cpuMs: 3_600_000n, gpu: 3600n },
    { ...ROW, start: 3600n, end: 7200n, cpuMs: 1_800_000n },
    { ...ROW, start: 7200n, end: 10_800n, cpuMs: 1_800_000n, gpu: 1n },
  ];
  expect(brief(billsOf(rows, { ...TERMS, rounding: "carry" }))).toEqual([
    ...["1 cpu 0-3600", "1 gpu 0-3600", "1 cpu 3600-10800"],
  ]);
});

test("a row over several windows is shared out by time, the remainder in the last", () => {
  const rows = [{ ...ROW, start: 1800n, end: 9000n, gpu: 4n * 3600n + 1n }];
  expect(brief(billsOf(rows, TERMS))).toEqual([
    "1 gpu 1800-3600",
    "2 gpu 3600-7200",
    "1 gpu 7200-9000",
  ]);
});

test("what nobody watched bills no footprint", () => {
  const rows = [
    ROW,
    { ...ROW, start: 7300n, end: 10_800n },
    { ...ROW, start: 10_800n, end: 10_900n },
  ];
  expect(brief(billsOf(rows, TERMS))).toEqual(["1 cpu 0-3600", "1 cpu 10800-10900"]);
});

test("fees are floored on the total, rewards on every record", () => {
  const [bill] = billsOf([{ ...ROW, cpuMs: 119n * 3_600_000n }], TERMS);
  const pair = { bill: bill as Bill, isAcknowledged: true };
  expect(netOf([pair], 4000n)).toEqual({ net: new Map([["uve", 119n - 5n - 1n]]), rewards: 11n });
  const late = netOf([pair, { ...pair, isAcknowledged: false }], 90_001n);
  expect(late).toEqual({ net: new Map([["uve", 238n - 11n - 2n]]), rewards: 9n + 8n });
});
