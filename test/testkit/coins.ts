import { type Coins, formatCoins, parseCoinsText, type WireCoin } from "../../src/types/coins.ts";
import { parseDec } from "../../src/types/dec.ts";

/** Coins as they go over the wire: "10uve,5uusd". */
export function wire(text: string): { denom: string; amount: string }[] {
  if (text === "") return [];
  return text.split(",").map((part) => {
    const [, amount = "", denom = ""] = /^(-?[0-9]*)(.*)$/.exec(part) ?? [];
    return { denom, amount };
  });
}

/** Coins of an answer as sorted text: "5uusd,10uve". */
export function text(coins: readonly WireCoin[] | undefined): string {
  return formatCoins((coins ?? []).map(({ denom, amount }) => ({ denom, amount: BigInt(amount) })));
}

export function coins(text: string): Coins {
  return parseCoinsText(text);
}

/** A unit price such as "1.5uve" with its amount in atomics, as it travels. */
export function price(text: string): { denom: string; amount: string } {
  const [, amount = "", denom = ""] = /^([-0-9.]+)(.*)$/.exec(text) ?? [];
  const atomics = parseDec(amount);
  if (atomics === undefined) throw new Error(`not a price: ${text}`);
  return { denom, amount: atomics.toString() };
}
