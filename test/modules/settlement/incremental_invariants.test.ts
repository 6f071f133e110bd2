import { beforeAll, describe, expect, test } from "vitest";
import * as state from "../../../src/gen/settled/settlement/v1/state.ts";
import { InvariantError } from "../../../src/lib/assert.ts";
import type { Key } from "../../../src/lib/key.ts";
import { writeInvoice } from "../../../src/modules/settlement/invoice_records.ts";
import * as keys from "../../../src/modules/settlement/keys.ts";
import {
  DEFAULT_EXTENDED_PARAMS,
  DEFAULT_WIRE_PARAMS,
  ruleParams,
} from "../../../src/modules/settlement/params.ts";
import { writeReceivable, writeRefund } from "../../../src/modules/settlement/refund_records.ts";
import type { Records } from "../../../src/modules/settlement/records.ts";
import { rewardFactorsBy, usageReward } from "../../../src/modules/settlement/reward.ts";
import { assertReward, recomputedReward } from "../../../src/modules/settlement/reward_check.ts";
import { NS_PER_SECOND } from "../../../src/types/time.ts";
import { chainOfEverything } from "../../testkit/everything.ts";
import { type Machine, machineOf } from "../../testkit/machine.ts";

// What is asserted in a block, where a record is written: one unit more or less in one amount of it,
// and it is not. The running totals that are compared after a block are in invariants.test.ts.

type Amounts = readonly { readonly denom: string; readonly amount: string }[];

/** The first amount more by so much; of no coins, so much of the bond denom. */
function changed(coins: Amounts, by: bigint): { denom: string; amount: string }[] {
  const [{ denom, amount } = { denom: "uve", amount: "0" }, ...rest] = coins;
  return [{ denom, amount: `${BigInt(amount) + by}` }, ...rest];
}

let machine: Machine;
let records: Records;
beforeAll(async () => {
  machine = await machineOf(await chainOfEverything());
  ({ records } = machine.workers);
});

interface Codec<T> {
  decode(bytes: Uint8Array): T;
}

/** The first record of a kind that is such a one. */
function first<T>(prefix: Key, codec: Codec<T>, isSuch: (record: T) => boolean = () => true): T {
  for (let seq = 1n; ; seq += 1n) {
    const bytes = machine.overlay.get(keys.recordKey(prefix, seq));
    if (bytes === undefined) throw new Error("there is no such record");
    const record = codec.decode(bytes);
    if (isSuch(record)) return record;
  }
}

/** That a record is written as it is, and with no amount of the fields that is one unit off. */
function refuses<T extends object>(
  number: string,
  write: (record: T) => void,
  { record, fields }: { record: T; fields: readonly (keyof T)[] },
): void {
  const silent: string[] = [];
  for (const field of fields) {
    for (const by of [1n, -1n]) {
      const after = { ...record, [field]: changed(record[field] as Amounts, by) };
      const error = thrownBy(() => write(after));
      const fires = error instanceof InvariantError && error.message.startsWith(number);
      if (!fires) silent.push(`${String(field)} ${by}: ${String(error)}`);
    }
  }
  expect(silent).toEqual([]);
  expect(thrownBy(() => write(record))).not.toBeInstanceOf(InvariantError);
}

function thrownBy(action: () => void): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

const escrowOf = ({ escrowSeq }: { escrowSeq: bigint }): state.EscrowState =>
  first(keys.ESCROW_PREFIX, state.EscrowState, ({ seq }) => seq === escrowSeq);
const taxed = (): state.SettlementState => {
  const isTaxed = (it: state.SettlementState) => it.tax.length > 0 && it.payoutSeq !== 0n;
  return first(keys.SETTLEMENT_PREFIX, state.SettlementState, isTaxed);
};
const payoutWith = (isSuch: (payout: state.PayoutState) => boolean): state.PayoutState =>
  first(keys.PAYOUT_PREFIX, state.PayoutState, (it) => it.holdback.length > 0 && isSuch(it));

describe("a record that is one unit off is not written", () => {
  test("I-09 fires incrementally: deposit, balance, settled, refunded and tax of an escrow", () => {
    const record = first(keys.ESCROW_PREFIX, state.EscrowState, (it) => it.taxPaid.length > 0);
    const fields = ["amount", "balance", "totalSettled", "refunded", "taxPaid"] as const;
    refuses("I-09", (after) => records.setEscrow(machine.ctx, record, after), { record, fields });
  });

  test("I-10 fires incrementally: total and shares of a settlement, new and written again", () => {
    const record = { ...taxed(), refunded: undefined };
    const fields = ["total", "providerShare", "platformFee", "validatorFee"] as const;
    const fresh = (after: state.SettlementState): void => {
      records.setSettlement(machine.ctx, { ...after, payoutSeq: 0n }, escrowOf(after));
    };
    refuses("I-10", fresh, { record, fields });
    refuses("I-10", (after) => records.changeSettlement(machine.ctx, after), { record, fields });
  });

  test("I-10 fires incrementally: net, holdback and fees of a payout", () => {
    const fields = ["gross", "net", "holdback", "platformFee", "validatorFee"] as const;
    for (const ofSettlement of [true, false]) {
      const record = payoutWith((it) => (it.settlementSeq !== 0n) === ofSettlement);
      const write = (after: state.PayoutState): void => {
        records.setPayout(machine.ctx, record, after, escrowOf(record));
      };
      refuses("I-10", write, { record, fields });
    }
  });

  test.each([
    ["I-10 fires incrementally: a payout's net is not the rest of the provider's share", "net"],
    ["I-10 fires incrementally: a payout's holdback is not what the share lacks", "holdback"],
  ] as const)("%s", (_, part) => {
    const settlement = { ...taxed(), refunded: undefined };
    const payout = payoutWith(({ seq }) => seq === settlement.payoutSeq);
    for (const by of [1n, -1n]) {
      // It adds up, as does the settlement: only the two together do not.
      const gross = changed(payout.gross, by);
      const other = { ...payout, gross, [part]: changed(payout[part], by) };
      const late = () => records.setPayout(machine.ctx, payout, other, escrowOf(payout));
      expect(late).toThrow(/^I-10 .*not the provider's share/);
      const [total, providerShare] = [settlement.total, settlement.providerShare];
      const share = changed(providerShare, by);
      const after = { ...settlement, total: changed(total, by), providerShare: share };
      const early = () => records.setSettlement(machine.ctx, after, escrowOf(after));
      expect(early).toThrow(/^I-10 .*not the provider's share/);
    }
  });

  test("I-12 fires incrementally: total, paid, due and waived of an invoice", () => {
    const record = first(keys.INVOICE_PREFIX, state.InvoiceState, (it) => it.amountDue.length > 0);
    const fields = ["total", "amountPaid", "amountDue", "waived"] as const;
    const write = (after: state.InvoiceState): void => {
      writeInvoice(machine.ctx, record, after, escrowOf(record));
    };
    refuses("I-12", write, { record, fields });
  });

  test("I-26 fires incrementally: one unit more is credited of an invoice than was paid", () => {
    const record = first(keys.INVOICE_PREFIX, state.InvoiceState, (it) => it.credited.length > 0);
    const write = (credited: Amounts) => () => {
      writeInvoice(machine.ctx, record, { ...record, credited: [...credited] }, escrowOf(record));
    };
    write(record.amountPaid)();
    expect(write(changed(record.amountPaid, 1n))).toThrow(/^I-26 .*more is credited/);
  });

  test("I-26 fires incrementally: a refund's amount, each of its parts, and what is owed", () => {
    const isTaxed = (it: state.RefundState) => (it.legs?.tax.length ?? 0) > 0;
    const record = first(keys.REFUND_PREFIX, state.RefundState, isTaxed);
    const write = (after: state.RefundState): void => writeRefund(machine.ctx, records, after);
    refuses("I-26", write, { record, fields: ["amount"] });
    const legs = record.legs as state.RefundedLegs;
    for (const leg of ["platformFee", "validatorFee", "holdback", "net"] as const) {
      for (const by of [1n, -1n]) {
        const parts = { ...legs, [leg]: changed(legs[leg], by) };
        expect(() => write({ ...record, legs: parts })).toThrow(/^I-26 .*not its parts/);
      }
    }
    const most = changed(record.amount, BigInt(legs.tax[0]?.amount ?? "0"));
    expect(thrownBy(() => write({ ...record, owed: most }))).not.toBeInstanceOf(InvariantError);
    expect(() => write({ ...record, owed: changed(most, 1n) })).toThrow(/^I-26 .*more is owed/);
  });

  test("I-26 fires incrementally: one unit more of a part is refunded than it had", () => {
    const settlement = taxed();
    const { platformFee, validatorFee, providerShare: net, tax } = settlement;
    const all = { platformFee, validatorFee, holdback: [], net, tax };
    const write = (refunded: state.RefundedLegs) => () => {
      records.changeSettlement(machine.ctx, { ...settlement, refunded });
    };
    write(all)();
    for (const leg of ["platformFee", "validatorFee", "holdback", "net", "tax"] as const) {
      const more = write({ ...all, [leg]: changed(all[leg], 1n) });
      expect(more, leg).toThrow(/^I-26 .*more is refunded/);
    }
  });

  test("I-26 fires incrementally: one unit more is paid of a receivable than is owed", () => {
    const before = first(keys.RECEIVABLE_PREFIX, state.ReceivableState);
    const write = (paid: Amounts) => () => {
      const after = { ...before, paid: [...paid] };
      writeReceivable(machine.ctx, records, { before, after });
    };
    write(before.amount)();
    expect(write(changed(before.amount, 1n))).toThrow(/^I-26 .*more is paid/);
  });
});

describe("the reward of a record by another route", () => {
  const wire = {
    ...DEFAULT_WIRE_PARAMS,
    ...{ usageRewardRateBps: 1237, usageRewardCpuMultiplierBps: 10_007, usageGracePeriod: 60n },
    ...{ usageRewardMemoryMultiplierBps: 10_103, usageRewardStorageMultiplierBps: 10_211 },
    ...{ usageRewardGpuMultiplierBps: 20_011, usageRewardNetworkMultiplierBps: 15_013 },
    ...{ usageRewardSlaOntimeMultiplierBps: 10_009, usageRewardSlaLateMultiplierBps: 8011 },
    ...{ usageRewardAckMultiplierBps: 10_037, usageRewardUnackMultiplierBps: 9007 },
  };
  const rulesOf = (params: typeof wire) => ruleParams(params, DEFAULT_EXTENDED_PARAMS);
  const END = 1_000_000n;
  const usages = ["cpu", "memory", "storage", "gpu", "network", "other"].flatMap((usageType) =>
    [0n, 60n, 61n].flatMap((delay) =>
      [true, false].map((acknowledged) => {
        const submittedAtNs = (END + delay) * NS_PER_SECOND;
        const facts = { seq: 1n, usageType, acknowledged, periodEnd: END, submittedAtNs };
        return state.UsageState.fromPartial(facts);
      }),
    ),
  );
  const AMOUNTS = [0n, 1n, 8n, 9999n, 10_000n, 123_456_789n, 10n ** 16n + 1n, 2n ** 256n - 1n];

  test("I-14 fires incrementally: a reward that is one unit off, of every type and state", () => {
    const rules = rulesOf(wire);
    const factors = rewardFactorsBy(rules);
    for (const usage of usages) {
      for (const amount of AMOUNTS) {
        const reward = usageReward(amount, factors(usage));
        assertReward(usage, { amount, reward }, rules);
        for (const found of [reward + 1n, reward - 1n]) {
          const check = () => assertReward(usage, { amount, reward: found }, rules);
          expect(check).toThrow(/^I-14 /);
        }
      }
    }
  });

  test("I-14 fires incrementally: a factor that is one basis point off", () => {
    const names = (Object.keys(wire) as (keyof typeof wire)[]).filter((name) =>
      /^usageReward\w+Bps$/.test(name),
    );
    expect(names).toHaveLength(10);
    const amount = 10n ** 12n;
    const noticed = names.filter((name) => {
      const factors = rewardFactorsBy(rulesOf({ ...wire, [name]: Number(wire[name]) + 1 }));
      return usages.some((usage) => {
        return (
          usageReward(amount, factors(usage)) !== recomputedReward(usage, amount, rulesOf(wire))
        );
      });
    });
    expect(noticed).toEqual(names);
  });
});
