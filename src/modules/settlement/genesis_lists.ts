import type { Context } from "../../baseapp/context.ts";
import { fieldError } from "../../baseapp/genesis_error.ts";
import type { EscrowState } from "../../gen/settled/settlement/v1/state.ts";
import { ChainError } from "../../lib/errors.ts";
import { parseInteger } from "../../lib/int.ts";
import { KeyMap } from "../../lib/key_map.ts";
import type { WireCoin } from "../../types/coins.ts";
import { isDenom } from "../../types/denom.ts";
import { ErrInvalidCoins } from "../../types/sdk_errors.ts";
import type { Records } from "./records.ts";

/**
 * Writes records one by one. Whatever is wrong with one, its number or address twice included, is
 * named by its place in the list.
 */
export function writeEach<T>(
  list: { name: string; records: readonly T[]; keyOf: (record: T) => bigint | string },
  write: (record: T, field: string) => void,
): void {
  const seen = new KeyMap<true>();
  list.records.forEach((record, index) => {
    const field = `settlement.${list.name}[${index}]`;
    const key = list.keyOf(record).toString();
    if (seen.has(key)) throw fieldError(field, `${key} appears twice`);
    seen.set(key, true);
    try {
      write(record, field);
    } catch (error) {
      if (error instanceof ChainError && error.codespace === "genesis") throw error;
      throw fieldError(field, error instanceof Error ? error.message : String(error));
    }
  });
}

export const bySeq = ({ seq }: { seq: bigint }): bigint => seq;

/** Coins as the state keeps them: sorted, each denom once, positive. Sums may pass 2^256. */
export function checkCoins(...lists: readonly (readonly WireCoin[])[]): void {
  for (const coins of lists) {
    coins.forEach(({ denom, amount }, index) => {
      const last = coins[index - 1]?.denom;
      const good = isDenom(denom) && (parseInteger(amount) ?? 0n) > 0n;
      if (good && (last === undefined || last < denom)) return;
      throw new ChainError(
        ErrInvalidCoins,
        `expected sorted positive coins, found ${amount}${denom}`,
      );
    });
  }
}

/** @throws ChainError sdk/10 */
export function checkAmounts(...texts: readonly string[]): void {
  for (const text of texts) {
    if (text === "" || (parseInteger(text) ?? -1n) >= 0n) continue;
    throw new ChainError(ErrInvalidCoins, `expected an integer from 0, found "${text}"`);
  }
}

/** The escrow that a record belongs to. @throws ChainError genesis/2 */
export function escrowOf(
  ctx: Context,
  records: Records,
  { escrowSeq }: { escrowSeq: bigint },
  field: string,
): EscrowState {
  const escrow = records.escrow(ctx, escrowSeq);
  if (escrow === undefined) {
    throw fieldError(`${field}.escrow_seq`, `there is no escrow ${escrowSeq}`);
  }
  return escrow;
}
