import type { ChainInfo } from "../../baseapp/context.ts";
import type { DecCoin } from "../../gen/cosmos/base/v1beta1/coin.ts";
import type * as tx from "../../gen/virtengine/settlement/v1/tx.ts";
import { utf8Length } from "../../lib/bytes.ts";
import { ChainError, type ErrorKind } from "../../lib/errors.ts";
import { parseAddress } from "../../types/address.ts";
import { parseCoins, type WireCoin } from "../../types/coins.ts";
import { isDenom } from "../../types/denom.ts";
import type { Dec } from "../../types/dec.ts";
import * as errors from "./errors.ts";
import { sourceOf } from "./status_names.ts";
import { normaliseUsageType, USAGE_TYPE_BYTES_MAX } from "../../types/usage_type.ts";

/** Checks of a message alone, in the order and with the codes of the deployed module. */

const ID_BYTES_MAX = 128;
export const REASON_BYTES_MAX = 1024;
export const SIGNATURE_BYTES_MAX = 256;
/** Digits of an 18-decimal price: below 2^256 atomics. */
const PRICE_DIGITS_MAX = 78;

function fail(kind: ErrorKind, detail: string): never {
  throw new ChainError(kind, detail);
}

export function address(text: string, field: string, chain: ChainInfo): void {
  try {
    parseAddress(text, chain.bech32Prefix);
  } catch (error) {
    fail(errors.ErrMsgAddress, `${field}: ${error instanceof ChainError ? error.message : ""}`);
  }
}

export function text(value: string, field: string, kind: ErrorKind, bytesMax = ID_BYTES_MAX): void {
  if (value === "") fail(kind, `${field} is empty`);
  limited(value, field, kind, bytesMax);
}

export function limited(
  value: string,
  field: string,
  kind: ErrorKind,
  bytesMax = ID_BYTES_MAX,
): void {
  // A UTF-16 unit is at most three bytes.
  if (value.length * 3 <= bytesMax) return;
  const length = utf8Length(value);
  if (length > bytesMax)
    fail(kind, `${field} has ${length} bytes, at most ${bytesMax} are allowed`);
}

export function coins(wire: readonly WireCoin[]): void {
  try {
    parseCoins(wire);
  } catch (error) {
    fail(errors.ErrMsgAmount, error instanceof ChainError ? error.message : "");
  }
}

export function signature(bytes: Uint8Array): void {
  if (bytes.length === 0) fail(errors.ErrMsgSignature, "signature is empty");
  if (bytes.length > SIGNATURE_BYTES_MAX) {
    fail(
      errors.ErrMsgSignature,
      `signature has ${bytes.length} bytes, at most ${SIGNATURE_BYTES_MAX}`,
    );
  }
}

export function validateCreateEscrow(msg: tx.MsgCreateEscrow, chain: ChainInfo): void {
  address(msg.sender, "sender", chain);
  text(msg.orderId, "order_id", errors.ErrMsgEscrow);
  if (msg.amount.length === 0) fail(errors.ErrMsgAmount, "amount is empty");
  coins(msg.amount);
  if (msg.expiresIn === 0n) fail(errors.ErrMsgEscrow, "expires_in is 0");
}

export function validateActivateEscrow(msg: tx.MsgActivateEscrow, chain: ChainInfo): void {
  address(msg.sender, "sender", chain);
  text(msg.escrowId, "escrow_id", errors.ErrMsgEscrow);
  text(msg.leaseId, "lease_id", errors.ErrMsgEscrow);
  address(msg.recipient, "recipient", chain);
}

export function validateReleaseEscrow(msg: tx.MsgReleaseEscrow, chain: ChainInfo): void {
  address(msg.sender, "sender", chain);
  text(msg.escrowId, "escrow_id", errors.ErrMsgEscrow);
  coins(msg.amount);
  limited(msg.reason, "reason", errors.ErrMsgEscrow, REASON_BYTES_MAX);
}

export function validateRefundEscrow(msg: tx.MsgRefundEscrow, chain: ChainInfo): void {
  address(msg.sender, "sender", chain);
  text(msg.escrowId, "escrow_id", errors.ErrMsgEscrow);
  text(msg.reason, "reason", errors.ErrMsgEscrow, REASON_BYTES_MAX);
}

export function validateDisputeEscrow(msg: tx.MsgDisputeEscrow, chain: ChainInfo): void {
  validateRefundEscrow(msg, chain);
  limited(msg.evidence, "evidence", errors.ErrMsgEscrow, REASON_BYTES_MAX);
}

export function validateSettleOrder(msg: tx.MsgSettleOrder, chain: ChainInfo): void {
  address(msg.sender, "sender", chain);
  text(msg.orderId, "order_id", errors.ErrMsgSettlement);
  const sorted = [...msg.usageRecordIds].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  sorted.forEach((id, index) => {
    text(id, "usage_record_ids", errors.ErrMsgSettlement);
    if (id === sorted[index - 1]) fail(errors.ErrMsgSettlement, `usage record ${id} appears twice`);
  });
}

export function validateRecordUsage(msg: tx.MsgRecordUsage, chain: ChainInfo): void {
  const kind = errors.ErrMsgUsageRecord;
  address(msg.sender, "sender", chain);
  text(msg.orderId, "order_id", kind);
  text(msg.leaseId, "lease_id", kind);
  if (msg.usageUnits === 0n) fail(kind, "usage_units is 0");
  text(msg.usageType, "usage_type", kind, USAGE_TYPE_BYTES_MAX);
  if (normaliseUsageType(msg.usageType) === "") fail(kind, "usage_type is empty but for blanks");
  if (msg.periodEnd <= msg.periodStart) {
    fail(kind, `period ends at ${msg.periodEnd}, not after its start ${msg.periodStart}`);
  }
  signature(msg.signature);
  unitPrice(msg);
}

/** The unit price of a validated message in atomics. */
export function priceOf({ unitPrice: price }: { unitPrice?: DecCoin | undefined }): Dec {
  return BigInt(price?.amount ?? "") as Dec;
}

export function unitPrice({ unitPrice: price }: { unitPrice?: DecCoin | undefined }): void {
  if (price === undefined) fail(errors.ErrMsgUsageRecord, "unit_price is missing");
  if (!isDenom(price.denom)) {
    fail(
      errors.ErrMsgUsageRecord,
      `unit_price has the invalid denom "${price.denom.slice(0, 130)}"`,
    );
  }
  if (!/^(0|[1-9][0-9]*)$/.test(price.amount) || price.amount.length > PRICE_DIGITS_MAX) {
    const detail = `unit_price must be an integer of 10^-18 ${price.denom} from 0, found "${price.amount.slice(0, 90)}"`;
    fail(errors.ErrMsgUsageRecord, detail);
  }
}

export function validateAcknowledgeUsage(msg: tx.MsgAcknowledgeUsage, chain: ChainInfo): void {
  address(msg.sender, "sender", chain);
  text(msg.usageId, "usage_id", errors.ErrMsgUsageRecord);
  signature(msg.signature);
}

export function validateClaimRewards(msg: tx.MsgClaimRewards, chain: ChainInfo): void {
  address(msg.sender, "sender", chain);
  if (msg.source !== "" && sourceOf(msg.source) === undefined) {
    const detail = `source must be empty, staking, usage, verification or provider, found "${msg.source.slice(0, 64)}"`;
    fail(errors.ErrInvalidReward, detail);
  }
}
