import { secp256k1 } from "@noble/curves/secp256k1.js";
import { beforeEach, describe, expect, test } from "vitest";
import { acknowledgeSignBytes, usageSignBytes } from "../../../src/client/settlement_msgs.ts";
import { concatBytes } from "../../../src/lib/bytes.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import { customer, provider, stranger, type TestAccount } from "../../testkit/accounts.ts";
import { CHAIN_ID, openChain, type TestChain } from "../../testkit/chain.ts";
import { price } from "../../testkit/coins.ts";
import { correct, corrected, withdraw } from "../../testkit/corrections.ts";
import { LEASE, msg, ORDER } from "../../testkit/messages.ts";
import { activeEscrow, recorded } from "../../testkit/orders.ts";
import { slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const DOC = {
  chainId: CHAIN_ID,
  orderId: ORDER,
  leaseId: LEASE,
  usageType: "cpu",
  usageUnits: 3n,
  periodStart: slot(0).start,
  periodEnd: slot(0).end,
  unitPrice: price("2uve"),
};
const REPORT = { units: 3n, price: "2uve" };

const signed = (signer: TestAccount, doc: object): Uint8Array =>
  signer.sign(sha256(usageSignBytes({ ...DOC, ...doc })));

/** The other signature that is valid by mathematics alone: (r, n − s). */
function withHighS(signature: Uint8Array): Uint8Array {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString("hex")}`);
  const { n } = secp256k1.Point.CURVE();
  const high = (n - s).toString(16).padStart(64, "0");
  return concatBytes(signature.subarray(0, 32), Uint8Array.from(Buffer.from(high, "hex")));
}

describe("with require_usage_signature", () => {
  let chain: TestChain;
  beforeEach(async () => {
    chain = await openChain({ extended: { require_usage_signature: true } });
    await activeEscrow(chain);
  });

  test("D-12 / RULES 18 the sender's signature over the sign doc is taken", async () => {
    const id = await recorded(chain, { ...REPORT, signature: signed(provider, {}) });
    expect((await see.usage(chain, id)).providerSignature).toEqual(signed(provider, {}));
  });

  test.each<[name: string, doc: object]>([
    ["chain", { chainId: "settled-2" }],
    ["order", { orderId: "order-2" }],
    ["lease", { leaseId: "lease-2" }],
    ["type", { usageType: "gpu" }],
    ["number of units", { usageUnits: 4n }],
    ["start", { periodStart: slot(0).start - 1n }],
    ["end", { periodEnd: slot(0).end - 1n }],
    ["price", { unitPrice: price("1uve") }],
    ["denom", { unitPrice: price("2uusd") }],
  ])("D-12 a signature over another %s is refused with 1524", async (_, doc) => {
    const message = msg.record(provider, { ...REPORT, signature: signed(provider, doc) });
    await chain.refused(message, 1524, provider.address, "64 bytes");
  });

  test("RULES 18 a key of somebody else, a high s and other lengths are refused", async () => {
    const good = signed(provider, {});
    const bad = [
      signed(stranger, {}),
      withHighS(good),
      good.subarray(0, 63),
      concatBytes(good, Uint8Array.of(0)),
      new Uint8Array(64),
    ];
    for (const signature of bad) {
      await chain.refused(msg.record(provider, { ...REPORT, signature }), 1524, "low s");
    }
  });

  test("D-12 the customer's acknowledgement is verified over chain, usage id and cost", async () => {
    const usageId = await recorded(chain, { ...REPORT, signature: signed(provider, {}) });
    const sign = (signer: TestAccount, doc: object): Uint8Array => {
      const whole = { chainId: CHAIN_ID, usageId, totalCost: "6uve", ...doc };
      return signer.sign(sha256(acknowledgeSignBytes(whole)));
    };
    const bad = [sign(customer, { totalCost: "5uve" }), sign(provider, {}), Uint8Array.of(1)];
    for (const signature of bad) {
      await chain.refused(msg.acknowledge(customer, usageId, signature), 1524, customer.address);
    }
    await chain.ok(msg.acknowledge(customer, usageId, sign(customer, {})));
    expect((await see.usage(chain, usageId)).customerAcknowledged).toBe(true);
  });
});

describe("RULES 18 a correction with require_usage_signature", () => {
  let chain: TestChain;
  let id: string;
  beforeEach(async () => {
    chain = await openChain({ extended: { require_usage_signature: true } });
    await activeEscrow(chain);
    id = await recorded(chain, { ...REPORT, signature: signed(provider, {}) });
  });

  test("is signed over the corrected facts", async () => {
    const to = { units: 5n, price: "1uve" };
    const doc = { usageUnits: 5n, unitPrice: price("1uve") };
    const bad = [
      signed(provider, {}),
      signed(provider, { ...doc, usageUnits: 4n }),
      signed(provider, { ...doc, unitPrice: price("2uve") }),
      signed(provider, { ...doc, chainId: "settled-2" }),
      signed(stranger, doc),
    ];
    for (const signature of bad) {
      await chain.refused(correct(id, { ...to, signature }), 1524, provider.address);
    }
    const newId = await corrected(chain, id, { ...to, signature: signed(provider, doc) });
    expect((await see.usage(chain, newId)).providerSignature).toEqual(signed(provider, doc));
  });

  test("is signed, to withdraw, over 0 units at the price of the record", async () => {
    for (const doc of [{}, { usageUnits: 0n, unitPrice: undefined }]) {
      const signature = signed(provider, doc);
      await chain.refused(withdraw(id, { signature }), 1524, provider.address);
    }
    await chain.ok(withdraw(id, { signature: signed(provider, { usageUnits: 0n }) }));
  });

  test("needs an acknowledgement of its own id and cost", async () => {
    const doc = { usageUnits: 5n };
    const signature = signed(provider, doc);
    const newId = await corrected(chain, id, { units: 5n, price: "2uve", signature });
    const sign = (usageId: string, totalCost: string): Uint8Array =>
      customer.sign(sha256(acknowledgeSignBytes({ chainId: CHAIN_ID, usageId, totalCost })));
    await chain.refused(msg.acknowledge(customer, newId, sign(id, "6uve")), 1524);
    await chain.refused(msg.acknowledge(customer, newId, sign(newId, "6uve")), 1524);
    await chain.ok(msg.acknowledge(customer, newId, sign(newId, "10uve")));
  });
});

test("RULES 18 without require_usage_signature any non-empty bytes will do, as deployed", async () => {
  const chain = await openChain();
  await activeEscrow(chain);
  const id = await recorded(chain, { signature: Uint8Array.of(1) });
  await chain.ok(msg.acknowledge(customer, id, Uint8Array.of(2)));
});
