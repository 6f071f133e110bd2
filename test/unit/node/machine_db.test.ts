import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOfKey, type Key } from "../../../src/lib/key.ts";
import { openMachineDb } from "../../../src/node/machine_db.ts";
import type { Db, RangeInput } from "../../../src/store/db.ts";
import { openMemoryDb } from "../../../src/store/leveldb.ts";

/** Keys of the state below the indexes, and of the store's own facts: what is kept. */
const keys = fc
  .tuple(
    fc.constantFrom("S\x01", "S\x83", "S\xbf", "M"),
    fc.constantFrom("", "a", "b", "ab", "\xff"),
  )
  .map(([space, rest]) => space + rest);

const batches = fc.array(
  fc.record({
    key: keys,
    value: fc.option(fc.uint8Array({ maxLength: 6 }), { nil: undefined }),
    height: fc.option(fc.nat(1000), { nil: undefined }),
  }),
  { maxLength: 12 },
);

interface Write {
  readonly key: string;
  readonly value?: Uint8Array | undefined;
  readonly height?: number | undefined;
}

async function apply(db: Db, writes: readonly Write[]): Promise<void> {
  const batch = db.batch();
  for (const each of writes) {
    if (each.value === undefined) batch.del(each.key);
    else if (each.height === undefined) batch.put(each.key, each.value);
    else batch.putVersioned(each.key, each.value, each.height);
  }
  await batch.write({ sync: true });
}

async function entries(db: Pick<Db, "range">, input: RangeInput) {
  const found: [Uint8Array, Uint8Array][] = [];
  for await (const entry of db.range(input)) found.push(entry);
  return found;
}

test("what it keeps is what LevelDB would keep", async () => {
  const property = fc.asyncProperty(
    fc.array(batches, { maxLength: 4 }),
    keys,
    fc.option(keys, { nil: undefined }),
    fc.boolean(),
    fc.integer({ min: -1, max: 5 }),
    async (written, from, to, reverse, limit) => {
      const [mine, level] = [openMachineDb(), await openMemoryDb()];
      for (const batch of written) for (const db of [mine, level]) await apply(db, batch);
      const key = bytesOfKey(from as Key);
      expect(mine.getSync(key)).toEqual(level.getSync(key));
      const lt = to === undefined ? undefined : bytesOfKey(to as Key);
      const input = { gte: key, lt, reverse, limit };
      expect(await entries(mine, input)).toEqual(await entries(level, input));
      const [a, b] = [
        mine.iterator({ gte: bytesOfKey("M" as Key), reverse }),
        level.iterator({ gte: bytesOfKey("M" as Key), reverse }),
      ];
      for (const walk of [a, b]) walk.seek(key);
      expect(await a.next()).toEqual(await b.next());
      expect(await a.next()).toEqual(await b.next());
      await Promise.all([a.close(), b.close()]);
      await level.close();
    },
  );
  await fc.assert(property, { numRuns: 200 });
});

test("indexes, history and blocks are dropped, and a snapshot stands still", async () => {
  const db = openMachineDb();
  const value = Uint8Array.of(1);
  for (const key of ["S\x01a", "S\xbfa", "S\xc0a", "S\xffa", "Ha", "Ca", "Ba", "Mversion"]) {
    await db.write([{ key, value }]);
  }
  const all = await entries(db, { gte: new Uint8Array(0) });
  expect(all.map(([key]) => String.fromCharCode(...key))).toEqual(["Mversion", "S\x01a", "S\xbfa"]);
  const snapshot = db.snapshot();
  await db.write([{ key: "S\x01a", value: Uint8Array.of(2) }]);
  const key = bytesOfKey("S\x01a" as Key);
  expect(snapshot.getSync(key)).toEqual(value);
  expect(db.getSync(key)).toEqual(Uint8Array.of(2));
  value[0] = 9;
  expect(snapshot.getSync(key)).toEqual(Uint8Array.of(1));
  await snapshot.close();
});
