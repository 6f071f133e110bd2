import { beforeEach, describe, expect, test } from "vitest";
import {
  DisputeState,
  EscrowState,
  PayoutState,
  UsageState,
} from "../../../src/gen/settled/settlement/v1/state.ts";
import type { Key } from "../../../src/lib/key.ts";
import { disputeQueueKey } from "../../../src/modules/settlement/dispute_records.ts";
import * as keys from "../../../src/modules/settlement/keys.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { disputed } from "../../testkit/disputes.ts";
import { type Machine, machineOf } from "../../testkit/machine.ts";
import { activeEscrow, recordedCosts, settled } from "../../testkit/orders.ts";

type Json = Record<string, unknown>;

/** Dispute 1 of an open record of 1000, dispute 2 of a settled one whose payout it holds. */
async function lived(): Promise<TestChain> {
  const chain = await openChain({
    extended: { payout_delay: "86400", auto_settle_enabled: false },
  });
  await activeEscrow(chain, "100000uve");
  const [first = "", second = ""] = await recordedCosts(chain, [1000, 3000]);
  await settled(chain, { ids: [second] });
  await disputed(chain, first);
  await disputed(chain, second);
  return chain;
}

let chain: TestChain;
let machine: Machine;
beforeEach(async () => {
  chain = await lived();
  machine = await machineOf(chain);
});

async function put<T>(
  key: Key,
  codec: { decode(bytes: Uint8Array): T; encode(value: T): { finish(): Uint8Array } },
  change: Partial<T>,
): Promise<void> {
  const before = codec.decode(machine.overlay.get(key) as Uint8Array);
  machine.overlay.set(key, codec.encode({ ...before, ...change }).finish());
  await machine.commit();
}

const uve = (amount: string) => [{ denom: "uve", amount }];

describe("what disputes keep back, one unit off, breaks an invariant", () => {
  test("unchanged, none is broken", async () => {
    const names = await chain.checkFullInvariants();
    expect(names).toContain("escrows keep what disputed records cost");
  });

  test.each<[what: string, change: Partial<EscrowState>]>([
    ["reserved", { reserved: uve("999") }],
    ["reserved, one more", { reserved: uve("1001") }],
    ["the count of open disputes", { openDisputes: 2 }],
  ])("an escrow: %s", async (_, change) => {
    await put(keys.recordKey(keys.ESCROW_PREFIX, 1n), EscrowState, change);
    await expect(chain.checkFullInvariants()).rejects.toThrow(/settlement: .* of an escrow|keeps/);
  });

  test.each<[what: string, change: Partial<PayoutState>]>([
    ["the count of open disputes", { openDisputes: 2 }],
    ["none counted, and held all the same", { openDisputes: 0 }],
  ])("a payout: %s", async (_, change) => {
    await put(keys.recordKey(keys.PAYOUT_PREFIX, 1n), PayoutState, change);
    await expect(chain.checkFullInvariants()).rejects.toThrow("disputes of a payout");
  });

  test("a record that forgets its dispute", async () => {
    await put(keys.recordKey(keys.USAGE_PREFIX, 1n), UsageState, { disputed: false });
    await expect(chain.checkFullInvariants()).rejects.toThrow("a record is not of its dispute");
  });

  test("a dispute that its queue lacks", async () => {
    const key = keys.recordKey(keys.DISPUTE_PREFIX, 1n);
    const dispute = DisputeState.decode(machine.overlay.get(key) as Uint8Array);
    machine.overlay.delete(disputeQueueKey(dispute) as Key);
    await machine.commit();
    await expect(chain.checkFullInvariants()).rejects.toThrow("a queue lacks an entry");
  });
});

describe("a genesis whose disputes do not fit is refused with the field's name", () => {
  async function refusedWith(change: (settlement: Json) => void, text: string): Promise<void> {
    const genesis = await chain.app.exportGenesis();
    const settlement = structuredClone(genesis.appState["settlement"]) as Json;
    change(settlement);
    const appState = { ...genesis.appState, settlement };
    await expect(openChain({ genesis: { ...genesis, appState } })).rejects.toThrow(text);
  }

  const at = (settlement: Json, list: string, index: number): Json =>
    (settlement[list] as Json[])[index] as Json;

  test.each<[change: (settlement: Json) => void, text: string]>([
    [(it) => void (at(it, "escrows", 0)["reserved"] = uve("999")), "escrows[0].reserved"],
    [(it) => void (at(it, "escrows", 0)["open_disputes"] = 0), "escrows[0].open_disputes"],
    [(it) => void (at(it, "payouts", 0)["open_disputes"] = 2), "payouts[0].open_disputes"],
    [(it) => void (at(it, "usage", 0)["disputed"] = false), "usage[0].disputed"],
    [(it) => void (at(it, "disputes", 0)["usage_seq"] = "2"), "disputes[0].usage_seq"],
    [
      (it) => void (at(it, "disputes", 0)["after_settlement"] = true),
      "disputes[0].after_settlement",
    ],
    [
      (it) => void (at(it, "disputes", 0)["status"] = "DISPUTE_STATUS_AMENDED"),
      "disputes[0].resolution",
    ],
    [(it) => void (at(it, "disputes", 0)["escrow_seq"] = "9"), "disputes[0].escrow_seq"],
    [(it) => void (at(it, "disputes", 0)["seq"] = "2"), "disputes[1]: 2 appears twice"],
    [(it) => void (at(it, "disputes", 0)["reserved"] = "-1"), "disputes[0]"],
    [
      (it) => void ((it["sequences"] as Json)["dispute"] = "2"),
      "disputes[1].seq: expected 1 or more and less than settlement.sequences.dispute",
    ],
  ])("%s → %s", async (change, text) => {
    await refusedWith(change, text);
  });
});
