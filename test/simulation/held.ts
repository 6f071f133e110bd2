import type { Event } from "../../src/types/event.ts";
import { minus, plus } from "./model/coins.ts";
import type { Coin } from "../../src/gen/cosmos/base/v1beta1/coin.ts";

/** What the bank's events say that everybody has: balances after each tx, without an export. */
export class Held {
  readonly #coins = new Map<string, Coin[]>();

  constructor(balances: ReadonlyMap<string, Coin[]>) {
    for (const [address, coins] of balances) this.#coins.set(address, plus(coins));
  }

  apply(events: readonly Event[]): void {
    for (const { type, attributes } of events) {
      const of = (name: string) => attributes.find(({ key }) => key === name)?.value ?? "";
      const amount = coinsOf(of("amount"));
      if (type === "coin_spent") this.#change(of("spender"), (coins) => minus(coins, amount));
      if (type === "coin_received") this.#change(of("receiver"), (coins) => plus(coins, amount));
    }
  }

  addresses(): Iterable<string> {
    return this.#coins.keys();
  }

  of(address: string): Coin[] {
    return this.#coins.get(address) ?? [];
  }

  #change(address: string, change: (coins: Coin[]) => Coin[]): void {
    this.#coins.set(address, change(this.of(address)));
  }
}

/** "5uusd,10uve". */
function coinsOf(text: string): Coin[] {
  const parts = text === "" ? [] : text.split(",");
  return parts.map((part) => {
    const [, amount = "0", denom = ""] = /^([0-9]+)(.*)$/.exec(part) ?? [];
    return { denom, amount };
  });
}
