import type {
  MsgRecordUsageResponse,
  MsgSettleOrderResponse,
} from "../../src/gen/virtengine/settlement/v1/tx.ts";
import type { TxResult } from "../../src/types/tx.ts";
import { customer, provider, type TestAccount } from "./accounts.ts";
import type { TestChain } from "./chain.ts";
import { LEASE, msg, ORDER, type Report } from "./messages.ts";
import { responseOf, responsesOf } from "./outcome.ts";
import { slot } from "./times.ts";

/** Creates an order's escrow and returns its id. */
export async function pendingEscrow(
  chain: TestChain,
  amount = "10000uve",
  o: { order?: string; depositor?: TestAccount; expiresIn?: bigint } = {},
): Promise<string> {
  const created = await chain.ok(msg.create(o.depositor ?? customer, amount, o));
  return responseOf<{ escrowId: string }>(created).escrowId;
}

/** Creates and activates an order's escrow and returns its id. */
export async function activeEscrow(
  chain: TestChain,
  amount = "10000uve",
  o: {
    order?: string;
    depositor?: TestAccount;
    expiresIn?: bigint;
    recipient?: TestAccount;
    lease?: string;
  } = {},
): Promise<string> {
  const escrowId = await pendingEscrow(chain, amount, o);
  const recipient = (o.recipient ?? provider).address;
  await chain.ok(msg.activate(o.depositor ?? customer, escrowId, recipient, o.lease ?? LEASE));
  return escrowId;
}

/** Records usage of one report and returns its id. */
export async function recorded(
  chain: TestChain,
  report: Report = {},
  signer: TestAccount = provider,
): Promise<string> {
  const result = await chain.ok(msg.record(signer, report));
  return responseOf<MsgRecordUsageResponse>(result).usageId;
}

/** Records that cost so many uve each, in consecutive periods, in one tx; returns their ids. */
export async function recordedCosts(
  chain: TestChain,
  costs: readonly (bigint | number)[],
  o: Omit<Report, "units" | "price" | "start" | "end"> & { denom?: string; from?: number } = {},
): Promise<string[]> {
  const { denom = "uve", from = 0, ...report } = o;
  const messages = costs.map((cost, index) => {
    return msg.record(provider, { ...report, ...slot(from + index), price: `${cost}${denom}` });
  });
  const responses = responsesOf<MsgRecordUsageResponse>(await chain.ok(...messages));
  return responses.map(({ usageId }) => usageId);
}

/** The customer acknowledges these records. */
export async function acknowledged(
  chain: TestChain,
  ids: readonly string[],
  signer: TestAccount = customer,
): Promise<void> {
  await chain.ok(...ids.map((id) => msg.acknowledge(signer, id)));
}

/** What a settlement answered. */
export function settledOf(result: TxResult): MsgSettleOrderResponse {
  return responseOf<MsgSettleOrderResponse>(result);
}

/** The depositor settles an order. */
export async function settled(
  chain: TestChain,
  o: { order?: string; ids?: readonly string[]; final?: boolean; signer?: TestAccount } = {},
): Promise<MsgSettleOrderResponse> {
  return settledOf(await chain.ok(msg.settle(o.signer ?? customer, { order: ORDER, ...o })));
}
