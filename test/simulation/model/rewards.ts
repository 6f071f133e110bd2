import type * as own from "../../../src/gen/settled/settlement/v1/tx.ts";
import type * as wire from "../../../src/gen/virtengine/settlement/v1/tx.ts";
import { amountOf, coin, type Coins, covers, lower, minus, plus, SECOND } from "./coins.ts";
import { lowered } from "./fields.ts";
import { Invoices } from "./invoices.ts";
import { normalised, refuse, type Row, type Settlement, type Usage, WORDS } from "./records.ts";

// README, "Rewards" and "Rewards by the authority".

/** What somebody is to get, and for what. */
interface Due {
  readonly address: string;
  readonly amount: Coins;
  readonly reason: string;
  readonly referenceId: string;
}
type Entry = Row<"entry">;

export class Rewards extends Invoices {
  get epoch(): bigint {
    const { epoch, height } = this.epochBase;
    return epoch + (this.height - height) / this.params.stakingRewardEpochLength;
  }

  rewardOf({ settledAmount, usageType, submittedAtNs, periodEnd, acknowledged }: Usage): bigint {
    const type = normalised(usageType).replace(/^./, (first) => first.toUpperCase());
    const known = /^(Memory|Storage|Gpu|Network)$/.test(type) ? (type as "Gpu") : "Cpu";
    const { params } = this;
    const grace = params.usageGracePeriod;
    const isLate = grace > 0n && submittedAtNs > (periodEnd + grace) * SECOND;
    const factors = [
      params.usageRewardRateBps,
      params[`usageReward${known}MultiplierBps`],
      params[`usageRewardSla${isLate ? "Late" : "Ontime"}MultiplierBps`],
      params[`usageReward${acknowledged ? "Ack" : "Unack"}MultiplierBps`],
    ];
    return factors.reduce((all, factor) => all * BigInt(factor), settledAmount) / 10n ** 16n;
  }

  /** What fits; the first row that does not, and later ones of its denom, are skipped. */
  fund<T extends Due>(rows: readonly T[]): T[] {
    const isMinted = this.params.rewardFunding === "mint";
    const stopped = new Set<string>();
    return rows.filter(({ amount, referenceId }) => {
      const denom = amount[0]?.denom ?? "";
      const minted = this.epochMint.epoch === this.epoch ? this.epochMint.minted : 0n;
      const left = BigInt(this.params.rewardEpochMintCap || 0) - minted;
      const has = isMinted ? coin("uve", left) : this.coinsOf(this.at("reward_pool")).coins;
      if (stopped.has(denom) || !covers(has, amount)) {
        stopped.add(denom);
        this.emit("RewardSkipped", undefined, { referenceId, amount, reason: WORDS });
        return false;
      }
      this.move(isMinted ? "" : "reward_pool", "rewards", amount);
      const sum = minted + amountOf(amount, "uve");
      if (isMinted) this.change(this.epochMint, { epoch: this.epoch, minted: sum });
      return true;
    });
  }

  /** A distribution of funded rows, and its entries: one per address and reason. */
  distribute(source: string, rows: readonly Due[], fields: Partial<Row<"distribution">>): bigint {
    const { rewardClaimExpiry: expiry, rewardFunding } = this.params;
    const total = plus(...rows.map(({ amount }) => amount));
    const facts = { source, epoch: this.epoch, total, rowCount: rows.length, ...fields };
    const prefix = source === "verification" ? "verify" : source;
    const distribution = this.add("distribution", facts, prefix);
    const expiresAtNs = expiry === 0n ? 0n : this.after(expiry);
    const common = { source, distributionSeq: distribution.seq, expiresAtNs };
    const names = new Set(rows.map(({ address, reason }) => `${address} ${reason}`));
    const entries = [...names].map((name) => {
      const own = rows.filter(({ address, reason }) => name === `${address} ${reason}`);
      const { address = "", reason = "" } = own[0] ?? {};
      const amount = plus(...own.map((row) => row.amount));
      const claimable = this.claimableOf(address);
      const sum = plus(claimable.claimable, amount);
      this.change(claimable, { claimable: sum, updatedAtNs: this.now });
      const minted = rewardFunding === "mint";
      return this.add("entry", { ...common, address, reason, amount, minted });
    });
    this.change(distribution, { firstEntrySeq: entries[0]?.seq ?? 0n, entryCount: entries.length });
    const epochNumber = distribution.epoch;
    const counts = { epochNumber, totalRewards: total, recipientCount: rows.length };
    this.emit("RewardsDistributed", distribution, counts);
    return distribution.seq;
  }

  claimableOf(address: string): Row<"claimable"> {
    const found = this.tables.claimable.find((each) => each.address === address);
    return found ?? this.add("claimable", { address });
  }

  /** The rewards of records that have one, in the order in which they are funded. */
  rowsOf(usages: readonly Usage[], order: (row: Due & { type: string }) => string[]) {
    const rows = usages.map((usage) => {
      const { recipient: address, orderId } = this.escrowOf(usage);
      const type = normalised(usage.usageType);
      const [amount, reason] = [coin(usage.denom, this.rewardOf(usage)), `usage_${type}_reward`];
      return { usage, type, address, orderId, referenceId: usage.id, amount, reason };
    });
    const key = (row: (typeof rows)[0]) => Buffer.from(order(row).join("\0"));
    const due = rows.filter(({ amount }) => amount.length > 0);
    return due.sort((a, b) => Buffer.compare(key(a), key(b)));
  }

  setRewards(rows: readonly { usage: Usage; amount: Coins }[], source: Partial<Usage> = {}): void {
    for (const { usage, amount } of rows)
      this.change(usage, { reward: amountOf(amount, usage.denom), ...source });
  }

  reward(settlement: Settlement, taken: readonly Usage[]): void {
    const funded = this.fund(this.rowsOf(taken, ({ type, referenceId }) => [type, referenceId]));
    this.setRewards(funded);
    const of = { settlementSeq: settlement.seq };
    const isAny = funded.length > 0;
    if (isAny) this.change(settlement, { distributionSeq: this.distribute("usage", funded, of) });
  }

  MsgClaimRewards({ sender, source }: wire.MsgClaimRewards): void {
    const entries = this.tables.entry.filter((entry) => {
      const isAsked = source === "" || entry.source === source;
      return entry.address === sender && !entry.isGone && !this.isLapsed(entry) && isAsked;
    });
    const claimedAmount = plus(...entries.map(({ amount }) => amount));
    refuse([1511, claimedAmount.length === 0]);
    this.endEntries(sender, entries, claimedAmount, "claimed");
    this.move("rewards", sender, claimedAmount);
    this.emit("RewardsClaimed", undefined, { claimer: sender, claimedAmount, source });
  }

  isLapsed({ expiresAtNs }: Entry): boolean {
    return expiresAtNs > 0n && this.now >= expiresAtNs;
  }

  /** Ends entries: their coins are claimed or have expired. */
  endEntries(
    address: string,
    entries: readonly Entry[],
    amount: Coins,
    as: "claimed" | "expired",
  ): void {
    const claimable = this.claimableOf(address);
    for (const entry of entries) this.change(entry, { isGone: true });
    const sums = { claimable: minus(claimable.claimable, amount), updatedAtNs: this.now };
    this.change(claimable, { ...sums, [as]: plus(claimable[as], amount) });
  }

  onlyOnce(source: string, reference: string): void {
    const { distribution } = this.tables;
    const isUsed = distribution.some((d) => d.source === source && d.reference === reference);
    refuse([1527, isUsed]);
  }

  MsgDistributeProviderRewards(message: own.MsgDistributeProviderRewards): void {
    const { sender, reference, usageIds } = message;
    this.onlyAuthority(sender);
    this.onlyOnce("provider", reference);
    const usages = usageIds.map((id) => {
      const usage = this.find("usage", id, 1513);
      const settlement = this.settlementOf(usage);
      const isRefunded = settlement !== undefined && this.givenBy(settlement).length > 0;
      const isFit = usage.status === "settled" && !isRefunded && usage.reward === 0n;
      refuse([1535, usage.disputed], [1509, !isFit]);
      return usage;
    });
    const due = this.rowsOf(usages, ({ address, type, referenceId }) => [
      address,
      type,
      referenceId,
    ]);
    refuse([1509, due.length === 0]);
    const funded = this.fund(due);
    refuse([1528, funded.length === 0]);
    this.setRewards(funded, { rewardSource: "provider" });
    const rows = [...new Set(funded.map(({ address }) => address))].map((address) => {
      const own = funded.filter((row) => row.address === address);
      const units = own.reduce((sum, { usage }) => sum + usage.units, 0n);
      const usageUnits = lower(units, 2n ** 64n - 1n);
      const amount = plus(...own.map((row) => row.amount));
      const line = { address, amount, usageUnits, reason: "provider usage reward" };
      return { ...line, referenceId: own[0]?.orderId ?? "", verificationScore: 0 };
    });
    const usageSeqs = usages.filter((usage) => funded.some((row) => row.usage === usage));
    const seqs = usageSeqs.map(({ seq }) => seq).sort((a, b) => Number(a - b));
    this.distribute("provider", rows, { rows, reference, usageSeqs: seqs });
  }

  MsgDistributeVerificationReward(message: own.MsgDistributeVerificationReward): void {
    const { sender, reference, score: verificationScore } = message;
    const address = lowered(message.validator);
    this.onlyAuthority(sender);
    refuse([1521, !this.canBePaid(address)]);
    this.onlyOnce("verification", reference);
    const base = BigInt(this.params.verificationRewardAmount || 100);
    const amount = coin("uve", (base * BigInt(verificationScore)) / 100n + base);
    refuse([1509, amount.length === 0]);
    const row = { address, amount, reason: "verification reward", referenceId: reference };
    const rows = this.fund([{ ...row, usageUnits: 0n, verificationScore }]);
    refuse([1528, rows.length === 0]);
    this.distribute("verification", rows, { rows, reference });
  }

  rewardStaking(): void {
    const { params, epoch } = this;
    const isEnd = (this.height - this.epochBase.height) % params.stakingRewardEpochLength === 0n;
    const amount = coin("uve", BigInt(params.stakingRewardPerEpoch || 0));
    if (!isEnd || epoch === 0n || amount.length === 0) return;
    const address = params.rewardPoolAddress || this.at("fee_collector");
    const row = { address, amount, reason: "staking epoch reward", usageUnits: 0n };
    const of = { referenceId: `epoch-${epoch - 1n}`, verificationScore: 0 };
    const rows = this.fund([{ ...row, ...of }]);
    if (rows.length > 0) this.distribute("staking", rows, { rows, epoch: epoch - 1n });
  }

  expireEntry(entry: Entry): void {
    const { isGone, address, amount, minted } = entry;
    if (isGone || !this.isLapsed(entry)) return;
    this.endEntries(address, [entry], amount, "expired");
    this.move("rewards", minted ? "" : "reward_pool", amount);
    this.emit("RewardsExpired", undefined, { address, amount });
  }
}
