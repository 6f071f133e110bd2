import { beforeAll, describe, expect, test } from "vitest";
import { openApp } from "../../../src/app/app.ts";
import { answerFromRecords } from "../../../src/app/query_check.ts";
import { failedRecord, type ProvedRecord } from "../../../src/client/proof.ts";
import { decodeProofData } from "../../../src/codec/proof_op.ts";
import { messageTypeNamed } from "../../../src/codec/message_types.ts";
import { SERVICES } from "../../../src/gen/schema.ts";
import { must } from "../../../src/lib/assert.ts";
import { fromHex, toHex, utf8 } from "../../../src/lib/bytes.ts";
import { bytesOfKey } from "../../../src/lib/key.ts";
import { balanceKey } from "../../../src/modules/bank/keys.ts";
import { nodeCrypto } from "../../../src/node/crypto_native.ts";
import { openMemoryDb } from "../../../src/store/leveldb.ts";
import type { QueryOutput } from "../../../src/types/application.ts";
import { type Dec, parseDec } from "../../../src/types/dec.ts";
import { customer, provider, stranger } from "../../testkit/accounts.ts";
import { setTax, taxTerms } from "../../testkit/billing.ts";
import { genesisOf, openChain, TestChain } from "../../testkit/chain.ts";
import { disputed } from "../../testkit/disputes.ts";
import { LEASE, msg, ORDER } from "../../testkit/messages.ts";
import { acknowledged, activeEscrow, recorded, settled } from "../../testkit/orders.ts";
import { refunded } from "../../testkit/refunds.ts";
import { slot } from "../../testkit/times.ts";

const WIRE = "/virtengine.settlement.v1.Query";
const OWN = "/settled.settlement.v1.Query";
const AUTH = "/cosmos.auth.v1beta1.Query";
const BANK = "/cosmos.bank.v1beta1.Query";
const JOURNAL = "/settled.bank.v1.Query";

let chain: TestChain;
/** Requests of single records that are there, by path. */
let single: Record<string, object>;

beforeAll(async () => {
  chain = await openChain();
  const escrowId = await activeEscrow(chain);
  const usageId = await recorded(chain, { price: "100uve" });
  await acknowledged(chain, [usageId]);
  const { settlementId } = await settled(chain, { final: true });
  const { refundId } = await refunded(chain, settlementId, "10uve");
  const disputeId = await disputed(chain, usageId);
  await chain.ok(setTax(taxTerms("reverse_charge")));
  const { payouts } = await chain.query<{ payouts: { payoutId: string }[] }>(
    ...([
      "virtengine.settlement.v1.Query/PayoutsByProvider",
      { provider: provider.address },
    ] as const),
  );
  single = {
    [`${AUTH}/Account`]: { address: customer.address },
    [`${AUTH}/AccountInfo`]: { address: customer.address },
    [`${AUTH}/Params`]: {},
    [`${BANK}/Balance`]: { address: customer.address, denom: "uve" },
    [`${BANK}/SupplyOf`]: { denom: "uve" },
    [`${BANK}/DenomMetadata`]: { denom: "uve" },
    [`${JOURNAL}/JournalEntry`]: { seq: 1n },
    [`${WIRE}/Escrow`]: { escrowId },
    [`${WIRE}/UsageRecord`]: { usageId },
    [`${WIRE}/Payout`]: { payoutId: must(payouts[0], "it was paid").payoutId },
    [`${WIRE}/Params`]: {},
    [`${OWN}/Params`]: {},
    [`${OWN}/UsageDetail`]: { usageId },
    [`${OWN}/Refund`]: { refundId },
    [`${OWN}/Dispute`]: { disputeId },
    [`${OWN}/BillingTerms`]: { orderId: ORDER },
  };
  // Later blocks change records that are asked for at the height before.
  await chain.ok(msg.send(customer, stranger.address, "5uve"));
});

/** Queries whose answer reads a list, or an index. */
const LISTS = [
  ...[`${AUTH}/Accounts`, `${AUTH}/ModuleAccounts`],
  ...[`${BANK}/AllBalances`, `${BANK}/SpendableBalances`, `${BANK}/TotalSupply`],
  `${BANK}/DenomsMetadata`,
  `${JOURNAL}/JournalEntries`,
  ...[`${WIRE}/EscrowsByOrder`, `${WIRE}/EscrowsByState`, `${WIRE}/SettlementsByOrder`],
  ...[`${WIRE}/Settlement`, `${WIRE}/UsageRecordsByOrder`, `${WIRE}/UsageSummary`],
  ...[`${WIRE}/RewardDistribution`, `${WIRE}/RewardsByEpoch`, `${WIRE}/RewardHistory`],
  ...[`${WIRE}/ClaimableRewards`, `${WIRE}/PayoutsByProvider`],
  ...[`${OWN}/Usage`, `${OWN}/Invoice`, `${OWN}/InvoicesByOrder`, `${OWN}/Escrows`],
  ...[`${OWN}/Settlements`, `${OWN}/Payouts`, `${OWN}/RewardEntries`, `${OWN}/Distributions`],
  ...[`${OWN}/Totals`, `${OWN}/UsageByNaturalKey`, `${OWN}/PriceCeilings`, `${OWN}/Treasury`],
  ...[`${OWN}/Invoices`, `${OWN}/InvoiceLedger`, `${OWN}/CreditNotes`, `${OWN}/PayoutLedger`],
  ...[`${OWN}/RefundsBySettlement`, `${OWN}/Receivables`, `${OWN}/Disputes`, `${OWN}/Orders`],
  ...[`${OWN}/UsageRecords`, `${OWN}/Statement`],
  ...[`${OWN}/EstimateSettlement`, `${OWN}/NextSettlement`, `${OWN}/OpenWork`],
  `${OWN}/RewardRows`,
];

/** Queries that read no record, or answer nothing. */
const NO_RECORDS = [
  ...[`${AUTH}/Bech32Prefix`, `${BANK}/Params`],
  ...[`${WIRE}/FiatConversion`, `${WIRE}/FiatConversionsByProvider`],
  `${WIRE}/FiatPayoutPreference`,
];

function requestBytes(path: string, request: object): Uint8Array {
  const [, service = "", name = ""] = path.split("/");
  const methods = SERVICES.find((each) => each.name === service)?.methods ?? [];
  const input = must(
    methods.find((method) => method.name === name),
    path,
  ).input;
  const { codec } = messageTypeNamed(input);
  return codec.encode(codec.fromPartial(request)).finish();
}

async function prove(path: string, data: Uint8Array, height = 0n): Promise<QueryOutput> {
  return chain.app.query({ path, data, height, prove: true });
}

function recordsOf({ proofOps }: QueryOutput): ProvedRecord[] {
  return (proofOps ?? []).map(({ type, key, data }) => {
    expect(type).toBe("settled/1");
    return { key, ...must(decodeProofData(data), "an envelope") };
  });
}

/** The app hash that the block of a height answered. */
function appHashOf(height: bigint): Uint8Array {
  const block = must(
    chain.blocks.find((each) => each.height === height),
    `block ${height}`,
  );
  return must(fromHex(block.appHash), "hex");
}

describe("queries of single records", () => {
  test("with the lists and those without records they are all queries that there are", () => {
    const sorted = [...Object.keys(single), ...LISTS, ...NO_RECORDS].sort();
    expect(sorted).toEqual([...chain.app.queryPaths].sort());
  });

  test("each is proved at its height, and the records give the same answer", async () => {
    for (const [path, request] of Object.entries(single)) {
      for (const height of [chain.height - 1n, 0n]) {
        const data = requestBytes(path, request);
        const output = await prove(path, data, height);
        expect([path, output.code, output.log]).toEqual([path, 0, ""]);
        const records = recordsOf(output);
        expect(records.length, path).toBeGreaterThan(0);
        expect(failedRecord(appHashOf(output.height), records), path).toBeUndefined();
        const again = await answerFromRecords({ ...chain.app.info(), bondDenom: "" }, records, {
          path,
          data,
          height: output.height,
        });
        expect(toHex(again.value), path).toBe(toHex(output.value));
      }
    }
  });

  test("the proof of one height does not hold at another that differs", async () => {
    const path = `${BANK}/Balance`;
    const data = requestBytes(path, single[path] as object);
    const before = await prove(path, data, chain.height - 1n);
    const after = await prove(path, data);
    expect(toHex(before.value)).not.toBe(toHex(after.value));
    expect(failedRecord(appHashOf(chain.height), recordsOf(before))).toBeDefined();
    expect(failedRecord(appHashOf(chain.height - 1n), recordsOf(after))).toBeDefined();
  });

  test("that there is nothing is proved as well", async () => {
    const path = `${WIRE}/Escrow`;
    const output = await prove(path, requestBytes(path, { escrowId: "escrow-99" }));
    expect(output).toMatchObject({ code: 22, codespace: "sdk" });
    const records = recordsOf(output);
    expect(records.map(({ value }) => value)).toEqual([undefined]);
    expect(failedRecord(appHashOf(output.height), records)).toBeUndefined();
    // A text that is no id is looked up nowhere: the refusal needs no proof.
    const none = await prove(path, requestBytes(path, { escrowId: "x" }));
    expect([none.code, none.proofOps]).toEqual([22, []]);
  });

  test("records of something else do not give the answer", async () => {
    const path = `${BANK}/Balance`;
    const data = requestBytes(path, { address: stranger.address, denom: "uve" });
    const other = recordsOf(await prove(path, requestBytes(path, single[path] as object)));
    const chainInfo = { ...chain.app.info(), bondDenom: "" };
    const again = await answerFromRecords(chainInfo, other, { path, data, height: chain.height });
    expect(again.code).not.toBe(0);
  });
});

describe("what cannot be proved is refused", () => {
  test("a list, naming a query that can be proved", async () => {
    for (const path of LISTS) {
      const request = requestOf(path);
      const output = await prove(path, requestBytes(path, request));
      expect([path, output.code, output.proofOps]).toEqual([path, 18, undefined]);
      const instead = /as (\/\S+) does/.exec(output.log)?.[1] ?? "";
      expect(Object.keys(single), output.log).toContain(instead);
      expect(output.log).toContain("only queries of single records can be proved");
    }
  });

  test("an answer from no record", async () => {
    for (const path of [`${AUTH}/Bech32Prefix`, `${BANK}/Params`]) {
      const output = await prove(path, new Uint8Array(0));
      expect(output).toMatchObject({ code: 18, codespace: "sdk" });
      expect(output.log).toContain("ask without prove");
    }
  });

  test("a simulation, and one at another height than the latest", async () => {
    const path = "/cosmos.tx.v1beta1.Service/Simulate";
    const ask = (height: bigint) =>
      chain.app.query({ path, data: new Uint8Array(0), height, prove: false });
    expect(await ask(chain.height - 1n)).toMatchObject({ code: 26, codespace: "sdk" });
    // An empty tx has no message; as far as the height goes, it is simulated.
    expect(await ask(chain.height)).toMatchObject({ code: 18 });
    expect(await ask(0n)).toMatchObject({ code: 18 });
    const proved = await prove(path, new Uint8Array(0));
    expect([proved.code, proved.proofOps]).toEqual([18, undefined]);
  });
});

/** A request that gets as far as the list. */
function requestOf(path: string): object {
  const known: Record<string, object> = {
    [`${WIRE}/Settlement`]: { settlementId: ids.settlement },
    [`${OWN}/RefundsBySettlement`]: { settlementId: ids.settlement },
    [`${OWN}/Receivables`]: {},
    [`${WIRE}/RewardDistribution`]: { distributionId: ids.distribution },
    [`${WIRE}/EscrowsByState`]: { state: "active" },
    [`${OWN}/Invoice`]: { invoiceId: ids.invoice },
    [`${OWN}/InvoiceLedger`]: { invoiceId: ids.invoice },
    [`${OWN}/CreditNotes`]: { invoiceId: ids.invoice },
    [`${OWN}/PayoutLedger`]: { payoutId: ids.payout },
    [`${OWN}/Usage`]: { orderId: ORDER },
    [`${OWN}/UsageByNaturalKey`]: {
      ...{ orderId: ORDER, leaseId: LEASE, usageType: "cpu" },
      ...{ periodStart: slot(0).start, periodEnd: slot(0).end },
    },
  };
  const address = provider.address;
  return known[path] ?? { address, provider: address, orderId: ORDER, epochNumber: 0n };
}

const ids = { settlement: "", distribution: "", invoice: "", payout: "" };
beforeAll(async () => {
  const ask = chain.query.bind(chain) as <T>(path: string, request: object) => Promise<T>;
  const byOrder = { orderId: ORDER };
  const { settlements } = await ask<{ settlements: { settlementId: string }[] }>(
    ...(["virtengine.settlement.v1.Query/SettlementsByOrder", byOrder] as const),
  );
  ids.settlement = must(settlements[0], "settled").settlementId;
  const { invoices } = await ask<{ invoices: { invoiceId: string }[] }>(
    ...(["settled.settlement.v1.Query/InvoicesByOrder", byOrder] as const),
  );
  ids.invoice = must(invoices[0], "invoiced").invoiceId;
  const { payouts } = await ask<{ payouts: { payoutId: string }[] }>(
    ...([
      "virtengine.settlement.v1.Query/PayoutsByProvider",
      { provider: provider.address },
    ] as const),
  );
  ids.payout = must(payouts[0], "paid out").payoutId;
  const { entries } = await ask<{ entries: { distributionId: string }[] }>(
    ...(["settled.settlement.v1.Query/RewardEntries", { address: provider.address }] as const),
  );
  ids.distribution = must(entries[0], "rewarded").distributionId;
});

test.each([0, 3, "all"] as const)(
  "while a block is executed and not yet on disk, the latest height is proved (history %s)",
  async (keepHistory) => {
    const db = await openMemoryDb();
    const genesis = genesisOf();
    const app = await openApp({
      ...{ db, genesis, keepHistory, crypto: nodeCrypto(), minimumGasPrice: parseDec("0") as Dec },
    });
    app.initChain(genesis);
    await app.commit([]);
    const own = new TestChain(app, db, genesis);
    await own.ok(msg.send(customer, stranger.address, "5uve"));
    const path = `${BANK}/Balance`;
    const data = requestBytes(path, { address: stranger.address, denom: "uve" });
    const { appHash } = app.info();
    const tx = await own.tx([msg.send(customer, stranger.address, "7uve")]);
    const [height, proposer] = [own.height + 1n, new Uint8Array(20)];
    const { appHash: next } = app.finalizeBlock({ height, time: own.time, txs: [tx], proposer });
    const during = await app.query({ path, data, height: 0n, prove: true });
    expect(during.height).toBe(own.height);
    expect(failedRecord(appHash, recordsOf(during))).toBeUndefined();
    await app.commit([]);
    const after = await app.query({ path, data, height: 0n, prove: true });
    expect(failedRecord(next, recordsOf(after))).toBeUndefined();
    expect(failedRecord(appHash, recordsOf(after))).toBeDefined();
    await app.close();
  },
);

describe("raw store queries", () => {
  const key = bytesOfKey(balanceKey(stranger.address, "uve"));

  test("a committed value at its height, with its proof or without", async () => {
    const path = "/store/bank/key";
    const latest = await prove(path, key);
    expect(latest).toMatchObject({ code: 0, key, height: chain.height });
    const plain = await chain.app.query({ path, data: key, height: 0n, prove: false });
    expect([plain.value, plain.proofOps]).toEqual([latest.value, undefined]);
    const older = await prove(path, key, chain.height - 1n);
    expect(older.value).not.toEqual(latest.value);
    for (const output of [latest, older]) {
      const records = recordsOf(output);
      expect(records.map(({ value }) => value)).toEqual([output.value]);
      expect(failedRecord(appHashOf(output.height), records)).toBeUndefined();
    }
  });

  test("an absent key: an empty value, code 0 and its absence proved", async () => {
    const absent = bytesOfKey(balanceKey(stranger.address, "unothing"));
    const output = await prove("/store/bank/key", absent);
    expect(output).toMatchObject({ code: 0, value: new Uint8Array(0), key: absent });
    const records = recordsOf(output);
    expect(records.map(({ value }) => value)).toEqual([undefined]);
    expect(failedRecord(appHashOf(output.height), records)).toBeUndefined();
  });

  test("every module has its store, and gives no key of another", async () => {
    const modules = Object.keys((await chain.app.exportGenesis()).appState);
    for (const name of modules.filter((each) => each !== "chain")) {
      const path = `/store/${name}/key`;
      for (const data of [new Uint8Array(0), utf8("\u007f"), Uint8Array.of(0xc3, 1)]) {
        const output = await prove(path, data);
        expect([name, output.code]).toEqual([name, 18]);
        expect(output.log).toContain(`keys of ${path} begin with`);
      }
    }
    expect(await prove("/store/nothing/key", key)).toMatchObject({ code: 6 });
    expect(await prove("/store/bank/subspace", key)).toMatchObject({ code: 6 });
  });
});
