import type { QueryRoute } from "../../baseapp/module.ts";
import type { QueryContext } from "../../baseapp/query_context.ts";
import { queryRoute } from "../../baseapp/query_route.ts";
import type { JournalEntry } from "../../gen/settled/bank/v1/state.ts";
import * as ext from "../../gen/settled/settlement/v1/query.ts";
import { ChainError } from "../../lib/errors.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { Reader } from "../../store/read_view.ts";
import { parseAddress } from "../../types/address.ts";
import { addCoins, type Coins, NO_COINS, wireCoins } from "../../types/coins.ts";
import { GrpcResourceExhausted } from "../../types/query_errors.ts";
import { CoinSums } from "./coin_sums.ts";
import type { BankReader } from "./expected_keepers.ts";
import { customerLines, type LineSection, providerLines } from "./query_lines.ts";
import { entriesOf, filteredPage, wordAsked } from "./query_page.ts";
import { type Span, spanAsked } from "./query_time.ts";
import { UsageViews } from "./query_usage.ts";
import { coinsIn } from "./records.ts";

/** Entries that are looked at for the totals of one statement. */
const TOTALS_READ_MAX = 100_000;

const ROLES = ["provider", "customer"] as const;
type Role = (typeof ROLES)[number];

/** What a party was owed, paid and got in a span of time. */
export function statementQuery(bank: BankReader): QueryRoute {
  return queryRoute({
    path: "/settled.settlement.v1.Query/Statement",
    request: ext.QueryStatementRequest,
    response: ext.QueryStatementResponse,
    handle: (ctx, request) => statement(ctx, request, bank),
  });
}

async function statement(
  ctx: QueryContext,
  { address: text, role: word, from, to, pagination }: ext.QueryStatementRequest,
  bank: BankReader,
): Promise<ext.QueryStatementResponse> {
  const { reader, chain } = ctx;
  const address = parseAddress(text, chain.bech32Prefix);
  const role = wordAsked("role", word, (each) => ROLES.find((known) => known === each));
  const span = spanAsked(from, to);
  const source = { reader, address, span, escrows: new UsageViews(reader) };
  const sections = [
    ...(role === "customer" ? [] : await providerLines(source)),
    ...(role === "provider" ? [] : await customerLines(source)),
    ...(await journalLines(reader, bank, { address, role, span })),
  ];
  const isFirst = pagination === undefined || pagination.key.length === 0;
  const totals = isFirst ? await totalsOf(sections) : [];
  const page = await filteredPage(sections, pagination, async (key, section) =>
    (sections[section] as LineSection).lineOf(key),
  );
  return { totals, lines: page.rows, pagination: page.pagination };
}

/** @throws ChainError grpc/8 for a time with too many records */
async function totalsOf(sections: readonly LineSection[]): Promise<ext.StatementTotal[]> {
  const sums = new KeyMap<{ total: ext.StatementTotal; sum: Coins }>();
  const inOrder: { total: ext.StatementTotal; sum: Coins }[] = [];
  let read = 0;
  for await (const { key, section } of entriesOf(sections)) {
    read += 1;
    if (read > TOTALS_READ_MAX) {
      const detail = `more than ${TOTALS_READ_MAX} records to sum up: ask for a shorter time, or for one role`;
      throw new ChainError(GrpcResourceExhausted, detail);
    }
    const line = await (sections[section] as LineSection).lineOf(key);
    if (line === undefined) continue;
    const { role, kind, direction } = line;
    const name = `${role}/${kind}/${direction}`;
    let known = sums.get(name);
    if (known === undefined) {
      known = { total: { role, kind, direction, lines: 0n, amount: [] }, sum: NO_COINS };
      sums.set(name, known);
      inOrder.push(known);
    }
    known.total.lines += 1n;
    known.sum = addCoins(known.sum, coinsIn(line.amount));
  }
  return inOrder.map(({ total, sum }) => ({ ...total, amount: wireCoins(sum) }));
}

/** Whose matter it is when coins of a kind come in or go out; kinds that are not here: nobody's. */
const KIND_ROLES: Readonly<Record<string, { in?: Role; out?: Role }>> = {
  escrow_deposit: { out: "customer" },
  escrow_refund: { in: "customer" },
  escrow_remainder: { in: "customer" },
  escrow_expiry: { in: "customer" },
  settlement: { in: "provider" },
  payout: { in: "provider" },
  payout_refund: { in: "customer" },
  settlement_refund: { in: "customer", out: "provider" },
  receivable_payment: { in: "customer", out: "provider" },
  invoice_payment: { in: "provider", out: "customer" },
  credit_note: { in: "customer", out: "provider" },
  reward_claim: { in: "provider" },
};

/** Every entry of the bank's journal that moved coins of the address, once for each direction. */
async function journalLines(
  reader: Reader,
  bank: BankReader,
  { address, role, span }: { address: string; role: Role | undefined; span: Span },
): Promise<LineSection[]> {
  const prefix = bank.journalOfAccount(address);
  const bounds = await bank.journalBounds(reader, address, span);
  return (["in", "out"] as const).map((direction) => ({
    ...{ reader, prefix, ...bounds },
    lineOf: async (key) => {
      const entry = await bank.journalEntryAt(reader, key);
      const roleOfKind = KIND_ROLES[entry.kind]?.[direction] ?? "";
      if (role !== undefined && roleOfKind !== role) return undefined;
      const amount = moved(entry, address, direction);
      if (amount.length === 0) return undefined;
      const { kind, timeNs, reference, seq: journalSeq } = entry;
      const facts = { kind, direction, timeNs, reference, journalSeq };
      return { role: roleOfKind, orderId: "", ...facts, amount: wireCoins(amount) };
    },
  }));
}

function moved({ postings }: JournalEntry, address: string, direction: "in" | "out"): Coins {
  const sums = new CoinSums();
  for (const { source, destination, denom, amount } of postings) {
    const isMoved = (direction === "in" ? destination : source) === address;
    if (isMoved) sums.add(denom, BigInt(amount));
  }
  return sums.coins();
}
