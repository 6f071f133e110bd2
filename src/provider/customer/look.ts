import type { Client } from "../../client/client.ts";
import { type BilledUsage, usageRecords } from "../../client/usage_records.ts";
import { ProviderError } from "../errors.ts";
import { type Decision, decide } from "./decide.ts";
import type { Policy } from "./policy.ts";
import { SecondMeter } from "./second_meter.ts";

/** A record and what is to be done about it. */
export interface Decided {
  readonly record: BilledUsage;
  readonly decision: Decision;
}

export interface LookOptions {
  readonly client: Client;
  /** Address of the customer. */
  readonly customer: string;
  readonly orderId?: string | undefined;
}

/** Open records of a customer that it has not acknowledged. */
export async function openRecords(options: LookOptions): Promise<BilledUsage[]> {
  const { client, customer, orderId } = options;
  const records: BilledUsage[] = [];
  for await (const page of usageRecords(client, { customer, orderId, state: "open" })) {
    records.push(...page.filter(({ isAcknowledged }) => !isAcknowledged));
  }
  return records;
}

/** Those of the records that are named. @throws ProviderError `unknown_usage` */
export function named(records: readonly BilledUsage[], usageIds: readonly string[]): BilledUsage[] {
  return usageIds.map((usageId) => {
    const record = records.find((each) => each.usageId === usageId);
    if (record !== undefined) return record;
    const detail = `${usageId} is no open record of this customer that waits for an answer`;
    throw new ProviderError("unknown_usage", `${detail}: settled query settlement usage-records`);
  });
}

/** Decides about all that is open. The meter's file is read anew at each look: it may have grown. */
export async function look(options: LookOptions, policy: Policy): Promise<Decided[]> {
  const { meterFile, orders } = policy;
  const meter = meterFile === undefined ? undefined : await SecondMeter.read(meterFile);
  const records = await openRecords(options);
  return records
    .filter(({ orderId }) => orders.length === 0 || orders.includes(orderId))
    .map((record) => ({ record, decision: decide(record, policy, meter) }));
}
