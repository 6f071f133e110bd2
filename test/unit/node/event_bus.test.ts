import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { EventBus } from "../../../src/node/event_bus.ts";
import { silentLog } from "../../../src/node/log.ts";
import { event } from "../../../src/types/event.ts";
import { indexedTx } from "./indexed_tx.ts";

describe("event bus", () => {
  const tx = (first: number) => ({
    ...indexedTx(3n, [event("pay", { from: `${first}` })]),
    ...{ hash: new Uint8Array(32).fill(first), index: first },
  });
  const publish = (bus: EventBus, height = 3n) =>
    bus.publish(
      { header: { height } } as Parameters<EventBus["publish"]>[0],
      {
        height,
        txResults: [],
        events: [event("begin", { x: "1" })],
        appHash: new Uint8Array(32),
      },
      [tx(1), tx(2)],
    );

  test("tells each subscriber of what matches, until it ends", () => {
    const bus = new EventBus(silentLog);
    const seen: string[] = [];
    const on = (query: string) =>
      bus.subscribe(query, (found, attributes) =>
        seen.push(`${found.kind} ${[...attributes.keys()].join()}`),
      );
    const ends = [
      on("tm.event='NewBlock'"),
      on("tm.event='NewBlockHeader'"),
      on(`tm.event='Tx' AND tx.hash='${"02".repeat(32)}'`),
      on(`tx.hash='${"07".repeat(32)}'`),
      on("pay.from='1'"),
    ];
    expect(bus.size).toBe(5);
    publish(bus);
    expect(seen).toEqual([
      "NewBlock tm.event,block.height,begin.x",
      "NewBlock tm.event,block.height,begin.x",
      "Tx tm.event,tx.hash,tx.height,pay.from",
      "Tx tm.event,tx.hash,tx.height,pay.from",
    ]);
    for (const end of ends) end();
    expect(bus.size).toBe(0);
    publish(bus);
    expect(seen).toHaveLength(4);
  });

  test("survives a subscriber that throws", () => {
    const bus = new EventBus(silentLog);
    let calls = 0;
    bus.subscribe("tm.event='Tx'", () => {
      throw new Error("mine");
    });
    bus.subscribe("tm.event='Tx'", () => {
      calls += 1;
    });
    publish(bus);
    expect(calls).toBe(2);
  });

  /** Subscribers that take half a millisecond each, and what they were told. */
  function slowSubscribers(bus: EventBus, count: number) {
    const told: string[] = [];
    const ends = Array.from({ length: count }, (_, no) =>
      bus.subscribe("tm.event='NewBlock'", (_event, attributes) => {
        told.push(`${no} of ${attributes.get("block.height")?.join()}`);
        const end = performance.now() + 0.5;
        while (performance.now() < end);
      }),
    );
    const all = (height: bigint) => Array.from({ length: count }, (_, no) => `${no} of ${height}`);
    return { told, ends, all };
  }

  test("tells many in slices, and lets others go first in between", async () => {
    const bus = new EventBus(silentLog);
    const { told, all } = slowSubscribers(bus, 100);
    publish(bus);
    const first = told.length;
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(20);
    let turns = 0;
    for (; told.length < 100; turns += 1) await setImmediate();
    expect(turns).toBeGreaterThanOrEqual(5);
    expect(told).toEqual(all(3n));
  });

  test("tells all of a block before the next, and no more than one waits", async () => {
    const bus = new EventBus(silentLog);
    const { told, all } = slowSubscribers(bus, 50);
    publish(bus, 3n);
    expect(told.length).toBeLessThan(50);
    publish(bus, 4n);
    expect(told.slice(0, 50)).toEqual(all(3n));
    bus.flush();
    expect(told.slice(50)).toEqual(all(4n));
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    expect(told).toHaveLength(100);
  });

  test("tells nobody who has left meanwhile or has come after", async () => {
    const bus = new EventBus(silentLog);
    const { told, ends, all } = slowSubscribers(bus, 50);
    publish(bus);
    ends[49]?.();
    const late = slowSubscribers(bus, 1);
    while (told.length < 49) await setImmediate();
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    expect(told).toEqual(all(3n).slice(0, 49));
    expect(late.told).toEqual([]);
  });
});
