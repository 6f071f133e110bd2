import { beforeAll, describe, expect, test } from "vitest";
import type * as ext from "../../../src/gen/settled/settlement/v1/query.ts";
import { addCoins, type Coins, subCoins } from "../../../src/types/coins.ts";
import { secondsOf } from "../../../src/types/time.ts";
import {
  authority,
  customer,
  provider,
  stranger,
  type TestAccount,
} from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { coins, text } from "../../testkit/coins.ts";
import { invoiceMsg, seeInvoice } from "../../testkit/invoices.ts";
import { msg } from "../../testkit/messages.ts";
import { activeEscrow, pendingEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { pagesOf } from "../../testkit/pages.ts";
import { payoutMsg } from "../../testkit/payout_messages.ts";
import { payoutIds } from "../../testkit/payouts.ts";
import { refundMsg } from "../../testkit/refunds.ts";
import { DAY } from "../../testkit/times.ts";

const PATH = "settled.settlement.v1.Query/Statement";

/**
 * A history with all that moves coins between the two: deposits, settlements with holdback, one for
 * good that is not covered, its invoice paid in parts, a refund, a payout given back, rewards
 * claimed, coins sent. A tenth of the way through is `middle`.
 */
let chain: TestChain;
let middle: bigint;
let end: bigint;
const opened: Record<string, string> = {};

beforeAll(async () => {
  chain = await openChain({
    params: { min_settlement_amount: "0", payout_holdback_rate: "0.1" },
  });
  for (const { address } of [customer, provider]) opened[address] = await chain.balances(address);
  await activeEscrow(chain, "10000uve,500uusd", { expiresIn: 30n * DAY });
  await recordedCosts(chain, [1000, 777]);
  await settled(chain);
  chain.skip(DAY);
  middle = secondsOf(chain.time);
  await recordedCosts(chain, [40, 55], { from: 2, denom: "uusd" });
  await settled(chain);
  await activeEscrow(chain, "900uve", { order: "order-2" });
  await recordedCosts(chain, [2000], { order: "order-2" });
  await settled(chain, { order: "order-2", final: true });
  const { invoices } = await seeInvoice.list(chain, { orderId: "order-2" });
  const invoiceId = invoices[0]?.invoiceId ?? "";
  await chain.ok(invoiceMsg.pay(customer, invoiceId, "333uve"));
  await chain.ok(msg.refund(customer, await pendingEscrow(chain, "70uve", { order: "order-3" })));
  const [first = ""] = await payoutIds(chain);
  await chain.ok(payoutMsg.hold(authority, first));
  await chain.ok(payoutMsg.refund(authority, first, "50uve"));
  await chain.ok(msg.claim(provider));
  await chain.ok(msg.send(provider, customer.address, "11uve"));
  await chain.ok(msg.send(stranger, provider.address, "5uusd"));
  end = secondsOf(chain.time);
});

async function ask(of: TestAccount, request: object = {}): Promise<ext.QueryStatementResponse> {
  const pagination = { limit: 1000n };
  return chain.query(PATH, { address: of.address, pagination, ...request });
}

function sumOf(lines: readonly { amount: { denom: string; amount: string }[] }[]): Coins {
  return lines.reduce<Coins>((sum, { amount }) => addCoins(sum, coins(text(amount))), []);
}

/** Totals as "role kind direction": amount. */
function byName(totals: readonly ext.StatementTotal[]): Record<string, string> {
  return Object.fromEntries(
    totals.map(({ role, kind, direction, amount }) => [
      `${role} ${kind} ${direction}`.trim(),
      text(amount),
    ]),
  );
}

describe("Query/Statement", () => {
  test("lines sum to the totals, kind by kind, on one page and on many", async () => {
    for (const party of [customer, provider]) {
      for (const span of [{}, { from: middle }, { to: middle }, { from: middle, to: end }]) {
        const { totals, lines } = await ask(party, span);
        for (const total of totals) {
          const own = lines.filter(({ role, kind, direction }) => {
            return role === total.role && kind === total.kind && direction === total.direction;
          });
          expect([BigInt(own.length), sumOf(own)]).toEqual([
            total.lines,
            coins(text(total.amount)),
          ]);
        }
        expect(totals.reduce((sum, each) => sum + each.lines, 0n)).toBe(BigInt(lines.length));
      }
    }
  });

  test("what came in less what went out is what the bank's balance changed by", async () => {
    for (const party of [customer, provider]) {
      const { totals } = await ask(party);
      const [inward, outward] = ["in", "out"].map((direction) =>
        sumOf(totals.filter((each) => each.direction === direction)),
      );
      const before = addCoins(coins(opened[party.address] ?? ""), inward ?? []);
      // Genesis is an entry of the journal too.
      const genesis = sumOf(totals.filter(({ kind }) => kind === "genesis"));
      const now = subCoins(subCoins(before, genesis), outward ?? []);
      expect(now).toEqual(coins(await chain.balances(party.address)));
    }
  });

  test("spans that follow one another sum to the whole", async () => {
    const whole = byName((await ask(provider)).totals);
    const parts = [await ask(provider, { to: middle }), await ask(provider, { from: middle })];
    for (const [name, amount] of Object.entries(whole)) {
      const sums = parts.map(({ totals }) => coins(byName(totals)[name] ?? ""));
      expect(addCoins(sums[0] ?? [], sums[1] ?? [])).toEqual(coins(amount));
    }
  });

  test("of a provider: what was settled and paid is fees, holdback and net", async () => {
    const { totals } = await ask(provider, { role: "provider" });
    const of = byName(totals);
    expect(of["provider usage"]).toBe("95uusd,3777uve");
    expect(of["provider settled"]).toBe("95uusd,2677uve");
    expect(of["provider payment"]).toBe("333uve");
    const parts = ["platform_fee", "validator_fee", "holdback", "net"].map((kind) =>
      coins(of[`provider ${kind}`] ?? ""),
    );
    const gross = addCoins(coins("95uusd,2677uve"), coins("333uve"));
    expect(parts.reduce(addCoins, [])).toEqual(gross);
    expect(of["provider payout in"]).toBe(of["provider net"]);
    expect(of["provider reward_claim in"]).toBe(of["provider reward"]);
    expect(totals.every(({ role }) => role === "provider")).toBe(true);
  });

  test("of a customer: deposits, settled, refunded, invoiced, paid, still due", async () => {
    const { totals } = await ask(customer, { role: "customer" });
    expect(byName(totals)).toEqual({
      "customer usage": "95uusd,3777uve",
      "customer settled": "95uusd,2677uve",
      "customer invoiced": "95uusd,3777uve",
      "customer invoice_due": "767uve",
      "customer escrow_deposit out": "500uusd,10970uve",
      "customer invoice_payment out": "333uve",
      "customer escrow_refund in": "70uve",
      "customer payout_refund in": "50uve",
    });
  });

  test("RULES 31 a refund is out of the provider's coins and into the customer's", async () => {
    const own = await openChain({ params: { min_settlement_amount: "0" } });
    const before = await own.balance(provider.address);
    await activeEscrow(own, "10000uve");
    await recordedCosts(own, [1000]);
    const { settlementId } = await settled(own);
    await own.ok(msg.send(customer, provider.address, "1uve"));
    await own.ok(refundMsg.refund(settlementId, "400uve"));
    const moves: string[] = [];
    for (const [role, of] of [
      ["provider", provider],
      ["customer", customer],
    ] as const) {
      const { lines } = await own.query<ext.QueryStatementResponse>(PATH, {
        ...{ address: of.address, role },
      });
      for (const { kind, direction, amount } of lines.filter((each) => each.direction !== "")) {
        moves.push(`${role} ${kind} ${direction} ${text(amount)}`);
      }
    }
    const net = (await own.balance(provider.address)) - before - 1n;
    const paid = moves.find((move) => move.startsWith("provider payout in"));
    const back = moves.find((move) => move.startsWith("provider settlement_refund out"));
    const amountOf = (move: string | undefined): bigint =>
      BigInt(/([0-9]+)uve$/.exec(move ?? "")?.[1] ?? 0);
    expect(amountOf(paid) - amountOf(back)).toBe(net);
    const returned = moves.filter((move) => move.startsWith("customer settlement_refund in"));
    expect(returned.reduce((sum, move) => sum + amountOf(move), 0n)).toBe(400n);
  });

  test("coins sent are nobody's role and show without one", async () => {
    const { lines } = await ask(provider);
    const sent = lines.filter(({ kind }) => kind === "send");
    expect(sent.map(({ role, direction, amount }) => [role, direction, text(amount)])).toEqual([
      ["", "in", "5uusd"],
      ["", "out", "11uve"],
    ]);
    expect(sent.every(({ journalSeq }) => journalSeq > 0n)).toBe(true);
  });

  test("pages to the end are the whole, each line once, and totals stand on the first alone", async () => {
    const name = (line: ext.StatementLine): string =>
      [line.role, line.kind, line.direction, line.reference, line.timeNs, text(line.amount)].join();
    const of = {
      path: PATH,
      ids: (answer: unknown) => (answer as ext.QueryStatementResponse).lines.map(name),
    };
    const request = { address: provider.address };
    const whole = (await ask(provider)).lines.map(name);
    expect(new Set(whole).size).toBe(whole.length);
    for (const limit of [1n, 3n, 7n]) {
      expect(await pagesOf(chain, of, { request, limit })).toEqual(whole);
    }
    const first = await ask(provider, { pagination: { limit: 3n } });
    const key = first.pagination?.nextKey;
    const second = await ask(provider, { pagination: { key, limit: 3n } });
    expect([first.totals.length > 0, second.totals]).toEqual([true, []]);
  });

  test("lines name their records, orders and times", async () => {
    const { lines } = await ask(customer, { to: middle });
    const line = lines.find(({ kind }) => kind === "settled");
    expect(line).toMatchObject({ role: "customer", orderId: "order-1", journalSeq: 0n });
    expect(line?.reference).toMatch(/^settle-/);
    const usage = lines.filter(({ kind }) => kind === "usage");
    expect(usage.every(({ timeNs }) => timeNs < middle * 1_000_000_000n)).toBe(true);
  });

  test("somebody without any has nothing but genesis", async () => {
    const { lines } = await ask(authority);
    expect(lines.map(({ kind, direction }) => `${kind} ${direction}`)).toEqual(["genesis in"]);
  });

  test.each<[part: string, request: object]>([
    ['unknown role "owner"', { role: "owner" }],
    ["ve1nope", { address: "ve1nope" }],
    ["nothing lies between", { from: 5n, to: 5n }],
    ["unix seconds, found -3", { from: -3n }],
    ["this key is not of this query", { pagination: { key: Uint8Array.of(9, 9, 9) } }],
  ])("is refused as InvalidArgument: %s", async (part, request) => {
    const answer = await chain.ask(PATH, { address: provider.address, ...request });
    expect(answer.log).toContain("code = InvalidArgument");
    expect(answer.log).toContain(part);
  });
});
