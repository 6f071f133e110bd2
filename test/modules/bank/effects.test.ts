import { beforeEach, describe, expect, test } from "vitest";
import {
  SimulateEffectsRequest,
  SimulateEffectsResponse,
} from "../../../src/gen/settled/tx/v1/service.ts";
import type { Fee } from "../../../src/client/tx_builder.ts";
import { must } from "../../../src/lib/assert.ts";
import type { TxResult } from "../../../src/types/tx.ts";
import { customer, provider, stranger } from "../../testkit/accounts.ts";
import { FREE, moduleAccount, openChain, type TestChain } from "../../testkit/chain.ts";
import { invoiceMsg, unpaidInvoice } from "../../testkit/invoices.ts";
import { msg, type TestMessage } from "../../testkit/messages.ts";
import { activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";
import { refundMsg } from "../../testkit/refunds.ts";
import { slot } from "../../testkit/times.ts";

const PATH = "/settled.tx.v1.Service/SimulateEffects";
const FEE = { amount: [{ denom: "uve", amount: "10000" }], gasLimit: 100_000_000n };
const FEES = moduleAccount("fee_collector");

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
});

async function effectsOf(tx: Uint8Array): Promise<SimulateEffectsResponse> {
  const data = SimulateEffectsRequest.encode({ txBytes: tx }).finish();
  const { code, log, value } = await chain.app.query({
    ...{ path: PATH, data, height: 0n, prove: false },
  });
  expect([code, log]).toEqual([0, ""]);
  return SimulateEffectsResponse.decode(value);
}

/** Balances of all accounts: "address denom" → amount. */
async function allBalances(): Promise<Map<string, bigint>> {
  const { bank } = (await chain.app.exportGenesis()).appState as {
    bank: { balances: { address: string; coins: { denom: string; amount: string }[] }[] };
  };
  return new Map(
    bank.balances.flatMap(({ address, coins }) =>
      coins.map(({ denom, amount }): [string, bigint] => [`${address} ${denom}`, BigInt(amount)]),
    ),
  );
}

/** Simulates a tx, delivers it, and compares what was foretold with what came. */
async function foretold(message: TestMessage, fee: Fee = FEE): Promise<TxResult> {
  const tx = await chain.tx([message], { fee });
  const { changes, code, codespace, log } = await effectsOf(tx);
  const before = await allBalances();
  const { txResults } = await chain.block(tx);
  const after = await allBalances();
  const real = [...new Set([...before.keys(), ...after.keys()])]
    .map((key) => ({ key, change: (after.get(key) ?? 0n) - (before.get(key) ?? 0n) }))
    .filter(({ change }) => change !== 0n)
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ key, change }) => `${key} ${change}`);
  expect(changes.map((each) => `${each.address} ${each.denom} ${each.change}`)).toEqual(real);
  const result = must(txResults[0], "a result");
  expect({ code, codespace, log }).toEqual({
    ...{ code: result.code, codespace: result.codespace, log: result.log },
  });
  return result;
}

describe("the effects of a simulated tx are those of the tx", () => {
  test("for coins sent to one and to many, the fee included", async () => {
    await foretold(msg.send(customer, stranger.address, "7uve"));
    const outputs = [
      [stranger.address, "2uve"],
      [provider.address, "3uve,4uusd"],
    ] as const;
    await foretold(msg.multiSend(customer, outputs, "5uve,4uusd"));
  });

  test("for an order from escrow to refund", async () => {
    await foretold(msg.create(customer, "500uve", { order: "order-0" }));
    await activeEscrow(chain, "100000uve,5000uusd");
    await foretold(msg.record(provider, { ...slot(0), price: "9001uve" }));
    await recordedCosts(chain, [3000], { denom: "uusd", from: 5 });
    const rich = await foretold(msg.settle(customer));
    expect(rich.code).toBe(0);
    await foretold(msg.claim(provider));
    await recordedCosts(chain, [5000], { from: 10 });
    const { settlementId } = await settled(chain);
    const refund = await foretold(refundMsg.refund(settlementId, "100uve"));
    expect(refund.code).toBe(0);
    const invoice = await unpaidInvoice(chain, 800, { order: "order-2" });
    const paid = await foretold(invoiceMsg.pay(customer, invoice, "100uve"), FREE);
    expect(paid.code).toBe(0);
  });

  test("for one that fails: its fee alone", async () => {
    const failed = await foretold(msg.send(stranger, customer.address, "999999999999999uve"));
    expect(failed.code).toBe(5);
    const tx = await chain.tx([msg.send(stranger, customer.address, "999999999999999uve")], {
      fee: FEE,
    });
    expect((await effectsOf(tx)).changes).toHaveLength(2);
  });

  test("for one whose fee cannot be paid, and one that is none: nothing", async () => {
    const fee = { ...FEE, amount: [{ denom: "uve", amount: "9999999999999999" }] };
    await foretold(msg.send(stranger, customer.address, "1uve"), fee);
    expect(await effectsOf(Uint8Array.of(1, 2, 3))).toMatchObject({
      ...{ code: 2, codespace: "sdk", changes: [] },
    });
  });
});

test("effects name the modules whose accounts change", async () => {
  const tx = await chain.tx([msg.create(customer, "500uve")], { fee: FEE });
  const { changes, gasUsed } = await effectsOf(tx);
  const names = changes.map(({ address, moduleName }) => [address, moduleName]);
  expect(names).toContainEqual([FEES, "fee_collector"]);
  expect(names).toContainEqual([customer.address, ""]);
  expect(gasUsed).toBeGreaterThan(0n);
});

test("effects are of the latest state only, and no proof of them is given", async () => {
  await chain.blocksTo(3n);
  const data = SimulateEffectsRequest.encode({ txBytes: new Uint8Array(0) }).finish();
  const at = await chain.app.query({ path: PATH, data, height: 1n, prove: false });
  expect([at.codespace, at.code]).toEqual(["sdk", 26]);
  const proved = await chain.app.query({ path: PATH, data, height: 0n, prove: true });
  expect(proved.code).toBe(18);
});
