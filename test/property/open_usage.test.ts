import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { u48Key } from "../../src/lib/key.ts";
import { numberAtEnd } from "../../src/modules/settlement/keys.ts";
import * as lists from "../../src/modules/settlement/open_usage.ts";
import { numbersOfEntry } from "../../src/modules/settlement/seq_list.ts";
import type { Overlay } from "../../src/store/overlay.ts";
import { openChain } from "../testkit/chain.ts";
import { machineOf } from "../testkit/machine.ts";
import { runs } from "./runs.ts";

let kv: Overlay;
beforeAll(async () => {
  kv = (await machineOf(await openChain())).overlay;
});

/** What is done, to one of two escrows; `part` of it is a share of what is there, 0 to 1. */
interface Step {
  readonly escrow: 1 | 2;
  readonly what: "append" | "remove first" | "remove scattered" | "reopen" | "fail";
  readonly count: number;
  readonly gap: number;
  readonly part: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  escrow: fc.constantFrom(1, 2),
  what: fc.constantFrom("append", "append", "remove first", "remove scattered", "reopen", "fail"),
  count: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 450 })),
  gap: fc.constantFrom(1, 1, 2, 127, 128, 129, 20_000),
  part: fc.double({ min: 0, max: 1, noNaN: true }),
});

/** Numbers that are there, as a plain set, and those that were. */
class Model {
  open = new Set<number>();
  closed = new Set<number>();

  sorted(): number[] {
    return [...this.open].sort((a, b) => a - b);
  }

  close(seqs: readonly number[]): void {
    for (const seq of seqs) {
      this.open.delete(seq);
      this.closed.add(seq);
    }
  }
}

/** Does a step to the lists, and to the model; numbers of all escrows come from `next`. */
function perform(models: Record<1 | 2, Model>, next: number, it: Step): number {
  const model = models[it.escrow];
  const escrowSeq = BigInt(it.escrow);
  const sorted = model.sorted();
  if (it.what === "append") {
    const seqs = Array.from({ length: it.count }, (_, index) => next + index * it.gap);
    lists.appendOpen(kv, escrowSeq, seqs);
    for (const seq of seqs) model.open.add(seq);
    return next + it.count * it.gap;
  }
  if (it.what === "reopen") {
    const again = [...model.closed].slice(0, it.count);
    // From the highest on and from the lowest on, by turns.
    for (const seq of it.gap === 1 ? again : again.toReversed()) {
      lists.insertOpen(kv, escrowSeq, seq);
      model.closed.delete(seq);
      model.open.add(seq);
    }
    return next;
  }
  const every = 1 + Math.floor(it.part * 20);
  const chosen =
    it.what === "remove first"
      ? sorted.slice(0, it.count)
      : sorted.filter((_, index) => index % every === 0);
  if (it.what === "fail") kv.begin();
  lists.removeOpen(kv, escrowSeq, chosen);
  if (it.what === "fail") kv.drop();
  else model.close(chosen);
  return next;
}

function check(escrowSeq: bigint, model: Model): void {
  const sorted = model.sorted();
  const entries = [...kv.iterate(lists.openListKey(escrowSeq))];
  expect(entries.map(numbersOfEntry).flat()).toEqual(sorted);
  expect([...lists.openSeqs(kv, escrowSeq)].map(Number)).toEqual(sorted);
  const from = sorted[Math.floor(sorted.length / 2)] ?? 1;
  for (const first of [from, from + 1]) {
    const rest = [...lists.openSeqs(kv, escrowSeq, BigInt(first))].map(Number);
    expect(rest).toEqual(sorted.filter((seq) => seq >= first));
  }
  expect(lists.openCount(kv, escrowSeq)).toBe(sorted.length);
  const last = entries.at(-1);
  expect(lists.readHead(kv.get(lists.openHeadKey(escrowSeq)))).toEqual({
    count: sorted.length,
    tail: last === undefined ? 0 : numberAtEnd(last[0]),
  });
  for (const [key, value] of entries) {
    expect(numbersOfEntry([key, value]).length).toBeLessThanOrEqual(lists.OPEN_LIST_MAX);
    expect(key).toBe(`${lists.openListKey(escrowSeq)}${u48Key(numberAtEnd(key))}`);
  }
}

test("lists of open records are the set of what was recorded and not closed", () => {
  const property = fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
    kv.begin();
    try {
      const models = { 1: new Model(), 2: new Model() };
      let next = 1;
      for (const each of steps) {
        next = perform(models, next, each);
        check(1n, models[1]);
        check(2n, models[2]);
      }
    } finally {
      kv.drop();
    }
  });
  fc.assert(property, runs(150));
});
