import { beforeEach, describe, expect, test } from "vitest";
import type { SignerFacts } from "../../../src/baseapp/verdicts.ts";
import { ChainError } from "../../../src/lib/errors.ts";
import { customer, customer2 } from "../../testkit/accounts.ts";
import { CHAIN_ID, openChain, type TestChain } from "../../testkit/chain.ts";
import { msg } from "../../testkit/messages.ts";
import { expectCode, expectOk } from "../../testkit/outcome.ts";

let chain: TestChain;
let right: SignerFacts;

beforeEach(async () => {
  chain = await openChain();
  const { number, sequence } = await chain.accountOf(customer.address);
  right = {
    index: 0,
    publicKey: customer.publicKey,
    accountNumber: number,
    sequence,
    chainId: CHAIN_ID,
  };
});

/** A tx whose signature is wrong, prepared, with what a verifier is said to have found. */
async function forged(facts: SignerFacts, mode: "direct" | "amino-json" = "direct") {
  const tx = await chain.tx([msg.send(customer, customer2.address, "1uve")], { mode });
  tx[tx.length - 1] = (tx[tx.length - 1] as number) ^ 1;
  const prepared = chain.app.prepareTx(tx);
  const { decoded } = prepared;
  if (decoded instanceof ChainError) throw decoded;
  decoded.verdicts.put(facts, true);
  return prepared;
}

describe("a verdict that was found ahead", () => {
  test("is used where the state says what it was found with", async () => {
    expectOk(chain.app.checkTx(await forged(right)));
  });

  test.each<[string, (facts: SignerFacts) => SignerFacts]>([
    ["account number", (facts) => ({ ...facts, accountNumber: facts.accountNumber + 1n })],
    ["sequence", (facts) => ({ ...facts, sequence: facts.sequence + 1n })],
    ["key", (facts) => ({ ...facts, publicKey: customer2.publicKey })],
    ["chain id", (facts) => ({ ...facts, chainId: "another-1" })],
    ["signer", (facts) => ({ ...facts, index: 1 })],
  ])("is not used for another %s", async (_, change) => {
    for (const mode of ["direct", "amino-json"] as const) {
      const tx = await forged(change(right), mode);
      expectCode(chain.app.checkTx(tx, "probe"), "sdk/4", "signature verification failed");
      chain = await openChain();
    }
  });

  test("is not used by another machine", async () => {
    const other = await openChain();
    expectCode(other.app.checkTx(await forged(right)), "sdk/4");
  });
});

describe("claims", () => {
  const claims = async (options: Parameters<TestChain["tx"]>[1]) => {
    const tx = await chain.tx([msg.send(customer, customer2.address, "1uve")], options);
    return chain.app.claimsOf(chain.app.prepareTx(tx));
  };

  test("are made in both sign modes, over what was signed", async () => {
    for (const mode of ["direct", "amino-json"] as const) {
      const [claim] = await claims({ mode });
      expect(claim?.publicKey).toEqual(customer.publicKey);
      expect(claim?.signature).toHaveLength(64);
      expect(new TextDecoder().decode(claim?.signBytes)).toContain(CHAIN_ID);
    }
  });

  test("are not made of what does not decode, nor of a sequence that is past", async () => {
    expect(chain.app.claimsOf(chain.app.prepareTx(Uint8Array.of(1, 2)))).toEqual([]);
    const tx = await chain.tx([msg.send(customer, customer2.address, "1uve")]);
    await chain.block(tx);
    expect(chain.app.claimsOf(chain.app.prepareTx(tx))).toEqual([]);
    expect(await claims({ sequence: 7n })).toHaveLength(1);
  });
});

test("a prepared tx has the results of its bytes, whatever is wrong with it", async () => {
  const send = msg.send(customer, customer2.address, "1uve");
  const good = await chain.tx([send]);
  const txs = [
    good,
    Uint8Array.of(1, 2, 3),
    new Uint8Array(0),
    await chain.tx([msg.send(customer, "nobody", "1uve")], { sequence: 1n }),
    await chain.tx([send], { sequence: 9n }),
    await chain.tx([send], { sequence: 1n, chainId: "another-1" }),
    await chain.tx([send], { sequence: 1n, mode: "amino-json" }),
    good,
  ];
  const other = await openChain();
  const input = { height: 1n, time: chain.time, proposer: new Uint8Array(20) };
  const prepared = txs.map((tx) => other.app.prepareTx(tx));
  // Looked at before, as the mempool does.
  for (const tx of prepared) other.app.checkTx(tx, "probe");
  const expected = chain.app.finalizeBlock({ ...input, txs });
  expect(other.app.finalizeBlock({ ...input, txs: prepared })).toEqual(expected);
  const codes = expected.txResults.map(({ code }) => code);
  expect(codes.filter((code) => code === 0)).toHaveLength(2);
});
