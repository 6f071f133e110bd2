import { beforeEach, describe, expect, test } from "vitest";
import * as tx from "../../../src/gen/settled/settlement/v1/tx.ts";
import { ReleaseCondition } from "../../../src/gen/virtengine/settlement/v1/query.ts";
import {
  authority,
  customer,
  customer2,
  provider,
  provider2,
  stranger,
  type TestAccount,
} from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { msg, type TestMessage } from "../../testkit/messages.ts";
import { eventsOf, responseOf, typedEvents } from "../../testkit/outcome.ts";
import { pendingEscrow, recorded, settled } from "../../testkit/orders.ts";
import type { TimeNs } from "../../../src/types/time.ts";
import { DAY, GENESIS, slot } from "../../testkit/times.ts";
import { see } from "../../testkit/views.ts";

const ESCROW = "escrow-1";
const NAME = "/settled.settlement.v1.Msg";

type Wanted = Partial<ReleaseCondition>;

function set(signer: TestAccount, ...conditions: Wanted[]): TestMessage {
  const value = tx.MsgSetReleaseConditions.encode({
    sender: signer.address,
    escrowId: ESCROW,
    conditions: conditions.map((each) => ReleaseCondition.fromPartial(each)),
  }).finish();
  return { typeUrl: `${NAME}SetReleaseConditions`, value, signer };
}

function sign(signer: TestAccount): TestMessage {
  const value = tx.MsgSignRelease.encode({ sender: signer.address, escrowId: ESCROW }).finish();
  return { typeUrl: `${NAME}SignRelease`, value, signer };
}

function attest(signer: TestAccount, score: number): TestMessage {
  const message = { sender: signer.address, escrowId: ESCROW, score };
  const value = tx.MsgAttestVerification.encode(message).finish();
  return { typeUrl: `${NAME}AttestVerification`, value, signer };
}

const signers = (...accounts: TestAccount[]) => accounts.map(({ address }) => address);

let chain: TestChain;
beforeEach(async () => {
  chain = await openChain();
  await pendingEscrow(chain);
});

/** The escrow with these conditions, active. */
async function activeWith(...conditions: Wanted[]): Promise<void> {
  await chain.ok(set(customer, ...conditions));
  await chain.ok(msg.activate(customer, ESCROW, provider.address));
}

const release = msg.release(customer, ESCROW);

describe("D-11 a release waits for each kind of condition", () => {
  test("timelock: until strictly after its time", async () => {
    const unlockAfter = GENESIS + 100n;
    await activeWith({ type: "timelock", unlockAfter });
    chain.time = (unlockAfter * 1_000_000_000n) as TimeNs;
    const text = `${ESCROW}: timelock expects a time after 2026-01-01T00:01:40Z, found 2026-01-01T00:01:40Z`;
    await chain.refused(release, 1517, text);
    expect((await see.escrow(chain, ESCROW)).conditions[0]).toMatchObject({ satisfied: false });
    await chain.block();
    const { conditions } = await see.escrow(chain, ESCROW);
    expect(conditions[0]).toMatchObject({ satisfied: true, satisfiedAt: unlockAfter });
    await chain.ok(release);
  });

  test("signature: until all of its signers have agreed", async () => {
    await activeWith({ type: "signature", requiredSigners: signers(provider, stranger) });
    await chain.refused(release, 1517, "signature expects 2 signatures, found 0");
    const first = await chain.ok(sign(provider));
    expect(responseOf(first)).toEqual({ satisfied: false });
    expect(typedEvents(first)).toEqual(["ReleaseSigned"]);
    await chain.refused(release, 1517, "found 1");
    // A repeat changes nothing.
    const repeat = await chain.ok(sign(provider));
    expect([responseOf(repeat), typedEvents(repeat)]).toEqual([{ satisfied: false }, []]);
    const second = await chain.ok(sign(stranger));
    expect(responseOf(second)).toEqual({ satisfied: true });
    expect(eventsOf(second, "ReleaseConditionSatisfied")[0]).toMatchObject({
      ...{ escrow_id: ESCROW, condition: "signature" },
    });
    await chain.ok(release);
  });

  test("multisig: until so many of its signers have agreed", async () => {
    const requiredSigners = signers(provider, provider2, stranger);
    await activeWith({ type: "multisig", requiredSigners, signatureThreshold: 2 });
    await chain.ok(sign(stranger));
    await chain.refused(release, 1517, "multisig expects 2 signatures, found 1");
    await chain.refused(sign(customer2), 1505, "a signer whom a release condition names");
    await chain.ok(sign(provider2));
    await chain.ok(release);
  });

  test("usage_threshold: until the order's recorded units reach it; settled ones count", async () => {
    await activeWith({ type: "usage_threshold", minUsageUnits: 10n });
    await recorded(chain, { ...slot(0), units: 4n, price: "300uve" });
    await settled(chain);
    await recorded(chain, { ...slot(1), units: 5n, price: "300uve" });
    await chain.refused(release, 1517, "usage_threshold expects 10 units, found 9");
    const last = await chain.ok(msg.record(provider, { ...slot(2), units: 1n, price: "300uve" }));
    // Units that vary so much are flagged besides.
    const happened = typedEvents(last).filter((name) => name !== "UsageFlagged");
    expect(happened).toEqual(["ReleaseConditionSatisfied", "UsageRecorded"]);
    await chain.refused(release, 1517, "is not settled");
    await settled(chain);
    await chain.ok(release);
  });

  test("verification: until the authority has attested such a score; it stays satisfied", async () => {
    await activeWith({ type: "verification", requiredVerificationScore: 80 });
    await chain.refused(release, 1517, "verification expects a score of 80, found none");
    await chain.ok(attest(authority, 79));
    await chain.refused(release, 1517, "found 79");
    expect(responseOf(await chain.ok(attest(authority, 80)))).toEqual({ satisfied: true });
    await chain.ok(attest(authority, 10));
    await chain.ok(release);
  });

  test("all of several, and a part of the escrow as the whole of it", async () => {
    await activeWith(
      { type: "signature", requiredSigners: signers(provider) },
      { type: "verification", requiredVerificationScore: 1 },
    );
    await chain.ok(sign(provider));
    await chain.refused(msg.release(customer, ESCROW, "1uve"), 1517, "verification");
    await chain.refused(msg.release(authority, ESCROW), 1517, "verification");
    await chain.ok(attest(authority, 1));
    await chain.ok(msg.release(customer, ESCROW, "1uve"));
    await chain.ok(release);
  });
});

describe("what conditions do not stop", () => {
  const locked: Wanted = { type: "timelock", unlockAfter: GENESIS + 365n * DAY };

  test("settlement, a refund, and the release that decides a dispute", async () => {
    await activeWith(locked);
    await recorded(chain, { ...slot(0), price: "1000uve" });
    await settled(chain);
    await chain.ok(msg.dispute(customer, ESCROW));
    await chain.ok(release);
    expect((await see.escrow(chain, ESCROW)).state).toBe("released");
  });

  test("a refund", async () => {
    await activeWith(locked);
    await chain.ok(msg.refund(provider, ESCROW));
  });
});

describe("setting conditions", () => {
  test("is the depositor's, while the escrow is pending; the last ones count", async () => {
    const one: Wanted = { type: "verification", requiredVerificationScore: 1 };
    for (const other of [provider, authority, stranger]) {
      await chain.refused(set(other, one), 1505, `depositor ${customer.address}`);
    }
    const result = await chain.ok(set(customer, one, { type: "timelock", unlockAfter: GENESIS }));
    expect(eventsOf(result, "ReleaseConditionsSet")).toEqual([
      { escrow_id: ESCROW, order_id: "order-1", conditions: "verification,timelock" },
    ]);
    await chain.ok(set(customer));
    expect((await see.escrow(chain, ESCROW)).conditions).toEqual([]);
    await chain.ok(msg.activate(customer, ESCROW, provider.address));
    await chain.refused(set(customer, one), 1503, "found active");
    await chain.ok(release);
  });

  const good: Record<string, Wanted> = {
    timelock: { type: "timelock", unlockAfter: 1n },
    signature: { type: "signature", requiredSigners: signers(provider) },
    multisig: { type: "multisig", requiredSigners: signers(provider), signatureThreshold: 1 },
    usage_threshold: { type: "usage_threshold", minUsageUnits: (1n << 64n) - 1n },
    verification: { type: "verification", requiredVerificationScore: 100 },
  };

  test.each(Object.entries(good))("%s is accepted and shown", async (type, condition) => {
    await chain.ok(set(customer, condition));
    const { conditions } = await see.escrow(chain, ESCROW);
    const shown = { ...ReleaseCondition.fromPartial(condition), type };
    expect(conditions[0]).toMatchObject({
      ...shown,
      satisfied: type === "timelock",
      satisfiedAt: expect.anything(),
    });
  });

  test.each<[string, Wanted, string, (string | number)?]>([
    ["an unknown type", { type: "oracle" }, "conditions[0].type: expected timelock, signature"],
    ["no type", {}, "conditions[0].type"],
    ["a time lock without a time", { type: "timelock" }, "unlock_after: expected 1 to 9223372036"],
    ["one beyond all times", { type: "timelock", unlockAfter: 9_223_372_037n }, "unlock_after"],
    ["a negative time", { type: "timelock", unlockAfter: -1n }, "unlock_after"],
    ["no signers", { type: "signature" }, "required_signers: expected 1 to 16, found 0"],
    ["a bad address", { type: "signature", requiredSigners: ["ve1x"] }, "ve1x", "settlement/1"],
    [
      "a signer twice",
      { type: "signature", requiredSigners: signers(provider, provider) },
      "stands there twice",
    ],
    [
      "a threshold above the signers",
      { ...good["multisig"], signatureThreshold: 2 },
      "signature_threshold: expected 1 to 1, found 2",
    ],
    ["no threshold", { ...good["multisig"], signatureThreshold: 0 }, "found 0"],
    ["no units", { type: "usage_threshold" }, "min_usage_units: expected 1 to"],
    [
      "a score above 100",
      { type: "verification", requiredVerificationScore: 101 },
      "required_verification_score: expected 1 to 100, found 101",
    ],
    ["a field of another type", { ...good["timelock"], minUsageUnits: 1n }, "this type has none"],
    ["satisfied by its setter", { ...good["timelock"], satisfied: true }, "the chain says that"],
  ])("%s is refused", async (_what, condition, text, code = 1516) => {
    await chain.refused(set(customer, condition), code, text);
  });

  test("more than 16 are refused", async () => {
    const many = Array.from({ length: 17 }, () => good["timelock"] as Wanted);
    await chain.refused(set(customer, ...many), 1516, "at most 16 conditions, found 17");
  });
});

describe("signing and attesting", () => {
  test("want an active escrow that has conditions", async () => {
    await chain.refused(sign(provider), 1519);
    await chain.refused(attest(authority, 1), 1519);
    await chain.ok(msg.activate(customer, ESCROW, provider.address));
    await chain.refused(sign(provider), 1516, "has no release conditions");
    await chain.refused(attest(authority, 1), 1516);
    await chain.refused(attest(authority, 101), 1516, "at most 100, found 101");
    await chain.refused(attest(customer, 1), 1505, authority.address);
    await chain.ok(msg.dispute(customer, ESCROW));
    await chain.refused(sign(provider), 1523);
  });
});

test("conditions and signatures survive an export and import", async () => {
  await activeWith(
    { type: "multisig", requiredSigners: signers(provider, stranger), signatureThreshold: 2 },
    { type: "usage_threshold", minUsageUnits: 7n },
  );
  await chain.ok(sign(provider));
  await recorded(chain, { ...slot(0), units: 3n, price: "400uve" });
  const copy = await chain.imported();
  expect(await copy.app.exportGenesis()).toEqual({
    ...(await chain.app.exportGenesis()),
    genesisTime: copy.genesis.genesisTime,
    initialHeight: expect.anything(),
  });
  await copy.ok(sign(stranger));
  await copy.ok(msg.record(provider, { ...slot(1), units: 4n, price: "400uve" }));
  await copy.ok(msg.settle(customer));
  await copy.ok(release);
});
