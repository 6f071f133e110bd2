import { type Coins, formatCoins } from "../../types/coins.ts";
import { attribute, type Event } from "../../types/event.ts";
import { BURN, MINT } from "./types.ts";

/** The standard events of one movement, as Cosmos explorers read them. */
export function movementEvents(source: string, destination: string, coins: Coins): Event[] {
  const amount = formatCoins(coins);
  if (source === MINT) {
    return [moved("coinbase", "minter", destination, amount), received(destination, amount)];
  }
  const spent = moved("coin_spent", "spender", source, amount);
  if (destination === BURN) return [spent, moved("burn", "burner", source, amount)];
  const parties = [attribute("recipient", destination), attribute("sender", source)];
  const transfer = { type: "transfer", attributes: [...parties, attribute("amount", amount)] };
  return [spent, received(destination, amount), transfer];
}

function received(receiver: string, amount: string): Event {
  return moved("coin_received", "receiver", receiver, amount);
}

function moved(type: string, role: string, address: string, amount: string): Event {
  return { type, attributes: [attribute(role, address), attribute("amount", amount)] };
}
