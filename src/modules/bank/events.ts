import { type Coins, formatCoins } from "../../types/coins.ts";
import { type Event, event } from "../../types/event.ts";
import { BURN, MINT } from "./types.ts";

/** The standard events of one movement, as Cosmos explorers read them. */
export function movementEvents(source: string, destination: string, coins: Coins): Event[] {
  const amount = formatCoins(coins);
  if (source === MINT) {
    return [event("coinbase", { minter: destination, amount }), received(destination, amount)];
  }
  const spent = event("coin_spent", { spender: source, amount });
  if (destination === BURN) return [spent, event("burn", { burner: source, amount })];
  const transfer = event("transfer", { recipient: destination, sender: source, amount });
  return [spent, received(destination, amount), transfer];
}

function received(receiver: string, amount: string): Event {
  return event("coin_received", { receiver, amount });
}
