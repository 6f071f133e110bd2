import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import type * as wire from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import type { Coin } from "../../../src/gen/cosmos/base/v1beta1/coin.ts";
import { Payouts } from "./payouts.ts";
import { byText, type Row, type Escrow, type Usage, type Settlement } from "./records.ts";
import * as rules from "./rules.ts";
import { SECOND, refuse, amountOf, plus, minus, coin, covers } from "./rules.ts";

// The second model: rewards.

export class Rewards extends Payouts {
  get epoch(): bigint {
    const { epoch, height } = this.epochBase;
    return epoch + (this.height - height) / this.params.stakingRewardEpochLength;
  }

  rewardOf({ settledAmount, usageType, submittedAtNs, periodEnd, acknowledged }: Usage): bigint {
    const { params } = this;
    const byType: Record<string, number> = {
      ...{ memory: params.usageRewardMemoryMultiplierBps, gpu: params.usageRewardGpuMultiplierBps },
      ...{
        storage: params.usageRewardStorageMultiplierBps,
        network: params.usageRewardNetworkMultiplierBps,
      },
    };
    const grace = params.usageGracePeriod;
    const isLate = grace > 0n && submittedAtNs > (periodEnd + grace) * SECOND;
    const factors = [
      ...[
        params.usageRewardRateBps,
        byType[rules.normalised(usageType)] ?? params.usageRewardCpuMultiplierBps,
      ],
      isLate ? params.usageRewardSlaLateMultiplierBps : params.usageRewardSlaOntimeMultiplierBps,
      acknowledged ? params.usageRewardAckMultiplierBps : params.usageRewardUnackMultiplierBps,
    ];
    return (
      factors.reduce((product, factor) => product * BigInt(factor), settledAmount) / 10n ** 16n
    );
  }

  /** README, "Rewards": what fits; the first row that does not, and later ones of its denom, are skipped. */
  fund<
    T extends {
      readonly address: string;
      readonly amount: Coin[];
      readonly reason: string;
      readonly referenceId: string;
    },
  >(rows: readonly T[]): T[] {
    const isMinted = this.params.rewardFunding === "mint";
    const stopped = new Set<string>();
    return rows.filter(({ amount, referenceId }) => {
      const denom = amount[0]?.denom ?? "";
      const minted = this.epochMint.epoch === this.epoch ? this.epochMint.minted : 0n;
      const most = BigInt(this.params.rewardEpochMintCap || 0) - minted;
      const has = isMinted ? coin("uve", most) : this.coinsOf(this.at("reward_pool")).coins;
      if (stopped.has(denom) || !covers(has, amount)) {
        stopped.add(denom);
        this.emit("RewardSkipped", undefined, { referenceId, amount });
        return false;
      }
      this.move(isMinted ? "" : this.at("reward_pool"), this.at("rewards"), amount);
      const sum = minted + amountOf(amount, "uve");
      if (isMinted) this.change(this.epochMint, { epoch: this.epoch, minted: sum });
      return true;
    });
  }

  /** A distribution of funded rows, and its entries: one per address and reason. */
  distribute(
    source: string,
    rows: readonly { address: string; amount: Coin[]; reason: string }[],
    fields: Partial<Row<"distribution">>,
  ) {
    const total = plus(...rows.map(({ amount }) => amount));
    const prefix = source === "verification" ? "verify" : source;
    const facts = {
      source,
      epoch: this.epoch,
      total,
      distributedAtNs: this.now,
      rowCount: rows.length,
    };
    const distribution = this.add(
      "distribution",
      { ...facts, paramsVersion: this.version, ...fields },
      prefix,
    );
    const sums = new Map<string, { address: string; reason: string; amount: Coin[] }>();
    for (const { address, reason, amount } of rows) {
      const before = sums.get(`${address} ${reason}`)?.amount ?? [];
      sums.set(`${address} ${reason}`, { address, reason, amount: plus(before, amount) });
    }
    const { rewardClaimExpiry: expiry, rewardFunding } = this.params;
    const expiresAtNs = expiry === 0n ? 0n : this.now + expiry * SECOND;
    const entries = [...sums.values()].map((sum) => {
      const times = { createdAtNs: this.now, expiresAtNs, minted: rewardFunding === "mint" };
      const claimable = this.claimableOf(sum.address);
      this.change(claimable, {
        claimable: plus(claimable.claimable, sum.amount),
        updatedAtNs: this.now,
      });
      return this.add("entry", { ...sum, distributionSeq: distribution.seq, source, ...times });
    });
    this.change(distribution, { firstEntrySeq: entries[0]?.seq ?? 0n, entryCount: entries.length });
    const counts = {
      epochNumber: distribution.epoch,
      totalRewards: total,
      recipientCount: rows.length,
    };
    this.emit("RewardsDistributed", distribution, counts);
    return distribution;
  }

  claimableOf(address: string): Row<"claimable"> {
    const found = this.tables.claimable.find((each) => each.address === address);
    return found ?? this.add("claimable", { address });
  }

  reward(escrow: Escrow, settlement: Settlement, taken: readonly Usage[]): void {
    const rows = taken.map((usage) => {
      const type = rules.normalised(usage.usageType);
      const row = { usage, type, address: escrow.recipient, referenceId: usage.id };
      return {
        ...row,
        amount: coin(usage.denom, this.rewardOf(usage)),
        reason: `usage_${type}_reward`,
      };
    });
    const due = rows
      .filter(({ amount }) => amount.length > 0)
      .sort((a, b) => byText(a.type, b.type) || byText(a.referenceId, b.referenceId));
    const funded = this.fund(due);
    for (const { usage, amount } of funded)
      this.change(usage, { reward: amountOf(amount, usage.denom) });
    if (funded.length === 0) return;
    const { seq } = this.distribute("usage", funded, { settlementSeq: settlement.seq });
    this.change(settlement, { distributionSeq: seq });
  }

  MsgClaimRewards({ sender, source }: wire.MsgClaimRewards): void {
    const entries = this.tables.entry.filter((entry) => {
      const isDue = !this.isLapsed(entry);
      return (
        entry.address === sender &&
        !entry.isGone &&
        isDue &&
        (source === "" || entry.source === source)
      );
    });
    const claimedAmount = plus(...entries.map(({ amount }) => amount));
    refuse([1511, claimedAmount.length === 0]);
    this.take(sender, entries, "claimed");
    this.move(this.at("rewards"), sender, claimedAmount);
    this.emit("RewardsClaimed", undefined, { claimer: sender, claimedAmount, source });
  }

  isLapsed({ expiresAtNs }: Row<"entry">): boolean {
    return expiresAtNs > 0n && this.now >= expiresAtNs;
  }

  /** Ends entries: their coins are claimed or have expired. */
  take(address: string, entries: readonly Row<"entry">[], as: "claimed" | "expired"): void {
    const claimable = this.claimableOf(address);
    const amount = plus(...entries.map((entry) => entry.amount));
    for (const entry of entries) this.change(entry, { isGone: true });
    const sums = { claimable: minus(claimable.claimable, amount), updatedAtNs: this.now };
    this.change(claimable, { ...sums, [as]: plus(claimable[as], amount) });
  }

  MsgDistributeProviderRewards({
    sender,
    reference,
    usageIds,
  }: own.MsgDistributeProviderRewards): void {
    refuse([1505, sender !== this.params.authority], [1527, this.isUsed("provider", reference)]);
    const usages = usageIds.map((id) => {
      const usage = this.find("usage", id, 1513);
      const isSettled = usage.status === "settled" && !this.isRefunded(usage);
      refuse([1535, usage.disputed], [1509, !isSettled || usage.reward > 0n]);
      return usage;
    });
    const rows = usages.map((usage) => {
      const { recipient: address, orderId } = this.escrowOf(usage);
      const row = { usage, address, type: rules.normalised(usage.usageType), orderId };
      return {
        ...row,
        referenceId: usage.id,
        amount: coin(usage.denom, this.rewardOf(usage)),
        reason: "provider usage reward",
      };
    });
    const due = rows.filter(({ amount }) => amount.length > 0);
    refuse([1509, due.length === 0]);
    const funded = this.fund(
      due.sort((a, b) => {
        const byOwner = byText(a.address, b.address) || byText(a.type, b.type);
        return byOwner || byText(a.referenceId, b.referenceId);
      }),
    );
    refuse([1528, funded.length === 0]);
    for (const { usage, amount } of funded) {
      this.change(usage, { reward: amountOf(amount, usage.denom), rewardSource: "provider" });
    }
    const lines = [...new Set(funded.map(({ address }) => address))].map((address) => {
      const own = funded.filter((row) => row.address === address);
      const units = own.reduce((sum, { usage }) => sum + usage.units, 0n);
      const line = {
        address,
        amount: plus(...own.map(({ amount }) => amount)),
        reason: "provider usage reward",
      };
      return {
        ...line,
        referenceId: own[0]?.orderId ?? "",
        usageUnits: units,
        verificationScore: 0,
      };
    });
    const usageSeqs = funded.map(({ usage }) => usage.seq).sort((a, b) => (a < b ? -1 : 1));
    this.distribute("provider", lines, { rows: lines, reference, usageSeqs });
  }

  isUsed(source: string, reference: string): boolean {
    return this.tables.distribution.some(
      (each) => each.source === source && each.reference === reference,
    );
  }

  MsgDistributeVerificationReward({
    sender,
    validator,
    reference,
    score,
  }: own.MsgDistributeVerificationReward): void {
    refuse([1505, sender !== this.params.authority], [1521, !this.canBePaid(validator)]);
    refuse([1527, this.isUsed("verification", reference)]);
    const base = BigInt(this.params.verificationRewardAmount || 100);
    const amount = coin("uve", (base * BigInt(score)) / 100n + base);
    refuse([1509, amount.length === 0]);
    const row = {
      address: validator,
      amount,
      reason: "verification reward",
      referenceId: reference,
    };
    const funded = this.fund([{ ...row, usageUnits: 0n, verificationScore: score }]);
    refuse([1528, funded.length === 0]);
    this.distribute("verification", funded, { rows: funded, reference });
  }

  rewardStaking(): void {
    const {
      stakingRewardEpochLength: length,
      stakingRewardPerEpoch,
      rewardPoolAddress,
    } = this.params;
    const { epoch } = this;
    if ((this.height - this.epochBase.height) % length !== 0n || epoch === 0n) return;
    const address = rewardPoolAddress || this.at("fee_collector");
    const amount = coin("uve", BigInt(stakingRewardPerEpoch || 0));
    if (amount.length === 0) return;
    const row = {
      address,
      amount,
      reason: "staking epoch reward",
      referenceId: `epoch-${epoch - 1n}`,
      usageUnits: 0n,
      verificationScore: 0,
    };
    const funded = this.fund([row]);
    if (funded.length > 0) this.distribute("staking", funded, { rows: funded, epoch: epoch - 1n });
  }

  expireEntry(entry: Row<"entry">): void {
    const { isGone, address, amount, minted } = entry;
    if (isGone || !this.isLapsed(entry)) return;
    this.take(address, [entry], "expired");
    this.move(this.at("rewards"), minted ? "" : this.at("reward_pool"), amount);
    this.emit("RewardsExpired", undefined, { address, amount });
  }
}
