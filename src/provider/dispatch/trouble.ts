import type { GasPrice } from "../gas.ts";
import { requiredFee, type Refusal } from "../tx_facts.ts";

/** Why nothing can be sent and what to do, for people. */
export function troubleOf(refusal: Refusal, address: string, price: GasPrice): string {
  const { codespace, code, log } = refusal;
  if (codespace !== "sdk") return log;
  switch (code) {
    case 5:
      return `account ${address} cannot pay the fee: send it ${price.denom} (${log})`;
    case 9:
      return `account ${address} does not exist on the chain: send it ${price.denom} first`;
    case 13: {
      const least = requiredFee(log);
      const wanted = least === undefined ? "a higher fee" : `a fee of at least ${least}`;
      return `the node wants ${wanted} for this tx: raise the gas price (${log})`;
    }
    case 4:
      return `the chain does not take the signature of ${address}: is it the right key and chain? (${log})`;
    default:
      return log;
  }
}
