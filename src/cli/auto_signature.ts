import type { Client } from "../client/client.ts";
import { acknowledgeSignBytes, usageSignBytes } from "../client/settlement_msgs.ts";
import type { Signer } from "../client/signer.ts";
import { MsgCorrectUsage } from "../gen/settled/settlement/v1/tx.ts";
import {
  QueryUsageRecordRequest,
  QueryUsageRecordResponse,
  type UsageRecord,
} from "../gen/virtengine/settlement/v1/query.ts";
import { MsgAcknowledgeUsage, MsgRecordUsage } from "../gen/virtengine/settlement/v1/tx.ts";
import { sha256 } from "../lib/sha256.ts";
import { formatCoins, parseCoins } from "../types/coins.ts";
import { CliError } from "./cli_error.ts";
import { EXIT } from "./exit_codes.ts";

interface Session {
  readonly client: Client;
  signer(): Promise<Signer>;
}

const PACKAGE = "virtengine.settlement.v1";

/** Messages with a `signature` of their own, which the command makes when it is not given. */
const SIGNED: Readonly<Record<string, (session: Session, partial: object) => Promise<Uint8Array>>> =
  {
    [`${PACKAGE}.MsgRecordUsage`]: signUsage,
    [`${PACKAGE}.MsgAcknowledgeUsage`]: signAcknowledgement,
    "settled.settlement.v1.MsgCorrectUsage": signCorrection,
  };

/** The message with its own signature filled in, if it is of a kind that has one and has none. */
export async function withSignature(
  name: string,
  partial: Record<string, unknown>,
  session: Session,
): Promise<Record<string, unknown>> {
  const sign = SIGNED[name];
  if (sign === undefined || partial["signature"] !== undefined) return partial;
  return { ...partial, signature: await sign(session, partial) };
}

async function signUsage({ client, signer }: Session, partial: object): Promise<Uint8Array> {
  const { sender: _sender, signature: _signature, ...signed } = MsgRecordUsage.fromPartial(partial);
  const { chainId } = client;
  return (await signer()).sign(sha256(usageSignBytes({ chainId, ...signed })));
}

async function signAcknowledgement(
  { client, signer }: Session,
  partial: object,
): Promise<Uint8Array> {
  const { usageId } = MsgAcknowledgeUsage.fromPartial(partial);
  const usageRecord = await readUsage(client, usageId);
  const totalCost = formatCoins(parseCoins(usageRecord.totalCost));
  const bytes = acknowledgeSignBytes({ chainId: client.chainId, usageId, totalCost });
  return (await signer()).sign(sha256(bytes));
}

/** The record as it is to be; one that is withdrawn has 0 units and its own price. */
async function signCorrection({ client, signer }: Session, partial: object): Promise<Uint8Array> {
  const { usageId, usageUnits, unitPrice } = MsgCorrectUsage.fromPartial(partial);
  const record = await readUsage(client, usageId);
  const { orderId, leaseId, usageType, periodStart, periodEnd } = record;
  const doc = {
    ...{ chainId: client.chainId, orderId, leaseId, usageType, usageUnits, periodStart, periodEnd },
    unitPrice: usageUnits === 0n ? record.unitPrice : unitPrice,
  };
  return (await signer()).sign(sha256(usageSignBytes(doc)));
}

async function readUsage(client: Client, usageId: string): Promise<UsageRecord> {
  const path = `/${PACKAGE}.Query/UsageRecord`;
  const [request, response] = [QueryUsageRecordRequest, QueryUsageRecordResponse];
  const { usageRecord } = await client.query(path, request, { usageId }, response);
  if (usageRecord !== undefined) return usageRecord;
  throw new CliError(EXIT.notFound, "not_found", `no usage record ${usageId}`);
}
