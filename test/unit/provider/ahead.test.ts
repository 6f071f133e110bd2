import { describe, expect, it } from "vitest";
import { ahead, parallel } from "../../../src/provider/ahead.ts";
import { all } from "./collect.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("stages of a pipeline", () => {
  it("keep the order and run ahead of their reader", async () => {
    const made: number[] = [];
    async function* source() {
      for (let at = 0; at < 5; at += 1) {
        made.push(at);
        yield at;
      }
    }
    const stage = ahead(source(), 2);
    expect((await stage.next()).value).toBe(0);
    await pause(5);
    expect(made).toEqual([0, 1]);
    expect(await all(stage)).toEqual([1, 2, 3, 4]);
  });

  it("pass on an error after what came before it, and end their source", async () => {
    let ended = false;
    async function* source() {
      try {
        yield 1;
        throw new Error("broken");
      } finally {
        ended = true;
      }
    }
    const seen: number[] = [];
    const read = async () => {
      for await (const item of ahead(source(), 3)) seen.push(item);
    };
    await expect(read()).rejects.toThrow("broken");
    expect(seen).toEqual([1]);
    expect(ended).toBe(true);
  });

  it("end their source when the reader stops", async () => {
    let ended = false;
    async function* source() {
      try {
        for (;;) yield 1;
      } finally {
        ended = true;
      }
    }
    for await (const _ of ahead(source(), 2)) break;
    expect(ended).toBe(true);
  });
});

describe("parallel work", () => {
  it("runs so many at a time and gives results in order", async () => {
    let [running, most] = [0, 0];
    const results = await parallel([5, 1, 3, 2, 4], 2, async (item) => {
      running += 1;
      most = Math.max(most, running);
      await pause(item);
      running -= 1;
      return item * 10;
    });
    expect(results).toEqual([50, 10, 30, 20, 40]);
    expect(most).toBe(2);
  });
});
