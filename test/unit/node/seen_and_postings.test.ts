import fc from "fast-check";
import { expect, test } from "vitest";
import { decodePostings, encodePostings } from "../../../src/node/block_keys.ts";
import { LruSet } from "../../../src/node/lru_set.ts";

test("the set of the seen is that of a plain list, whatever is added and deleted", () => {
  const entry = fc.integer({ min: 0, max: 9 }).map(String);
  const step = fc.record({ isAdd: fc.boolean(), entry });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(step, { maxLength: 60 }),
      (room, steps) => {
        const seen = new LruSet(room);
        let model: string[] = [];
        for (const { isAdd, entry: one } of steps) {
          const isKnown = model.includes(one);
          model = model.filter((other) => other !== one);
          if (isAdd) {
            expect(seen.add(one)).toBe(!isKnown);
            model = [...model, one].slice(-room);
          } else seen.delete(one);
          expect(seen.size).toBe(model.length);
          for (let each = 0; each <= 9; each += 1) {
            expect(seen.has(`${each}`)).toBe(model.includes(`${each}`));
          }
        }
      },
    ),
  );
});

test("postings come back as they were", () => {
  const gap = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 2 ** 40 }));
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 40 }),
      fc.array(gap, { maxLength: 20 }),
      (a, gaps) => {
        const indexes = [a];
        for (const one of gaps) indexes.push((indexes.at(-1) as number) + one);
        expect(decodePostings(encodePostings(indexes))).toEqual(indexes);
      },
    ),
  );
});
