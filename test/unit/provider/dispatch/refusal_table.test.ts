import { describe, expect, it } from "vitest";
import { backOffMs } from "../../../../src/provider/dispatch/back_off.ts";
import { REFUSALS, rowOf, verdictOf } from "../../../../src/provider/dispatch/refusal_table.ts";
import { troubleOf } from "../../../../src/provider/dispatch/trouble.ts";
import { fateOfRefusal } from "../../../../src/provider/dispatch/tx_fate.ts";
import type { FlyingTx } from "../../../../src/provider/dispatch/flight.ts";
import { parseGasPrice } from "../../../../src/provider/gas.ts";
import { registeredErrors } from "../../../../src/lib/errors.ts";
import "../../../../src/modules/settlement/errors.ts";
import "../../../../src/types/sdk_errors.ts";
import { outboxRecord } from "../outbox/records.ts";

const refusal = (codespace: string, code: number, log = "message index: 1: no") => {
  return { codespace, code, log };
};

function flying(count: number, gasFactor = 1n): FlyingTx {
  const records = Array.from({ length: count }, (_, at) => {
    return outboxRecord(at % 3, at, { state: "sent", attempts: 2 });
  });
  const sent = {
    ...{ hash: "AB", bytes: new Uint8Array(0), sequence: 1n, keys: [], timeoutHeight: 9n },
    sentMs: 0,
  };
  const flight = {
    absentHeight: 0n,
    isTaken: true,
    refusals: 0,
    offerNotBeforeMs: 0,
    used: undefined,
  };
  return { sent, records, gasFactor, ...flight };
}

const context = { nowMs: 1000, retry: { minMs: 100, maxMs: 5000 }, random: () => 0.5 };

function fate(tx: FlyingTx, of: ReturnType<typeof refusal>) {
  const judged = fateOfRefusal(tx, of, context);
  if (judged === "look") return { states: "look", groups: [] };
  const states = judged.records.map(({ state, notBeforeMs }) => `${state} ${notBeforeMs}`);
  const groups = judged.groups.map(({ keys, gasFactor }) => `${keys.length} × ${gasFactor}`);
  return { states, groups, pause: judged.pause };
}

describe("the table of refusals", () => {
  it("has only codes that the chain has, each with a reason, and no row that cannot be reached", () => {
    const known = new Set(registeredErrors().map(({ codespace, code }) => `${codespace}/${code}`));
    const seen = new Set<string>();
    for (const { codespace, code, why, text } of REFUSALS) {
      const name = `${codespace}/${code}`;
      expect(known, name).toContain(name);
      expect(why.length, name).toBeGreaterThan(10);
      expect(seen.has(name), `${name} after a row that takes all of it`).toBe(false);
      if (text === undefined) seen.add(name);
    }
  });

  it("tells by the text whether an escrow may be active yet, and whether a period may end yet", () => {
    const verdict = (code: number, log: string) => verdictOf(refusal("settlement", code, log), 1);
    expect(verdict(1519, "escrow-1: expected active, found pending: x")).toBe("later");
    expect(verdict(1519, "escrow-1: expected active, found released: x")).toBe("poison");
    expect(verdict(1512, "period ends at A, more than 60 s after block time B")).toBe("later");
    expect(verdict(1512, 'lease: expected "a", found "b"')).toBe("poison");
  });

  it("takes a code that it does not know for the fault of the message that is named", () => {
    expect(rowOf(refusal("other", 7))).toBeUndefined();
    expect(verdictOf(refusal("other", 7), 5)).toBe("poison");
    expect(verdictOf(refusal("other", 7, "panic"), 5)).toBe("split");
    expect(verdictOf(refusal("other", 7, "panic"), 1)).toBe("poison");
    // An index that the tx does not have names none.
    expect(verdictOf(refusal("settlement", 1512, "message index: 9: no"), 5)).toBe("split");
  });
});

describe("what becomes of the records of a refused tx", () => {
  it("takes out the one that is refused for good, and sends the rest together", () => {
    const { states, groups } = fate(flying(3), refusal("settlement", 1524));
    expect(states).toEqual(["pending 0", "refused 0", "pending 0"]);
    expect(groups).toEqual(["2 × 1"]);
  });

  it("takes out all records of an order whose escrow does not take any", () => {
    const log = "message index: 1: escrow-2: expected active, found pending";
    const { states, groups } = fate(flying(6), refusal("settlement", 1519, log));
    // The second time: 200 ms, of which the second half by chance.
    expect(states).toEqual([
      ...["pending 0", "pending 1150", "pending 0", "pending 0", "pending 1150", "pending 0"],
    ]);
    expect(groups).toEqual(["4 × 1"]);
  });

  it("D-13 halves a tx that names no message, until one record is left with the reason", () => {
    expect(fate(flying(5), refusal("undefined", 111_222, "panic")).groups).toEqual([
      ...["2 × 1", "3 × 1"],
    ]);
    expect(fate(flying(1), refusal("undefined", 111_222, "panic")).states).toEqual(["refused 0"]);
  });

  it("gives more gas, twice as much each time, and halves when that does not help", () => {
    const gas = refusal("sdk", 11, "out of gas");
    expect(fate(flying(4), gas).groups).toEqual(["4 × 2"]);
    expect(fate(flying(4, 16n), gas).groups).toEqual(["2 × 16", "2 × 16"]);
  });

  it("holds no record to account for fees, funds and keys: all wait", () => {
    for (const code of [4, 5, 9, 13]) {
      const { states, pause } = fate(flying(2), refusal("sdk", code, "no"));
      expect(states).toEqual(["pending 0", "pending 0"]);
      expect(pause).toMatchObject({ code });
    }
  });

  it("looks at what the chain has when it says that a period is recorded", () => {
    expect(fate(flying(2), refusal("settlement", 1514)).states).toBe("look");
  });
});

describe("waiting", () => {
  it("doubles up to the longest, half of it by chance", () => {
    const bounds = { minMs: 100, maxMs: 1000 };
    const least = [1, 2, 3, 4, 5, 60].map((failures) => backOffMs(failures, bounds, () => 0));
    expect(least).toEqual([50, 100, 200, 400, 500, 500]);
    expect(backOffMs(5, bounds, () => 0.999)).toBe(1000);
  });

  it("says what to do when nothing can be sent", () => {
    const price = parseGasPrice("0.025uve");
    const log = "insufficient fees; got: 1uve required: 2500uve: insufficient fee";
    expect(troubleOf(refusal("sdk", 13, log), "ve1a", price)).toMatch(
      /at least 2500uve.*gas price/,
    );
    expect(troubleOf(refusal("sdk", 5, "x"), "ve1a", price)).toMatch(
      /ve1a cannot pay.*send it uve/,
    );
  });
});
