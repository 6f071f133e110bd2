import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex, utf8 } from "../../src/lib/bytes.ts";
import { bytesOfKey, type Key } from "../../src/lib/key.ts";
import { nodeCrypto } from "../../src/node/crypto_native.ts";
import { Commitment } from "../../src/store/commitment.ts";
import { openMemoryDb } from "../../src/store/leveldb.ts";
import { loadStore } from "../../src/store/load.ts";
import { commitStaged } from "../../src/store/reader.ts";
import { Store } from "../../src/store/store.ts";
import type { TimeNs } from "../../src/types/time.ts";
import { runs, TIMEOUT } from "./runs.ts";

const { hasher } = nodeCrypto();

/** A prefix that is walked and committed, one that is walked and derived, one with point reads. */
const PREFIXES = ["\x01\x01", "\x81\x02", "\x01\x03"] as const;
const ITERABLE = [PREFIXES[0], PREFIXES[1]] as unknown as Key[];

const key: fc.Arbitrary<Key> = fc
  .tuple(
    fc.constantFrom(...PREFIXES),
    fc.array(fc.constantFrom(0, 1, 0x7f, 0x80, 0xfe, 0xff), { maxLength: 3 }),
  )
  .map(([prefix, bytes]) => (prefix + String.fromCharCode(...bytes)) as Key);

type Action =
  | { do: "set"; key: Key; value: number }
  | { do: "delete"; key: Key }
  | { do: "walk"; prefix: Key }
  | { do: "open" | "keep" | "drop" }
  | { do: "commit" };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("set" as const), key, value: fc.nat(255) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("delete" as const), key }) },
  {
    weight: 3,
    arbitrary: key
      .filter((each) => !each.startsWith(PREFIXES[2]))
      .map((prefix) => ({ do: "walk" as const, prefix })),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom("open", "keep", "drop").map((each) => {
      return { do: each } as Action;
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "commit" } as Action) },
);

type Plain = Map<Key, number>;

function walked(plain: Plain, prefix: Key): [string, number][] {
  return [...plain]
    .filter(([each]) => each.startsWith(prefix))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

const OPTIONS = { iterablePrefixes: ITERABLE, depth: 4, hasher };

describe("the store", () => {
  test(
    "reads and walks like a plain sorted map, through parts of an overlay that are kept or dropped",
    async () => {
      const property = fc.asyncProperty(
        fc.array(action, { minLength: 20, maxLength: 120, size: "max" }),
        async (actions) => {
          const db = await openMemoryDb();
          let store = new Store({ ...OPTIONS, db });
          // The open parts: the last is the one that is written.
          let overlay = store.overlay();
          let plains: Plain[] = [new Map()];
          let height = 0n;
          for (const each of actions) {
            const plain = plains.at(-1) as Plain;
            if (each.do === "set") {
              overlay.set(each.key, Uint8Array.of(each.value));
              plain.set(each.key, each.value);
            } else if (each.do === "delete") {
              overlay.delete(each.key);
              plain.delete(each.key);
            } else if (each.do === "walk") {
              const found = [...overlay.iterate(each.prefix)].map(([k, v]) => [k, v[0]]);
              expect(found).toEqual(walked(plain, each.prefix));
            } else if (each.do === "open") {
              overlay.begin();
              plains.push(new Map(plain));
            } else if (each.do === "keep" && plains.length > 1) {
              plains.splice(-2, 1);
              overlay.keep();
            } else if (each.do === "drop" && plains.length > 1) {
              plains.pop();
              overlay.drop();
            } else if (each.do === "commit") {
              for (; plains.length > 1; plains.pop()) overlay.drop();
              const [bottom, base] = [overlay, plains[0] as Plain];
              height += 1n;
              const hash = store.stage(bottom, { height, time: height as TimeNs });
              await commitStaged(store, []);
              store = new Store({ ...OPTIONS, db });
              // Loading checks that the contents hash to the recorded app hash.
              await loadStore(store, () => undefined);
              expect(toHex(store.version?.appHash ?? new Uint8Array(0))).toBe(toHex(hash));
              expect(toHex(hash)).toBe(rootOf(base));
              overlay = store.overlay();
              plains = [new Map(base)];
            }
            const top = plains.at(-1) as Plain;
            for (const known of top.keys()) {
              expect(overlay.get(known)?.[0]).toBe(top.get(known));
            }
          }
        },
      );
      await fc.assert(property, runs(40));
    },
    TIMEOUT,
  );

  test("a walk does not show what is written while it goes on", async () => {
    const store = new Store({ ...OPTIONS, db: await openMemoryDb() });
    const overlay = store.overlay();
    const at = (n: number) => (PREFIXES[0] + String.fromCharCode(n)) as Key;
    for (const n of [1, 3, 5]) overlay.set(at(n), Uint8Array.of(n));
    const seen: number[] = [];
    for (const [, value] of overlay.iterate(PREFIXES[0] as Key)) {
      seen.push(value[0] as number);
      overlay.set(at(4), Uint8Array.of(4));
      overlay.delete(at(5));
    }
    expect(seen).toEqual([1, 3, 5]);
    const after = [...overlay.iterate(PREFIXES[0] as Key)].map(([, value]) => value[0]);
    expect(after).toEqual([1, 3, 4]);
  });

  test("a prefix that is not declared cannot be walked, and a query index not be read", async () => {
    const overlay = new Store({ ...OPTIONS, db: await openMemoryDb() }).overlay();
    expect(() => overlay.iterate(PREFIXES[2] as Key)).toThrow("not declared iterable");
    expect(() => overlay.get("\xc1\x01a" as Key)).toThrow("never reads a query index");
  });

  test("a state on disk that does not hash to its app hash is refused", async () => {
    const db = await openMemoryDb();
    const store = new Store({ ...OPTIONS, db });
    const overlay = store.overlay();
    overlay.set(`${PREFIXES[0]}a` as Key, Uint8Array.of(1));
    store.stage(overlay, { height: 1n, time: 1n as TimeNs });
    await commitStaged(store, []);
    await db.write([{ key: `S${PREFIXES[0]}a`, value: Uint8Array.of(2, 0, 0, 0, 0, 0, 1) }]);
    const damaged = loadStore(new Store({ ...OPTIONS, db }), () => undefined);
    await expect(damaged).rejects.toThrow("does not match its app hash");
  });
});

/** The app hash of contents, written into a commitment of their own. */
function rootOf(plain: ReadonlyMap<Key, number>): string {
  const commitment = new Commitment(4, hasher);
  for (const [each, value] of plain) {
    if (each.charCodeAt(0) < 0x80) commitment.update(each, Uint8Array.of(value));
  }
  return toHex(commitment.appHash());
}

describe("the commitment", () => {
  const pairs = fc.uniqueArray(fc.tuple(fc.string({ maxLength: 8 }), fc.nat(255)), {
    selector: ([text]) => text,
    maxLength: 200,
    size: "max",
  });
  const asKey = (text: string): Key => Buffer.from(utf8(text)).toString("latin1") as Key;

  test("equal contents give equal roots, whatever the order of writes and what came between", () => {
    const property = fc.property(pairs, fc.integer(), fc.boolean(), (list, seed, hashBetween) => {
      const straight = new Commitment(4, hasher);
      for (const [text, value] of list) straight.update(asKey(text), Uint8Array.of(value));
      const shuffled = new Commitment(4, hasher);
      const order = [...list].sort((a, b) => mix(a[0], seed) - mix(b[0], seed));
      for (const [text] of order) shuffled.update(asKey(`${text} passing`), Uint8Array.of(1));
      for (const [text, value] of order) {
        shuffled.update(asKey(text), Uint8Array.of(value ^ 1));
        if (hashBetween) shuffled.appHash();
        shuffled.update(asKey(`${text} passing`), undefined);
        shuffled.update(asKey(text), Uint8Array.of(value));
      }
      for (const [text] of list) shuffled.update(asKey(`${text} passing`), undefined);
      expect(toHex(shuffled.appHash())).toBe(toHex(straight.appHash()));
      expect(shuffled.pairCount).toBe(straight.pairCount);
    });
    fc.assert(property, runs(15));
  });

  test("over 64 pairs in one bucket it splits, and goes back to what it was", () => {
    const bucketOf = (each: Key) => (hasher.sha256(bytesOfKey(each))[0] as number) >> 4;
    const keys: Key[] = [];
    for (let n = 0; keys.length < 200; n += 1) {
      if (bucketOf(`k${n}` as Key) === 3) keys.push(`k${n}` as Key);
    }
    const commitment = new Commitment(4, hasher);
    const roots: string[] = [toHex(commitment.appHash())];
    for (const each of keys) {
      commitment.update(each, utf8(each));
      roots.push(toHex(commitment.appHash()));
    }
    expect(new Set(roots).size).toBe(roots.length);
    for (let count = keys.length; count > 0; count -= 1) {
      commitment.update(keys[count - 1] as Key, undefined);
      expect(toHex(commitment.appHash())).toBe(roots[count - 1]);
    }
    const backwards = new Commitment(4, hasher);
    for (const each of [...keys].reverse()) backwards.update(each, utf8(each));
    expect(toHex(backwards.appHash())).toBe(roots.at(-1));
  });

  test("another value, another key or another depth gives another root", () => {
    const root = (depth: number, entries: Record<string, string>): string => {
      const commitment = new Commitment(depth, hasher);
      for (const [k, v] of Object.entries(entries)) commitment.update(k as Key, utf8(v));
      return toHex(commitment.appHash());
    };
    const found = [
      root(4, {}),
      root(5, {}),
      root(4, { a: "1" }),
      root(5, { a: "1" }),
      root(4, { a: "2" }),
      root(4, { b: "1" }),
      root(4, { a: "1", b: "1" }),
      root(4, { a: "" }),
    ];
    expect(new Set(found).size).toBe(found.length);
  });
});

/** A pseudo-random number of a text and a seed, for a shuffle that can be run again. */
function mix(text: string, seed: number): number {
  let hash = seed | 0;
  for (const char of text) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) | 0;
  return hash;
}
