import { beforeEach, describe, expect, test } from "vitest";
import type {
  Dispute,
  QueryDisputeResponse,
  QueryDisputesResponse,
} from "../../../src/gen/settled/settlement/v1/query.ts";
import type { MsgDisputeUsageResponse } from "../../../src/gen/settled/settlement/v1/tx.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import { authority, customer, customer2, provider, stranger } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { text } from "../../testkit/coins.ts";
import { clearAnomaly, correct, withdraw } from "../../testkit/corrections.ts";
import { disputed, disputeUsage, resolve, resolved, type Wish } from "../../testkit/disputes.ts";
import { msg } from "../../testkit/messages.ts";
import { eventsOf, responseOf } from "../../testkit/outcome.ts";
import { acknowledged, activeEscrow, recorded, settled } from "../../testkit/orders.ts";
import { DAY, GENESIS, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const WINDOW = 7n * DAY;

let chain: TestChain;
let id: string;
beforeEach(async () => {
  chain = await openChain({ extended: { auto_settle_enabled: false } });
  await activeEscrow(chain, "10000uve", { expiresIn: 60n * DAY });
  id = await recorded(chain, { units: 4n, price: "1000uve" });
});

async function disputeOf(disputeId: string): Promise<Dispute> {
  const path = "settled.settlement.v1.Query/Dispute";
  const { dispute } = await chain.query<QueryDisputeResponse>(path, { disputeId });
  if (dispute === undefined) throw new Error("the answer is empty");
  return dispute;
}

async function idsOf(request: object): Promise<string[]> {
  const path = "settled.settlement.v1.Query/Disputes";
  const { disputes } = await chain.query<QueryDisputesResponse>(path, request);
  return disputes.map(({ disputeId }) => disputeId);
}

describe("RULES 21 a customer disputes a record", () => {
  test("R-003-49 it has a window of seven days, the hash of the evidence, and an event", async () => {
    const evidence = sha256(new TextEncoder().encode("the job's own log"));
    const openedAt = chain.time;
    const result = await chain.ok(disputeUsage(id, { reason: "idle since noon", evidence }));
    const expiresAt = GENESIS + (openedAt / 10n ** 9n - GENESIS) + WINDOW;
    expect(responseOf<MsgDisputeUsageResponse>(result)).toEqual({
      ...{ disputeId: "dispute-1", expiresAt },
    });
    expect(eventsOf(result, "UsageDisputed")).toEqual([
      {
        ...{ dispute_id: "dispute-1", usage_id: id, order_id: "order-1" },
        ...{ customer: customer.address, reason: "idle since noon" },
        evidence_hash: Buffer.from(evidence).toString("hex"),
        ...{ expires_at: `${expiresAt}`, disputed_at: `${openedAt / 10n ** 9n}` },
      },
    ]);
    expect(await disputeOf("dispute-1")).toMatchObject({
      ...{ usageId: id, escrowId: "escrow-1", state: "open", afterSettlement: false },
      ...{ customer: customer.address, provider: provider.address, evidenceHash: evidence },
      reserved: [{ denom: "uve", amount: "4000" }],
    });
  });

  test("only its customer may, once, and while it is open", async () => {
    await chain.refused(disputeUsage(id, {}, provider), 1505, customer.address);
    await chain.refused(disputeUsage(id, {}, stranger), 1505, customer.address);
    await chain.refused(disputeUsage(id, {}, authority), 1505, customer.address);
    await chain.refused(disputeUsage("usage-1-1"), 1513);
    await chain.refused(disputeUsage(id, { reason: "" }), 5, "reason is empty");
    const short = disputeUsage(id, { evidence: new Uint8Array(31) });
    await chain.refused(short, 5, "32 bytes or none, found 31");
    await disputed(chain, id);
    await chain.refused(disputeUsage(id), 1535, "resolve dispute-1 first");
    await resolved(chain, "dispute-1", "rejected", authority);
    await chain.refused(disputeUsage(id), 1503, "was disputed once: dispute-1 is rejected");
  });

  test("a record that was withdrawn, corrected or written off cannot be disputed", async () => {
    await chain.ok(correct(id, { units: 3n, price: "1000uve" }));
    await chain.refused(disputeUsage(id), 1515, "was corrected");
    const next = id.replace(/1$/, "2");
    await chain.ok(withdraw(next));
    await chain.refused(disputeUsage(next), 1515, "was withdrawn");
  });

  test("the claim of a correction can be disputed, whatever became of the former one", async () => {
    await resolved(chain, await disputed(chain, id), "rejected", authority);
    await chain.ok(correct(id, { units: 3n, price: "1000uve" }));
    expect(await disputed(chain, id.replace(/1$/, "2"))).toBe("dispute-2");
  });

  test("meanwhile nobody corrects, withdraws, acknowledges or settles it: 1535", async () => {
    await disputed(chain, id);
    const name = "dispute-1";
    await chain.refused(correct(id, { units: 1n }), 1535, name);
    await chain.refused(withdraw(id), 1535, name);
    await chain.refused(msg.acknowledge(customer, id), 1535, name);
    await chain.refused(msg.settle(customer, { ids: [id] }), 1535, name);
    await chain.refused(msg.settle(customer), 1535, "all 1 open records");
    await chain.refused(msg.settle(customer, { final: true }), 1535, "all 1 open records");
    await chain.refused(clearAnomaly(id), 1512, "has no flags");
  });

  test("its period stays taken: the same report is told so", async () => {
    await disputed(chain, id);
    await chain.refused(msg.record(provider, { units: 4n, price: "1000uve" }), 1514, id);
  });
});

describe("RULES 21 a decision", () => {
  test("of the authority holds at once; others have no say", async () => {
    const dispute = await disputed(chain, id);
    await chain.refused(resolve(dispute, "rejected", stranger), 1505, "customer, provider");
    await chain.refused(resolve("dispute-9", "rejected", authority), 1550, "dispute-9");
    await chain.refused(resolve("dispute-01", "rejected", authority), 1550);
    const result = await chain.ok(resolve(dispute, "rejected", authority));
    expect(eventsOf(result, "DisputeResolved")[0]).toMatchObject({
      ...{ dispute_id: dispute, resolution: "rejected", resolved_by: authority.address },
      ...{ usage_units: "", amended_usage_id: "", refund_id: "" },
    });
    expect(await disputeOf(dispute)).toMatchObject({
      ...{ state: "rejected", decidedBy: authority.address },
    });
    await chain.refused(resolve(dispute, "accepted", authority), 1503, "dispute-1 is rejected");
  });

  test("rejected: the record is settled as it was recorded", async () => {
    await resolved(chain, await disputed(chain, id), "rejected", authority);
    expect((await settled(chain)).totalAmount).toBe("4000uve");
    expect(await chain.balance(provider.address)).toBe(1_000_000_003_760n);
  });

  test("accepted: the record is written off, its period stays taken, and nothing is billed", async () => {
    const result = await chain.ok(resolve(await disputed(chain, id), "accepted", authority));
    expect(eventsOf(result, "UsageWrittenOff")).toMatchObject([
      { usage_id: id, total_cost: "4000uve" },
    ]);
    expect(await see.usageDetail(chain, id)).toMatchObject({ status: "written_off" });
    await chain.refused(msg.settle(customer), 1506, "has no open records");
    await chain.refused(msg.record(provider, { units: 4n, price: "1000uve" }), 1514);
    expect((await settled(chain, { final: true })).totalAmount).toBe("");
    expect((await see.escrow(chain, "escrow-1")).state).toBe("released");
    expect(await chain.balance(customer.address)).toBe(1_000_000_000_000n);
  });

  test("amended: another record takes its place, for less, and cannot be disputed again", async () => {
    const wish: Wish = { units: 3n, price: "500uve" };
    const answer = await resolved(chain, await disputed(chain, id), wish, authority);
    const amended = id.replace(/1$/, "2");
    expect(answer).toEqual({ state: "amended", usageId: amended, refundId: "" });
    expect(await see.usage(chain, amended)).toMatchObject({
      ...{ usageUnits: 3n, customerAcknowledged: false, metadata: { corrects: id } },
      providerSignature: new Uint8Array(0),
    });
    expect(await see.usageDetail(chain, id)).toMatchObject({ status: "superseded" });
    await chain.refused(disputeUsage(amended), 1503, "dispute-1 is amended");
    expect((await settled(chain)).totalAmount).toBe("1500uve");
    expect(await disputeOf("dispute-1")).toMatchObject({ amendedUsageId: amended });
  });

  test("an amendment costs less than the record, and has its denom", async () => {
    const dispute = await disputed(chain, id);
    await chain.refused(resolve(dispute, { units: 4n }, authority), 1512, "less than 4000uve");
    await chain.refused(
      resolve(dispute, { units: 1n, price: "1uusd" }, authority),
      1512,
      "expected a price in uve",
    );
    await chain.refused(resolve(dispute, { units: 0n }, authority), 5, "accept the dispute");
    expect((await resolved(chain, dispute, { units: 3n }, authority)).state).toBe("amended");
    expect((await settled(chain)).totalAmount).toBe("3000uve");
  });

  test("of one party is a proposal; the other's equal one makes it effective", async () => {
    const dispute = await disputed(chain, id);
    const first = await chain.ok(resolve(dispute, { units: 1n }, provider));
    expect(eventsOf(first, "DisputeProposed")).toMatchObject([
      { resolution: "amended", usage_units: "1", proposed_by: provider.address },
    ]);
    expect((await disputeOf(dispute)).state).toBe("reviewing");
    // Another proposal, another price, the same party again: none of them decides.
    for (const [wish, signer] of [
      ["rejected", customer],
      [{ units: 1n, price: "900uve" }, customer],
      [{ units: 1n }, provider],
    ] as const) {
      expect((await resolved(chain, dispute, wish, signer)).state).toBe("reviewing");
    }
    expect((await resolved(chain, dispute, { units: 1n }, customer)).state).toBe("amended");
    expect(await see.usage(chain, id.replace(/1$/, "2"))).toMatchObject({
      ...{ usageUnits: 1n, customerAcknowledged: true },
    });
    expect(await disputeOf(dispute)).toMatchObject({
      ...{ decidedBy: customer.address, providerProposal: { resolution: "amended" } },
    });
  });

  test("words that are none are refused before the state is read", async () => {
    const dispute = await disputed(chain, id);
    const odd = resolve(dispute, "expired" as Wish, authority);
    await chain.refused(odd, 5, "accepted, rejected or amended");
  });
});

describe("RULES 21 nobody decides", () => {
  test("at the end of the window, to the nanosecond, it expires and settles as recorded", async () => {
    const openedAt = chain.time;
    const dispute = await disputed(chain, id);
    chain.time = (openedAt + WINDOW * 10n ** 9n - 1n) as typeof chain.time;
    await chain.block();
    expect((await disputeOf(dispute)).state).toBe("open");
    chain.time = (openedAt + WINDOW * 10n ** 9n) as typeof chain.time;
    // A message of that block comes too late, though the block ends it only at its end.
    const output = await chain.block(await chain.tx([resolve(dispute, "accepted", authority)]));
    expect(output.txResults[0]).toMatchObject({ code: 1503 });
    expect(eventsOf(output, "DisputeExpired")).toMatchObject([{ dispute_id: dispute }]);
    expect(await disputeOf(dispute)).toMatchObject({ state: "expired", decidedBy: "" });
    expect((await settled(chain)).totalAmount).toBe("4000uve");
  });

  test("at most 1,000 disputes end in a block", async () => {
    const periods = Array.from({ length: 1001 }, (_, n) => slot(n + 70, 7n));
    await chain.ok(...periods.map((period) => msg.record(provider, { ...period, price: "1uve" })));
    const records = (await see.usageOf(chain, "order-1")).map(({ usageId }) => usageId);
    expect(records.length).toBe(1002);
    await chain.ok(...records.slice(1).map((usageId) => disputeUsage(usageId)));
    chain.skip(WINDOW);
    const first = await chain.block();
    expect(eventsOf(first, "DisputeExpired").length).toBe(1000);
    expect(eventsOf(await chain.block(), "DisputeExpired").length).toBe(1);
  });
});

describe("queries of disputes", () => {
  test("by customer, provider and state", async () => {
    await activeEscrow(chain, "1000uve", { order: "order-2", depositor: customer2 });
    const other = await recorded(chain, { order: "order-2", price: "10uve" });
    await disputed(chain, id);
    await chain.ok(disputeUsage(other, {}, customer2));
    await resolved(chain, "dispute-1", "rejected", authority);
    expect(await idsOf({})).toEqual(["dispute-1", "dispute-2"]);
    expect(await idsOf({ customer: customer2.address })).toEqual(["dispute-2"]);
    expect(await idsOf({ provider: provider.address })).toEqual(["dispute-1", "dispute-2"]);
    expect(await idsOf({ state: "open" })).toEqual(["dispute-2"]);
    expect(await idsOf({ state: "open", customer: customer.address })).toEqual([]);
    const path = "settled.settlement.v1.Query/Disputes";
    expect((await chain.ask(path, { state: "odd" })).code).not.toBe(0);
    expect((await chain.ask("settled.settlement.v1.Query/Dispute", { disputeId: "x" })).code).toBe(
      22,
    );
  });

  test("an export is imported as it was, with open, reviewed and decided disputes", async () => {
    const more = await recorded(chain, { ...slot(1), price: "7uve" });
    await acknowledged(chain, [more]);
    await disputed(chain, id);
    await disputed(chain, more);
    await resolved(chain, "dispute-1", { units: 1n }, provider);
    await resolved(chain, "dispute-2", "accepted", authority);
    const copy = await chain.imported();
    expect(await copy.exported()).toBe(await chain.exported());
    await copy.checkFullInvariants();
    await chain.checkFullInvariants();
    expect(text((await see.escrow(copy, "escrow-1")).balance)).toBe("10000uve");
  });
});
