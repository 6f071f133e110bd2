import { expect, test } from "vitest";
import { decodeAmount } from "../../../src/modules/bank/keeper.ts";
import { utf8 } from "../../../src/lib/bytes.ts";
import { customer, customer2 } from "../../testkit/accounts.ts";
import { openChain } from "../../testkit/chain.ts";
import { wire } from "../../testkit/coins.ts";
import { msg } from "../../testkit/messages.ts";
import { expectCode, expectOk } from "../../testkit/outcome.ts";

const FEE = { amount: wire("5000uve"), gasLimit: 200_000n };

test("a probe shows the events of the ante steps, a check and a recheck make none", async () => {
  const chain = await openChain();
  const tx = await chain.tx([msg.send(customer, customer2.address, "1uve")], { fee: FEE });
  const probe = expectOk(chain.app.checkTx(tx, "probe"));
  const types = ["coin_spent", "coin_received", "transfer", "tx", "tx", "tx"];
  expect(probe.events.map(({ type }) => type)).toEqual(types);
  const check = expectOk(chain.app.checkTx(tx));
  expect(check).toEqual({ ...probe, events: [] });
  await chain.block();
  expect(expectOk(chain.app.checkTx(tx, "recheck"))).toEqual({ ...probe, events: [] });
});

test("fees of checks add up, and are refused as in a block when nothing is left", async () => {
  const chain = await openChain();
  const amount = wire("400000000000uve");
  const codes: string[] = [];
  for (let sequence = 0n; sequence < 4n; sequence += 1n) {
    const { sequence: first } = await chain.accountOf(customer.address);
    const fee = { amount, gasLimit: 200_000n };
    const options = { fee, sequence: first + sequence };
    const tx = await chain.tx([msg.send(customer, customer2.address, "1uve")], options);
    const result = chain.app.checkTx(tx);
    codes.push(`${result.codespace}/${result.code}`);
    if (result.code !== 0) expectCode(result, "sdk/5", "spendable balance");
  }
  expect(codes.at(-1)).toBe("sdk/5");
  expect(codes[0]).toBe("/0");
});

test("amounts of any length read as they were written", () => {
  for (const amount of [
    1n,
    9n,
    10n ** 14n,
    10n ** 15n - 1n,
    10n ** 15n,
    2n ** 53n + 1n,
    10n ** 70n,
  ]) {
    expect(decodeAmount(utf8(amount.toString()))).toBe(amount);
  }
});
