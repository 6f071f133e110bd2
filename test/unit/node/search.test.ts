import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromUtf8, toHex, utf8 } from "../../../src/lib/bytes.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import { decodePostings, encodePostings } from "../../../src/node/block_keys.ts";
import { resolveConfig } from "../../../src/node/config.ts";
import { type RunningNode, startNode } from "../../../src/node/node.ts";
import type { NodeView } from "../../../src/node/view.ts";
import { FakeApp, testGenesis } from "./fake_app.ts";

let node: RunningNode;
let view: NodeView;
const LONG = "x".repeat(300);

// Block 2 holds the first three, block 3 the others; blocks 1 and 4 none.
const TXS = [
  "0 transfer(sender=alice,recipient=bob,amount=10uve)",
  "1 transfer(sender=bob,recipient=carol,amount=8uve)",
  "2 transfer(sender=alice,recipient=dave,amount=7uve) transfer(sender=carol,recipient=bob,amount=99uve)",
  "3 note(text=hello world,day=2024-05-01,at=2024-05-01T12:00:00Z)",
  `4 transfer(sender=alice,recipient=bob,amount=10.5uve) note(text=${LONG})`,
];

beforeAll(async () => {
  node = await startNode({
    home: undefined,
    config: resolveConfig({}, { blockMode: "manual", dev: true }),
    genesis: testGenesis(),
    openApp: FakeApp.open,
    appVersion: "0.1.0",
  });
  view = node.view;
  for (const text of TXS.slice(0, 3)) await view.mempool.add(utf8(text));
  await view.dev?.mine({ blocks: 1 });
  for (const text of TXS.slice(3)) await view.mempool.add(utf8(text));
  await view.dev?.mine({ blocks: 2 });
});

afterAll(async () => node.stop());

async function found(query: string, descending = false, page = 1, perPage = 30): Promise<string> {
  const { txs } = await view.searchTxs(query, { page, perPage, descending });
  return txs.map(({ tx }) => (fromUtf8(tx) ?? "").slice(0, 1)).join("");
}

describe("search of txs", () => {
  const hash = toHex(sha256(utf8(TXS[1] as string))).toUpperCase();

  test.each([
    { query: `tx.hash='${hash}'`, txs: "1" },
    { query: `tx.hash='${hash}' AND tx.height=2`, txs: "1" },
    { query: `tx.hash='${hash}' AND tx.height=3`, txs: "" },
    { query: `tx.hash='${hash.slice(2)}'`, txs: "" },
    { query: "tx.height=2", txs: "012" },
    { query: "tx.height>2", txs: "34" },
    { query: "tx.height>=2 AND tx.height<2.5", txs: "012" },
    { query: "tx.height > 3", txs: "" },
    { query: "tm.event='Tx'", txs: "01234" },
    { query: "tm.event='NewBlock'", txs: "" },
    { query: "transfer.sender='alice'", txs: "024" },
    { query: "transfer.sender='alice' and tx.height<3", txs: "02" },
    { query: "transfer.sender='alice' AND transfer.recipient='bob'", txs: "04" },
    { query: "transfer.sender='alice' AND note.text EXISTS", txs: "4" },
    { query: "transfer.recipient EXISTS", txs: "0124" },
    { query: "transfer.recipient CONTAINS 'o'", txs: "0124" },
    { query: "note.text CONTAINS 'lo w'", txs: "3" },
    { query: "transfer.amount=10", txs: "0" },
    { query: "transfer.amount>10", txs: "24" },
    { query: "transfer.amount<=8 AND transfer.sender='alice'", txs: "2" },
    { query: "note.day = DATE 2024-05-01", txs: "3" },
    { query: "note.at > TIME 2024-05-01T11:59:59+00:00", txs: "3" },
    { query: `note.text='${LONG}'`, txs: "4" },
    { query: "transfer.nothing='alice'", txs: "" },
    { query: "tx.hash EXISTS", txs: "01234" },
  ])("$query", async ({ query, txs }) => {
    expect(await found(query)).toBe(txs);
    expect(await found(query, true)).toBe([...txs].reverse().join(""));
    const { total } = await view.searchTxs(query, { page: 1, perPage: 1, descending: false });
    expect(total).toBe(txs.length);
  });

  test("pages in either order, and past the end is empty with the total", async () => {
    expect(await found("tx.height>0", false, 2, 2)).toBe("23");
    expect(await found("tx.height>0", true, 2, 2)).toBe("21");
    expect(await view.searchTxs("tx.height>0", { page: 9, perPage: 2, descending: false })).toEqual(
      {
        txs: [],
        total: 5,
      },
    );
  });
});

describe("search of blocks", () => {
  test.each([
    { query: "block.height>=2 AND block.height<4", heights: [2n, 3n] },
    { query: "block.height=77", heights: [] },
    { query: "begin.height='3'", heights: [3n] },
    { query: "begin.height>1 AND begin.mode='BeginBlock'", heights: [2n, 3n, 4n] },
    { query: "begin.mode EXISTS AND block.height<=2", heights: [1n, 2n] },
    { query: "tm.event='NewBlock' AND block.height<2", heights: [1n] },
  ])("$query", async ({ query, heights }) => {
    const page = { page: 1, perPage: 10 };
    expect(await view.searchBlocks(query, { ...page, descending: false })).toEqual({
      heights,
      total: heights.length,
    });
    expect((await view.searchBlocks(query, { ...page, descending: true })).heights).toEqual(
      [...heights].reverse(),
    );
  });
});

test("lists of an index keep their numbers", () => {
  for (const list of [[0], [5], [0, 1, 2], [3, 200, 201, 70_000, 5_000_000_000]]) {
    expect(decodePostings(encodePostings(list))).toEqual(list);
  }
});

test("an intersection of long lists agrees with looking at every tx", async () => {
  const many = await startNode({
    home: undefined,
    config: resolveConfig({}, { blockMode: "manual", dev: true }),
    genesis: testGenesis(),
    openApp: FakeApp.open,
    appVersion: "0.1.0",
  });
  const expected: number[] = [];
  for (let index = 0; index < 150; index += 1) {
    const rare = index % 47 === 0;
    if (rare && index % 2 === 0) expected.push(index);
    await many.view.mempool.add(
      utf8(`${index} common(parity=${index % 2}) ${rare ? "rare(is=1)" : ""}`),
    );
    await many.view.dev?.mine({ blocks: 1 });
  }
  for (const descending of [false, true]) {
    const query = "common.parity='0' AND rare.is='1'";
    const { txs, total } = await many.view.searchTxs(query, { page: 1, perPage: 30, descending });
    const indexes = txs.map(({ tx }) => Number.parseInt(fromUtf8(tx) ?? "", 10));
    expect(indexes).toEqual(descending ? [...expected].reverse() : expected);
    expect(total).toBe(expected.length);
  }
  await many.stop();
});
