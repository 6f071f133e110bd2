import type { StatementLine } from "../../gen/settled/settlement/v1/query.ts";
import * as state from "../../gen/settled/settlement/v1/state.ts";
import type { Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import { addCoins, coinsOf, type Coins, subCoins, wireCoins, NO_COINS } from "../../types/coins.ts";
import { divFloor } from "../../lib/int.ts";
import { timeOfSeconds, NS_PER_SECOND } from "../../types/time.ts";
import { timedId } from "./ids.ts";
import { distributionId } from "./keeper_reward.ts";
import * as keys from "./keys.ts";
import { INVOICE_TIMES } from "./query_invoice.ts";
import { ListReader } from "./query_lists.ts";
import { SETTLEMENT_TIMES } from "./query_orders.ts";
import type { Section } from "./query_page.ts";
import { PAYOUT_TIMES } from "./query_payout.ts";
import * as records from "./query_records.ts";
import { boundsIn, type Span, type Timed } from "./query_time.ts";
import type { UsageViews } from "./query_usage.ts";
import { coinsIn } from "./records.ts";
import { holdsKey, usageIdOf } from "./usage_facts.ts";
import { invoiceIdOf, settlementIdOf } from "./views.ts";

/** Lines of one kind, each of one record. */
export interface LineSection extends Section {
  /** Undefined where the record says nothing of this kind. */
  readonly lineOf: (key: Key) => Promise<StatementLine | undefined>;
}

/** What lines of a party's records are made from. */
interface Source {
  readonly reader: Reader;
  readonly address: string;
  readonly role: "provider" | "customer";
  readonly span: Span;
  readonly escrows: UsageViews;
}

interface Booked {
  readonly timeNs: bigint;
  readonly reference: string;
  readonly escrowSeq: bigint;
  readonly amount: Coins;
}

/** What was recorded, settled, kept and earned by a provider. */
export async function providerLines(from: Omit<Source, "role">): Promise<LineSection[]> {
  const source: Source = { ...from, role: "provider" };
  return [
    usageLines(source, keys.USAGE_BY_PROVIDER_PREFIX),
    ...(await settlementLines(source, keys.SETTLEMENT_BY_PROVIDER_PREFIX, [
      ...["settled", "platform_fee", "validator_fee", "holdback", "net"],
    ])),
    ...(await paymentLines(source)),
    await rewardLines(source),
  ];
}

/** What was recorded for, settled from and billed to a customer. */
export async function customerLines(from: Omit<Source, "role">): Promise<LineSection[]> {
  const source: Source = { ...from, role: "customer" };
  return [
    usageLines(source, keys.USAGE_BY_CUSTOMER_PREFIX),
    ...(await settlementLines(source, keys.SETTLEMENT_BY_CUSTOMER_PREFIX, ["settled", "tax"])),
    ...(await invoiceLines(source)),
  ];
}

async function line(
  source: Source,
  kind: string,
  booked: Booked,
): Promise<StatementLine | undefined> {
  if (booked.amount.length === 0) return undefined;
  const { orderId } = await source.escrows.escrow(booked.escrowSeq);
  return {
    role: source.role,
    kind,
    direction: "",
    timeNs: booked.timeNs,
    reference: booked.reference,
    orderId,
    amount: wireCoins(booked.amount),
    journalSeq: 0n,
  };
}

/** Usage by the start of its period: what was corrected counts as it is now, as in summaries. */
function usageLines(source: Source, lookUp: Key): LineSection {
  const { reader, address, span } = source;
  const prefix = keys.textIndexKey(lookUp, address);
  const [from, to] = [span.from, span.to].map((time) =>
    time === undefined ? undefined : divFloor(time, NS_PER_SECOND),
  );
  const hour = (seconds: bigint): Key => keys.hourIndexKey(prefix, keys.hourOf(seconds));
  return {
    reader: new ListReader(reader),
    prefix,
    from: from === undefined ? undefined : hour(from),
    to: to === undefined ? undefined : hour(to + keys.HOUR - 1n),
    lineOf: async (key) => {
      const usage = await records.usageBySeq(reader, keys.seqAtEnd(key));
      const { periodStart: start, denom, cost, escrowSeq } = usage;
      const isWithin = (from === undefined || start >= from) && (to === undefined || start < to);
      if (!isWithin || !holdsKey(usage)) return undefined;
      const amount = coinsOf(denom, BigInt(cost));
      const timeNs = timeOfSeconds(start);
      return line(source, "usage", { timeNs, reference: usageIdOf(usage), escrowSeq, amount });
    },
  };
}

/** One section of a look-up for each of some kinds. */
async function sectionsOf<T>(
  source: Source,
  lookUp: { prefix: Key; of: Timed; kinds: readonly string[] },
  book: { read: (seq: bigint) => Promise<T | undefined>; booked: (of: T, kind: string) => Booked },
): Promise<LineSection[]> {
  const { reader, address, span } = source;
  const prefix = keys.textIndexKey(lookUp.prefix, address);
  const bounds = await boundsIn(reader, prefix, { of: lookUp.of, span });
  return lookUp.kinds.map((kind) => ({
    ...{ reader, prefix, ...bounds },
    lineOf: async (key) => {
      const record = await book.read(keys.seqAtEnd(key));
      return record === undefined ? undefined : line(source, kind, book.booked(record, kind));
    },
  }));
}

function settlementLines(
  source: Source,
  prefix: Key,
  kinds: readonly string[],
): Promise<LineSection[]> {
  const { reader } = source;
  const read = async (seq: bigint) => {
    const settlement = await records.settlementBySeq(reader, seq);
    const isRefund = settlement?.type === state.SettlementType.SETTLEMENT_TYPE_REFUND;
    if (settlement === undefined || isRefund) return undefined;
    const { payoutSeq } = settlement;
    const payout = payoutSeq === 0n ? undefined : await records.payoutBySeq(reader, payoutSeq);
    return { settlement, holdback: coinsIn(payout?.holdback ?? []) };
  };
  return sectionsOf(
    source,
    { prefix, of: SETTLEMENT_TIMES, kinds },
    {
      read,
      booked: ({ settlement, holdback }, kind) => ({
        timeNs: settlement.settledAtNs,
        reference: settlementIdOf(settlement),
        escrowSeq: settlement.escrowSeq,
        amount: settlementPart(settlement, holdback, kind),
      }),
    },
  );
}

/** Total = platform fee + validator fee + holdback + net, and tax is on top of it. */
function settlementPart(settlement: state.SettlementState, holdback: Coins, kind: string): Coins {
  if (kind === "settled") return coinsIn(settlement.total);
  if (kind === "platform_fee") return coinsIn(settlement.platformFee);
  if (kind === "validator_fee") return coinsIn(settlement.validatorFee);
  if (kind === "tax") return coinsIn(settlement.tax);
  if (kind === "holdback") return holdback;
  return subCoins(coinsIn(settlement.providerShare), holdback);
}

/** Payouts without a settlement: what was due of invoices, paid later. */
function paymentLines(source: Source): Promise<LineSection[]> {
  const kinds = ["payment", "platform_fee", "validator_fee", "holdback", "net"];
  return sectionsOf(
    source,
    { prefix: keys.PAYOUT_BY_PROVIDER_PREFIX, of: PAYOUT_TIMES, kinds },
    {
      read: async (seq) => {
        const payout = await records.payoutBySeq(source.reader, seq);
        return payout.settlementSeq === 0n ? payout : undefined;
      },
      booked: (payout, kind) => ({
        timeNs: payout.createdAtNs,
        reference: timedId("payout", payout.createdAtNs, payout.seq),
        escrowSeq: payout.escrowSeq,
        amount: payoutPart(payout, kind),
      }),
    },
  );
}

function payoutPart(payout: state.PayoutState, kind: string): Coins {
  if (kind === "payment") return coinsIn(payout.gross);
  if (kind === "platform_fee") return coinsIn(payout.platformFee);
  if (kind === "validator_fee") return coinsIn(payout.validatorFee);
  return coinsIn(kind === "holdback" ? payout.holdback : payout.net);
}

function invoiceLines(source: Source): Promise<LineSection[]> {
  const kinds = ["invoiced", "invoice_due"];
  return sectionsOf(
    source,
    { prefix: keys.INVOICE_BY_CUSTOMER_PREFIX, of: INVOICE_TIMES, kinds },
    {
      read: (seq) => records.invoiceBySeq(source.reader, seq),
      booked: (invoice, kind) => ({
        timeNs: invoice.issuedAtNs,
        reference: invoiceIdOf(invoice),
        escrowSeq: invoice.escrowSeq,
        amount: coinsIn(kind === "invoiced" ? invoice.total : invoice.amountDue),
      }),
    },
  );
}

const DISTRIBUTION_TIMES: Timed = {
  prefix: keys.DISTRIBUTION_PREFIX,
  sequence: "distribution",
  timeOf: (value) => state.DistributionState.decode(value).distributedAtNs,
};

async function rewardLines(source: Source): Promise<LineSection> {
  const { reader, address, role, span } = source;
  const prefix = keys.textIndexKey(keys.DISTRIBUTION_BY_RECIPIENT_PREFIX, address);
  const bounds = await boundsIn(reader, prefix, { of: DISTRIBUTION_TIMES, span });
  return {
    ...{ reader, prefix, ...bounds },
    lineOf: async (key) => {
      const distribution = await records.distributionBySeq(reader, keys.seqAtEnd(key));
      return {
        ...{ role, kind: "reward", direction: "", orderId: "", journalSeq: 0n },
        timeNs: distribution.distributedAtNs,
        reference: distributionId(distribution),
        amount: wireCoins(rewardOf(distribution, address)),
      };
    },
  };
}

/** A distribution of settled usage is its provider's whole; others have a row for each part. */
function rewardOf({ settlementSeq, total, rows }: state.DistributionState, address: string): Coins {
  if (settlementSeq !== 0n) return coinsIn(total);
  const own = rows.filter((row) => row.address === address);
  return own.reduce<Coins>((sum, { amount }) => addCoins(sum, coinsIn(amount)), NO_COINS);
}
