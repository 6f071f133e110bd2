import { setMaxListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HeavyQueue } from "../../../src/api/heavy_queue.ts";
import { type RpcServer, startRpcServer } from "../../../src/api/rpc/server.ts";
import { utf8 } from "../../../src/lib/bytes.ts";
import type { Pace } from "../../../src/node/pace.ts";
import { type FakeNode, fakeNode, sha } from "./fake_node.ts";
import { StandingClock } from "./standing_clock.ts";

const { signal } = new AbortController();
setMaxListeners(0, signal);

describe("heavy calls", () => {
  let clock: StandingClock;
  beforeEach(() => {
    clock = new StandingClock();
  });
  afterEach(() => vi.restoreAllMocks());

  /** Works for so long, pausing where it is due. */
  async function work(pace: Pace, ms: number): Promise<void> {
    for (let worked = 0; worked < ms; worked += 1) {
      clock.ms += 1;
      if (pace.isDue()) await pace.pause();
    }
  }

  test("whoever asks now and then does not wait behind clients that never stop", async () => {
    const queue = new HeavyQueue(4);
    let done = 0;
    let goOn: () => void = () => undefined;
    const some = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const ask = async (pace: Pace) => {
      await work(pace, 50);
      done += 1;
      if (done === 6) goOn();
    };
    // Forty calls of eight clients at once, for two seconds.
    const greedy = Array.from({ length: 8 }, () => ({}));
    const all = greedy.flatMap((client) =>
      Array.from({ length: 5 }, async () => queue.run(ask, signal, client)),
    );
    await some;
    const modest = {};
    // Nothing is known of it: it goes before those that wait and have used more.
    await queue.run(async (pace) => work(pace, 5), signal, modest);
    const before = done;
    expect(before).toBeLessThan(30);
    // Now it is known to use little, and does not even wait for one of the four to end.
    for (let no = 0; no < 3; no += 1) {
      await queue.run(async (pace) => work(pace, 5), signal, modest);
    }
    expect(done - before).toBeLessThanOrEqual(4);
    await Promise.all(all);
    expect(done).toBe(40);
  });

  test("clients that use as much as each other are served in turn", async () => {
    const queue = new HeavyQueue(1);
    const [one, other] = [{}, {}];
    const order: string[] = [];
    const run = (name: string, client: object) =>
      queue.run(
        async (pace) => {
          order.push(name);
          await work(pace, 130);
        },
        signal,
        client,
      );
    const first = ["a", "a", "a"].map((name) => run(name, one));
    const second = ["b", "b", "b"].map((name) => run(name, other));
    await Promise.all([...first, ...second]);
    // Not one of them first and then the other.
    expect(order.slice(0, 4).filter((name) => name === "b")).toHaveLength(2);
  });
});

describe("answers that read much", () => {
  let node: FakeNode;
  let server: RpcServer;

  beforeEach(async () => {
    node = fakeNode();
    node.waitingTxs.push(...Array.from({ length: 50 }, (_, no) => utf8(`many-${no}`)));
    node.produce();
    server = await startRpcServer({ view: node, host: "127.0.0.1", port: 0 });
  });
  afterEach(() => server.close());

  async function get(path: string): Promise<any> {
    return (await fetch(`${server.url}/${path}`)).json();
  }

  test("a page of proved txs reads each block once", async () => {
    let reads = 0;
    const block = node.block.bind(node);
    node.block = async (height) => {
      reads += 1;
      return block(height);
    };
    const search = "tx_search?query=\"transfer.sender='alice'\"&prove=true&per_page=100";
    const { result } = await get(search);
    expect(result.txs).toHaveLength(53);
    expect(reads).toBe(3);
    const roots = new Set(result.txs.map((one: any) => one.proof.root_hash));
    expect(roots.size).toBe(3);
  });

  test("a search for one tx by its hash does not wait behind heavy calls", async () => {
    const open: (() => void)[] = [];
    node.blockResults = async (height) => {
      await new Promise<void>((resolve) => open.push(resolve));
      return node.results[Number(height) - 1];
    };
    const heavy = Array.from({ length: 6 }, async () => get("block_results?height=2"));
    await expect.poll(() => open.length).toBe(4);
    const hash = Buffer.from(sha(utf8("tx-one")))
      .toString("hex")
      .toUpperCase();
    const { result } = await get(`tx_search?query="tx.hash='${hash}'"`);
    expect(result.total_count).toBe("1");
    for (let ended = 0; ended < 6; ended += 1) {
      await expect.poll(() => open.length).toBeGreaterThan(0);
      open.shift()?.();
    }
    await Promise.all(heavy);
  });

  test("headers, commits and the list of blocks read no txs", async () => {
    node.blockMeta = async (height) => {
      const block = node.blocks[Number(height) - 1];
      return block && { ...block, txCount: block.txs.length };
    };
    node.block = async () => {
      throw new Error("a block was read");
    };
    expect((await get("header?height=4")).result.header.height).toBe("4");
    expect((await get("commit?height=3")).result.canonical).toBe(true);
    const { block_metas: metas } = (await get("blockchain")).result;
    expect(metas.map((one: any) => one.num_txs)).toEqual(["50", "1", "2", "0"]);
  });
});
