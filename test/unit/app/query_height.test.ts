import { beforeAll, expect, test } from "vitest";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";
import type { QueryEscrowsResponse } from "../../../src/gen/settled/settlement/v1/query.ts";
import type { PageRequest } from "../../../src/store/read_view.ts";
import { customer, stranger } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { msg } from "../../testkit/messages.ts";
import { pendingEscrow } from "../../testkit/orders.ts";

const ESCROWS = "settled.settlement.v1.Query/Escrows";
const BALANCE = "cosmos.bank.v1beta1.Query/Balance";

let chain: TestChain;
/** A height with five escrows, of which two are gone afterwards. */
let height: bigint;

beforeAll(async () => {
  chain = await openChain();
  for (let index = 1; index <= 5; index += 1) {
    await pendingEscrow(chain, "10uve", { order: `order-${index}` });
  }
  ({ height } = chain);
  await chain.ok(msg.refund(customer, "escrow-2"), msg.refund(customer, "escrow-5"));
  await pendingEscrow(chain, "10uve", { order: "order-6" });
});

async function page(
  at: bigint,
  state: string,
  pagination: Partial<PageRequest>,
): Promise<{ ids: string[]; nextKey: Uint8Array; total: bigint }> {
  const answer = await chain.ask(ESCROWS, { state, pagination }, at);
  expect([answer.code, answer.height]).toEqual([0, at === 0n ? chain.height : at]);
  const { codec } = messageTypeNamed("settled.settlement.v1.QueryEscrowsResponse");
  const { escrows, pagination: info } = codec.decode(answer.value) as QueryEscrowsResponse;
  const ids = escrows.map(({ escrowId }) => escrowId);
  return { ids, nextKey: info?.nextKey ?? new Uint8Array(0), total: info?.total ?? 0n };
}

async function pages(at: bigint, state: string, reverse: boolean): Promise<string[][]> {
  const all: string[][] = [];
  let key: Uint8Array = new Uint8Array(0);
  do {
    const found = await page(at, state, { key, limit: 2n, reverse });
    all.push(found.ids);
    key = found.nextKey;
  } while (key.length > 0);
  return all;
}

test("pages of an older height are those of that height, and their keys are good there", async () => {
  const [one, two, three, four, five] = [1, 2, 3, 4, 5].map((seq) => `escrow-${seq}`);
  for (const state of ["", "pending"]) {
    expect(await pages(height, state, false)).toEqual([[one, two], [three, four], [five]]);
    expect(await pages(height, state, true)).toEqual([[five, four], [three, two], [one]]);
  }
  expect(await pages(0n, "pending", false)).toEqual([
    [one, three],
    [four, "escrow-6"],
  ]);
  expect(await page(height, "pending", { limit: 1n, countTotal: true })).toMatchObject({
    total: 5n,
  });
  expect(await page(0n, "pending", { limit: 1n, countTotal: true })).toMatchObject({ total: 4n });
});

test("a page key of an older height is good at the latest, and goes on from there", async () => {
  const { nextKey } = await page(height, "pending", { limit: 1n });
  expect((await page(0n, "pending", { key: nextKey })).ids).toEqual([
    ...["escrow-3", "escrow-4", "escrow-6"],
  ]);
});

test("a balance at every height is what it was then", async () => {
  const request = { address: stranger.address, denom: "uve" };
  const amounts: string[] = [];
  const first = chain.height + 1n;
  for (let sent = 1; sent <= 4; sent += 1) {
    await chain.ok(msg.send(customer, stranger.address, "3uve"));
    amounts.push(String(await chain.balance(stranger.address)));
  }
  expect(new Set(amounts).size).toBe(4);
  for (const [index, amount] of amounts.entries()) {
    const answer = await chain.ask(BALANCE, request, first + BigInt(index));
    const { codec } = messageTypeNamed("cosmos.bank.v1beta1.QueryBalanceResponse");
    expect(codec.decode(answer.value)).toMatchObject({ balance: { denom: "uve", amount } });
  }
});

test("a height that is not there yet is sdk/26", async () => {
  const answer = await chain.ask(BALANCE, {}, chain.height + 1n);
  expect(answer).toMatchObject({ code: 26, codespace: "sdk" });
  expect(answer.log).toContain(`the latest is ${chain.height}`);
});
