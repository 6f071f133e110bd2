import { type BenchAccount, cycled } from "./accounts.ts";

/** An order with its two parties, and how many records have been made for it. */
export interface BenchOrder {
  readonly orderId: string;
  readonly leaseId: string;
  readonly customer: BenchAccount;
  readonly provider: BenchAccount;
  records: number;
}

/** Orders "name-0", "name-1", …, spread over the parties. */
export function benchOrders(
  name: string,
  count: number,
  parties: { customers: readonly BenchAccount[]; providers: readonly BenchAccount[] },
): BenchOrder[] {
  return Array.from({ length: count }, (_, index) => ({
    orderId: `${name}-${index}`,
    leaseId: `lease-${name}-${index}`,
    customer: cycled(parties.customers, index),
    provider: cycled(parties.providers, index),
    records: 0,
  }));
}
