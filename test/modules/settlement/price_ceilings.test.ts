import { beforeEach, describe, expect, test } from "vitest";
import type { MsgSetPriceCeilingResponse } from "../../../src/gen/settled/settlement/v1/tx.ts";
import { type TimeNs, timeOfSeconds } from "../../../src/types/time.ts";
import { authority, customer, customer2, provider, stranger } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { ceiling, ceilingsOf, correct, corrected } from "../../testkit/corrections.ts";
import { msg, ORDER } from "../../testkit/messages.ts";
import { eventsOf, expectCode, responseOf } from "../../testkit/outcome.ts";
import { activeEscrow, pendingEscrow, recorded, settled } from "../../testkit/orders.ts";
import { DAY, GENESIS, slot } from "../../testkit/times.ts";

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
  await activeEscrow(chain, "1000000uve,1000000uusd", { expiresIn: 30n * DAY });
  chain.time = timeOfSeconds(SET);
});

/** When the first ceiling is set: at a whole second, unless a test says otherwise. */
const SET = GENESIS + 1000n;
/** The first second that is later: the first start of a period that it binds. */
const T = SET + 1n;

/** A period that starts so many seconds after T. */
const from = (seconds: bigint): { start: bigint; end: bigint } => {
  return { start: T + seconds, end: T + seconds + 10n };
};

describe("RULES 15 a price ceiling", () => {
  test("RULES 15 answers when it begins and emits one event", async () => {
    const result = await chain.ok(ceiling("1.5uve", { type: " Compute" }));
    const { effectiveFrom } = responseOf<MsgSetPriceCeilingResponse>(result);
    expect(effectiveFrom).toBe(T);
    expect(eventsOf(result, "PriceCeilingSet")).toMatchObject([
      {
        ...{ order_id: ORDER, customer: customer.address, usage_type: "cpu" },
        ...{ max_unit_price: "1.500000000000000000uve", effective_from: `${T}` },
      },
    ]);
    expect(await ceilingsOf(chain)).toEqual({ cpu: [`${T}:1.5uve`] });
  });

  test("RULES 15 holds for periods that start after it was set, to the last atomic", async () => {
    await chain.ok(ceiling("1.5uve"));
    chain.skip(100n);
    const above = "1.500000000000000001uve";
    const text = ["1.500000000000000000uve", "1.500000000000000001uve"];
    await chain.refused(msg.record(provider, { ...from(0n), price: above }), 1512, ...text);
    await recorded(chain, { ...from(0n), price: "1.5uve" });
    await recorded(chain, { ...from(10n), price: "0uve" });
    // What began at that very time may cost what it did.
    await recorded(chain, { ...from(-1n), end: T, price: "900uve" });
  });

  test("RULES 15 a block time between two seconds counts from the second that comes", async () => {
    chain.time = (timeOfSeconds(SET) + 999_999_999n) as TimeNs;
    await chain.ok(ceiling("1uve"));
    expect(await ceilingsOf(chain)).toEqual({ cpu: [`${T}:1uve`] });
    chain.skip(100n);
    await chain.refused(msg.record(provider, { ...from(0n), price: "2uve" }), 1512, `from ${T}`);
    // This one began before it was set.
    await recorded(chain, { ...from(-1n), end: T, price: "2uve" });
  });

  test("RULES 15 a nanosecond after a second is of the next one", async () => {
    chain.time = (timeOfSeconds(SET) + 1n) as TimeNs;
    await chain.ok(ceiling("1uve"));
    expect(await ceilingsOf(chain)).toEqual({ cpu: [`${T}:1uve`] });
  });

  test("RULES 15 refuses another denom while there is one", async () => {
    await chain.ok(ceiling("1uve"));
    chain.skip(100n);
    const report = { ...from(0n), price: "0.1uusd" };
    await chain.refused(msg.record(provider, report), 1512, "at most", "uve", "uusd");
  });

  test("RULES 15 each period has the ceiling that was in force when it began", async () => {
    await chain.ok(ceiling("1uve"));
    chain.time = timeOfSeconds(SET + 100n);
    await chain.ok(ceiling("3uusd"));
    chain.time = timeOfSeconds(SET + 200n);
    await chain.ok(ceiling(""));
    chain.time = timeOfSeconds(SET + 300n);
    expect(await ceilingsOf(chain)).toEqual({
      cpu: [`${T}:1uve`, `${T + 100n}:3uusd`, `${T + 200n}:`],
    });
    await chain.refused(
      msg.record(provider, { ...from(99n), end: T + 100n, price: "3uusd" }),
      1512,
    );
    await recorded(chain, { ...from(99n), end: T + 100n, price: "1uve" });
    await chain.refused(msg.record(provider, { ...from(100n), price: "4uusd" }), 1512);
    await recorded(chain, { ...from(100n), price: "3uusd" });
    await recorded(chain, { ...from(200n), price: "77uve" });
  });

  test("RULES 9 goes by the normalised type; others stay free", async () => {
    await chain.ok(ceiling("1uve", { type: "cpu" }));
    chain.skip(100n);
    for (const type of ["cpu", " CORE-HOUR", "compute"]) {
      await chain.refused(msg.record(provider, { ...from(0n), type, price: "2uve" }), 1512);
    }
    await recorded(chain, { ...from(0n), type: "gpu", price: "2uve" });
    await activeEscrow(chain, "100uve", { order: "order-2" });
    await recorded(chain, { ...from(0n), order: "order-2", price: "2uve" });
  });

  test("RULES 19 a correction stays below the ceiling of its period's start", async () => {
    const before = await recorded(chain, { ...slot(0), price: "1uve" });
    await chain.ok(ceiling("2uve"));
    chain.skip(100n);
    const after = await recorded(chain, { ...from(1n), price: "1uve" });
    const priced = correct(after, { price: "2.1uve" });
    await chain.refused(priced, 1512, "2.000000000000000000uve", "2.100000000000000000uve");
    await corrected(chain, after, { price: "2uve" });
    await corrected(chain, before, { price: "900uve" });
  });

  test("RULES 15 outlives the escrow: the order's next one has it too", async () => {
    await chain.ok(ceiling("1uve"));
    await settled(chain, { final: true });
    await activeEscrow(chain, "100uve");
    chain.skip(100n);
    await chain.refused(msg.record(provider, { ...from(0n), price: "2uve" }), 1512);
  });

  test("RULES 15 within one second the last word counts", async () => {
    await chain.ok(ceiling("1uve"), ceiling("2uve"));
    expect(await ceilingsOf(chain)).toEqual({ cpu: [`${T}:2uve`] });
    chain.time = timeOfSeconds(SET);
    const again = (timeOfSeconds(SET) + 1n) as TimeNs;
    chain.time = again;
    await chain.ok(ceiling(""));
    expect(await ceilingsOf(chain)).toEqual({ cpu: [`${T}:`] });
  });
});

describe("RULES 15 a ceiling is set", () => {
  test("by the depositor of the order's newest escrow alone", async () => {
    for (const signer of [provider, customer2, authority, stranger]) {
      await chain.refused(ceiling("1uve", {}, signer), 1505, `depositor ${customer.address}`);
    }
    await settled(chain, { final: true });
    await activeEscrow(chain, "100uve", { depositor: customer2 });
    await chain.refused(ceiling("1uve"), 1505, customer2.address);
    await chain.ok(ceiling("1uve", {}, customer2));
  });

  test("while the escrow is pending, active or disputed", async () => {
    await pendingEscrow(chain, "10uve", { order: "order-2" });
    await chain.ok(ceiling("1uve", { order: "order-2" }));
    await chain.ok(msg.dispute(customer, "escrow-1"));
    await chain.ok(ceiling("1uve"));
    await chain.ok(msg.refund(provider, "escrow-1"));
    await chain.refused(ceiling("2uve"), 1519, "escrow-1", "refunded");
    await chain.refused(ceiling("1uve", { order: "nope" }), 1501, '"nope"');
  });

  test("RULES 14 and not after the escrow's time", async () => {
    // BeginBlock ends at most 100 escrows a block: the 101st is expired and still active.
    const crowd = await openChain();
    await activeEscrow(crowd, "1uve", { order: "last", expiresIn: 4000n });
    const orders = Array.from({ length: 100 }, (_, n) => `order-${n}`);
    const creates = orders.map((order) =>
      msg.create(customer, "1uve", { order, expiresIn: 3600n }),
    );
    await crowd.ok(...creates);
    crowd.skip(4100n);
    expectCode(await crowd.deliver(ceiling("1uve", { order: "last" })), 1518, "escrow-1");
  });

  test("to something else than it is", async () => {
    await chain.refused(ceiling(""), 1512, "nothing changes", "no price ceiling");
    await chain.ok(ceiling("1uve"));
    chain.skip(10n);
    await chain.refused(ceiling("1uve"), 1512, "nothing changes", `from ${T + 1n}`);
    await chain.ok(ceiling("1uusd"));
  });

  test("R-003-15 with an order, a type and a good price", async () => {
    await chain.refused(ceiling("1uve", { order: "" }), 5, "order_id is empty");
    await chain.refused(ceiling("1uve", { type: "" }), 5, "usage_type is empty");
    await chain.refused(ceiling("1uve", { type: " \t" }), 5, "usage_type is empty");
    await chain.refused(ceiling("1uve", { type: "x".repeat(65) }), 5, "65 bytes");
    await chain.refused(ceiling("-1uve"), 5, "-1000000000000000000");
    await chain.refused(ceiling("1u"), 5, '"u"');
  });

  test("RULES 15 at most 64 times of one type: the oldest step is dropped for a new one", async () => {
    for (let n = 0n; n < 65n; n += 1n) {
      chain.time = timeOfSeconds(SET + 10n * n);
      await chain.ok(ceiling(`${n + 1n}uve`));
    }
    const { cpu = [] } = await ceilingsOf(chain);
    expect([cpu.length, cpu[0], cpu.at(-1)]).toEqual([
      ...[64, `${T + 10n}:2uve`, `${T + 640n}:65uve`],
    ]);
    // Before the first step that is kept there is no ceiling.
    await recorded(chain, { ...from(0n), price: "100uve" });
    await chain.refused(msg.record(provider, { ...from(10n), price: "3uve" }), 1512);
  });
});

describe("I-30 price ceilings in genesis", () => {
  test("are exported and imported, and hold there", async () => {
    await chain.ok(ceiling("1uve"), ceiling("2uusd", { type: "gpu" }));
    chain.skip(100n);
    await chain.ok(ceiling(""));
    await activeEscrow(chain, "10uve", { order: "order-2" });
    await chain.ok(ceiling("5uve", { order: "order-2", type: "Licence" }));
    const copy = await chain.imported();
    expect(await copy.exported()).toBe(await chain.exported());
    expect(copy.appHash).toBe(chain.appHash);
    expect(await ceilingsOf(copy, "order-2")).toEqual(await ceilingsOf(chain, "order-2"));
    copy.time = chain.time;
    await copy.refused(msg.record(provider, { ...from(0n), price: "2uve" }), 1512);
    // A type that has a ceiling is counted once.
    await copy.ok(ceiling("9uve"));
    await copy.checkFullInvariants();
  });

  test.each<[name: string, change: object, field: string]>([
    ["of an order that is not there", { order_id: "nope" }, "price_ceilings[0].order_id"],
    ["of a type that is not normalised", { usage_type: "CPU" }, "price_ceilings[0].usage_type"],
    ["without steps", { steps: [] }, "price_ceilings[0].steps"],
    [
      "with steps in no order",
      { steps: [10, 10].map((at) => ({ from: `${at}`, denom: "uve", max_unit_price: "1" })) },
      "price_ceilings[0].steps[1]",
    ],
    [
      "with a bad price",
      { steps: [{ from: "1", denom: "uve", max_unit_price: "-1" }] },
      "price_ceilings[0].steps[0]",
    ],
  ])("are refused %s", async (_, change, field) => {
    await chain.ok(ceiling("1uve"));
    const genesis = await chain.app.exportGenesis();
    const appState = structuredClone(genesis.appState) as {
      settlement: { price_ceilings: object[] };
    };
    Object.assign(appState.settlement.price_ceilings[0] ?? {}, change);
    await expect(openChain({ genesis: { ...genesis, appState } })).rejects.toThrow(field);
  });
});
