import type { Coin } from "../../gen/cosmos/base/v1beta1/coin.ts";
import { must } from "../../lib/assert.ts";
import { fromUtf8 } from "../../lib/bytes.ts";
import { byteKey, bytesOfKey, joinKeys, type Key } from "../../lib/key.ts";
import type { Reader } from "../../store/read_view.ts";
import * as keys from "./keys.ts";

/** A running total, all denoms. */
export async function totalOf(reader: Reader, name: keys.TotalName): Promise<Coin[]> {
  const prefix = joinKeys(keys.TOTAL_PREFIX, byteKey(keys.TOTALS[name]));
  const coins: Coin[] = [];
  for await (const [key, value] of reader.range(prefix)) {
    const denom = fromUtf8(bytesOfKey(key.slice(prefix.length) as Key));
    coins.push({ denom: must(denom, "denom is text"), amount: fromUtf8(value) ?? "" });
  }
  return coins;
}
