import { beforeEach, describe, expect, test } from "vitest";
import {
  Coverage,
  OrderState,
  UsageState,
  UsageStatus,
} from "../../../src/gen/settled/settlement/v1/state.ts";
import { bytesOfKey, type Key } from "../../../src/lib/key.ts";
import * as keys from "../../../src/modules/settlement/keys.ts";
import { customer } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { ceiling, corrected, withdraw } from "../../testkit/corrections.ts";
import { LEASE, msg, ORDER } from "../../testkit/messages.ts";
import { activeEscrow, recorded } from "../../testkit/orders.ts";
import { slot } from "../../testkit/times.ts";

/** Usage 1 is corrected by 4, 2 is withdrawn, 3 is open; the order has a price ceiling. */
let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
  await activeEscrow(chain);
  const ids: string[] = [];
  for (const n of [0, 1, 2]) ids.push(await recorded(chain, { ...slot(n), units: 5n }));
  await corrected(chain, ids[0] as string, { units: 6n });
  await chain.ok(withdraw(ids[1] as string));
  await chain.ok(ceiling("2uve"));
});

const meter = keys.meterKey({ orderId: ORDER, leaseId: LEASE, type: "cpu" });
const usageKey = (seq: bigint): Key => keys.recordKey(keys.USAGE_PREFIX, seq);

async function onDisk(key: string): Promise<Uint8Array> {
  const found = await chain.db.get(bytesOfKey(`S${key}` as Key));
  return found as Uint8Array;
}

async function put(key: string, value: Uint8Array): Promise<void> {
  const batch = chain.db.batch();
  batch.putVersioned(`S${key}`, value, 0);
  await batch.write({ sync: true });
}

test("the state of a correction, a withdrawal and a ceiling passes every invariant", async () => {
  await chain.checkFullInvariants();
  await chain.app.checkDerivedKeys();
});

describe("one changed value of a meter's coverage is noticed", () => {
  test.each<[name: string, change: (coverage: Coverage) => void]>([
    ["a start", ({ starts }) => void (starts[0] = (starts[0] ?? 0n) - 1n)],
    ["an end", ({ ends }) => void (ends[0] = (ends[0] ?? 0n) - 1n)],
    ["units of a last record", ({ recentUnits }) => void (recentUnits[2] = 6n)],
    ["seconds of a last record", ({ recentSeconds }) => void (recentSeconds[2] = 61)],
    ["a withdrawn record that counts", ({ recentSeconds }) => void (recentSeconds[1] = 60)],
    ["the units that were corrected", ({ recentUnits }) => void (recentUnits[0] = 5n)],
    ["how many there were", (coverage) => void (coverage.reports += 1n)],
  ])("%s", async (_, change) => {
    const coverage = Coverage.decode(await onDisk(meter));
    change(coverage);
    await put(meter, Coverage.encode(coverage).finish());
    await expect(chain.checkFullInvariants()).rejects.toThrow(
      "coverage is not that of its records",
    );
  });

  test("a meter of no record", async () => {
    const other = keys.meterKey({ orderId: ORDER, leaseId: LEASE, type: "gpu" });
    await put(other, Coverage.encode(Coverage.fromPartial({ meter: 2n })).finish());
    await expect(chain.checkFullInvariants()).rejects.toThrow(
      "coverage is not that of its records",
    );
  });
});

describe("one changed value of a record is noticed", () => {
  test.each<[name: string, seq: bigint, change: Partial<UsageState>, part: string]>([
    ["a correction of another", 4n, { correctsSeq: 3n }, "does not name its correction"],
    ["a record corrected by another", 1n, { correctedBySeq: 3n }, "does not name its correction"],
    [
      "an open record with a correction",
      3n,
      { correctedBySeq: 4n },
      "does not name its correction",
    ],
    ["a paid record that was corrected", 1n, { settledAmount: "1" }, "I-12"],
    ["a paid record that was withdrawn", 2n, { settledAmount: "1" }, "I-12"],
    [
      "a withdrawn record that is settled",
      2n,
      { status: UsageStatus.USAGE_STATUS_SETTLED },
      "coverage is not",
    ],
  ])("%s", async (_, seq, change, part) => {
    const usage = UsageState.decode(await onDisk(usageKey(seq)));
    await put(usageKey(seq), UsageState.encode({ ...usage, ...change }).finish());
    await expect(chain.checkFullInvariants()).rejects.toThrow(part);
  });

  test("the count of an order's price ceilings", async () => {
    const key = keys.textIndexKey(keys.ORDER_PREFIX, ORDER);
    const order = OrderState.decode(await onDisk(key));
    for (const priceCeilings of [0, 2]) {
      await put(key, OrderState.encode({ ...order, priceCeilings }).finish());
      await expect(chain.checkFullInvariants()).rejects.toThrow("price ceilings of an order");
    }
  });
});

describe("natural keys are those of the records that hold them", () => {
  const natural = (n: number): string => keys.naturalKey(1n, slot(n).start);

  test("not of a withdrawn record", async () => {
    await put(natural(1), bytesOfKey(keys.seqKey(2n)));
    await expect(chain.app.checkDerivedKeys()).rejects.toThrow("natural keys");
  });

  test("not of a record that was corrected", async () => {
    await put(natural(0), bytesOfKey(keys.seqKey(1n)));
    await expect(chain.app.checkDerivedKeys()).rejects.toThrow("no natural key");
    await expect(chain.checkFullInvariants()).rejects.toThrow("by natural key");
  });

  test("of the newest record", async () => {
    await chain.db.write([{ key: `S${natural(0)}`, value: undefined }]);
    await expect(chain.app.checkDerivedKeys()).rejects.toThrow("no natural key");
  });
});

test("a corrected record that is acknowledged and settled leaves all as it must be", async () => {
  await chain.ok(msg.settle(customer, { final: true }));
  await chain.checkFullInvariants();
  await chain.app.checkDerivedKeys();
});
