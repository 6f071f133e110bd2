import type * as ext from "../../src/gen/settled/settlement/v1/query.ts";
import type { PayoutRecord } from "../../src/gen/virtengine/settlement/v1/query.ts";
import type { GenesisDoc } from "../../src/types/application.ts";
import { provider } from "./accounts.ts";
import { type ChainOptions, openChain, type TestChain } from "./chain.ts";
import { text } from "./coins.ts";
import { activeEscrow, recordedCosts, settled } from "./orders.ts";
import { DAY } from "./times.ts";

const OWN = "settled.settlement.v1.Query";

/** The ledger of a payout as "kind previous>state amount". */
export async function ledgerOf(chain: TestChain, payoutId: string): Promise<string[]> {
  const answer = await chain.query<ext.QueryPayoutLedgerResponse>(`${OWN}/PayoutLedger`, {
    payoutId,
  });
  return answer.entries.map(({ number, kind, previousState, state, amount }) =>
    `${number} ${kind} ${previousState}>${state} ${text(amount)}`.trim(),
  );
}

/** Payouts of a filter, by id. */
export async function payoutIds(chain: TestChain, request: object = {}): Promise<string[]> {
  const { payouts } = await chain.query<ext.QueryPayoutsResponse>(`${OWN}/Payouts`, request);
  return payouts.map(({ payoutId }) => payoutId);
}

/** An account of Query/Treasury as "balance credited withdrawn". */
export async function treasuryOf(chain: TestChain, name: string): Promise<string[]> {
  const answer = await chain.query<ext.QueryTreasuryResponse>(`${OWN}/Treasury`);
  const account = answer.accounts.find((each) => each.name === name);
  return [text(account?.balance), text(account?.credited), text(account?.withdrawn)];
}

export function totalsOf(chain: TestChain): Promise<ext.QueryTotalsResponse> {
  return chain.query(`${OWN}/Totals`);
}

/** The only payout of the provider that has the highest id. */
export async function lastPayout(
  chain: TestChain,
  address: string = provider.address,
): Promise<PayoutRecord> {
  const request = { provider: address, pagination: { reverse: true, limit: 1n } };
  const { payouts } = await chain.query<ext.QueryPayoutsResponse>(`${OWN}/Payouts`, request);
  const [payout] = payouts;
  if (payout === undefined) throw new Error("there is no payout");
  return payout;
}

/** A chain on which one order was settled for these costs; min_settlement_amount is 0. */
export async function settledChain(
  costs: readonly (bigint | number)[],
  options: ChainOptions = {},
): Promise<{ chain: TestChain; payout: PayoutRecord }> {
  const params = { min_settlement_amount: "0", ...options.params };
  const chain = await openChain({ ...options, params });
  // Longer than any dispute window: its end must not be mixed up with theirs.
  await activeEscrow(chain, "100000uve", { expiresIn: 30n * DAY });
  await recordedCosts(chain, costs);
  await settled(chain);
  return { chain, payout: await lastPayout(chain) };
}

/**
 * A chain with open usage whose provider has another address: an activation does not take a module
 * account as recipient, a genesis does.
 */
export async function chainPaying(
  recipient: string,
  options: ChainOptions = {},
): Promise<TestChain> {
  const before = await openChain(options);
  await activeEscrow(before, "100000uve");
  await recordedCosts(before, [1000]);
  const genesis = await before.app.exportGenesis();
  const state = JSON.stringify(genesis.appState["settlement"]);
  const settlement = JSON.parse(state.replaceAll(provider.address, recipient)) as unknown;
  const changed: GenesisDoc = { ...genesis, appState: { ...genesis.appState, settlement } };
  return openChain({ genesis: changed });
}
