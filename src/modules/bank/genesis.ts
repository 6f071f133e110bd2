import type { Context } from "../../baseapp/context.ts";
import type { GenesisState } from "../../gen/settled/bank/v1/state.ts";
import { JournalEntry, JournalHead } from "../../gen/settled/bank/v1/state.ts";
import { KeyMap } from "../../lib/key_map.ts";
import { fieldError, genesisField } from "../../baseapp/genesis_error.ts";
import { messageFromJson } from "../../codec/proto_json.ts";
import { parseAddress } from "../../types/address.ts";
import { type Coins, parseCoins } from "../../types/coins.ts";
import { type BankKeeper, indexEntry, writeAmount } from "./keeper.ts";
import * as keys from "./keys.ts";
import { MINT } from "./types.ts";

/**
 * Funds the accounts of genesis. Without a journal (a new chain) every balance is one entry of
 * kind "genesis"; with one (an exported chain) balances and journal are taken over as they are.
 * @throws ChainError naming the field at fault.
 */
export function initBankGenesis(ctx: Context, keeper: BankKeeper, json: unknown): void {
  const genesis = messageFromJson<GenesisState>("settled.bank.v1.GenesisState", json ?? {});
  const balances = genesis.balances.map(({ address, coins }, index) => {
    const field = `bank.balances[${index}]`;
    return {
      address: genesisField(field, () => parseAddress(address, ctx.chain.bech32Prefix)),
      coins: genesisField(field, () => parseCoins(coins)),
    };
  });
  requireDistinct(balances.map(({ address }) => address));
  if (genesis.journalHead === undefined) {
    for (const { address, coins } of balances) {
      const movements = [{ source: MINT, destination: address, coins }];
      keeper.post(ctx, { kind: "genesis", reference: "", movements });
    }
  } else {
    takeOver(ctx, { balances, head: genesis.journalHead, journal: genesis.journal });
  }
  checkSupply(ctx, keeper, genesis);
}

function takeOver(
  ctx: Context,
  state: {
    balances: readonly { address: string; coins: Coins }[];
    head: JournalHead;
    journal: readonly JournalEntry[];
  },
): void {
  const sums = new KeyMap<bigint>();
  for (const { address, coins } of state.balances) {
    for (const { denom, amount } of coins) {
      writeAmount(ctx, keys.balanceKey(address, denom), amount);
      sums.set(denom, (sums.get(denom) ?? 0n) + amount);
    }
  }
  for (const [denom, sum] of sums.sortedEntries()) {
    writeAmount(ctx, keys.supplyKey(denom), sum);
    writeAmount(ctx, keys.balanceSumKey(denom), sum);
  }
  for (const entry of state.journal) {
    ctx.kv.set(keys.journalKey(entry.seq), JournalEntry.encode(entry).finish());
    indexEntry(ctx, entry);
  }
  ctx.kv.set(keys.JOURNAL_HEAD_KEY, JournalHead.encode(state.head).finish());
}

function checkSupply(ctx: Context, keeper: BankKeeper, genesis: GenesisState): void {
  genesis.supply.forEach(({ denom, amount }, index) => {
    const sum = keeper.supply(ctx, denom);
    if (sum.toString() === amount) return;
    throw fieldError(`bank.supply[${index}]`, `says ${amount}${denom}, the balances sum to ${sum}`);
  });
}

function requireDistinct(addresses: readonly string[]): void {
  const seen = new KeyMap<true>();
  addresses.forEach((address, index) => {
    if (seen.has(address)) throw fieldError(`bank.balances[${index}].address`, "appears twice");
    seen.set(address, true);
  });
}
