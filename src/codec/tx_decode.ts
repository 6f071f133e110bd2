import {
  AuthInfo,
  type Fee,
  type ModeInfo,
  TxBody,
  type TxRaw,
} from "../gen/cosmos/tx/v1beta1/tx.ts";
import type { FieldSchema } from "../gen/schema.ts";
import { EMPTY_BYTES } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import { readPlain } from "../lib/wire_reader.ts";
import { ErrTxDecode } from "../types/sdk_errors.ts";
import type { SignerInfo } from "../types/tx.ts";
import {
  type MessageType,
  messageTypeNamed,
  messageTypeOfUrl,
  publicKeyOfUrl,
  txMessageOfUrl,
} from "./message_types.ts";
import { type AnyResolver, checkWire } from "./strict_wire.ts";
import { DELIMITED, WireCursor } from "./wire_cursor.ts";

/** A tx as received: what it says, and the very bytes that its signatures cover. */
export interface DecodedTx {
  /** Slices of the received bytes; sign bytes are made of these, never of a new encoding. */
  readonly bodyBytes: Uint8Array;
  readonly authInfoBytes: Uint8Array;
  readonly signatures: readonly Uint8Array[];
  readonly body: TxBody;
  /** The messages of the body, decoded; undefined when they are still to be decoded. */
  readonly messages: readonly object[] | undefined;
  readonly authInfo: DecodedAuthInfo;
  /** The body holds unknown non-critical fields; amino JSON cannot express them. */
  readonly hasUnknownNonCriticals: boolean;
}

export interface DecodedAuthInfo {
  readonly signerInfos: readonly DecodedSigner[];
  /** An absent fee reads as one without coins and gas. */
  readonly fee: Fee;
}

/** `mode` is 0 (unspecified) when the signer states none, or states several: a multisig. */
export interface DecodedSigner extends SignerInfo {
  readonly modeInfo: ModeInfo | undefined;
  /** The public key, decoded; undefined when there is none or it is still to be decoded. */
  readonly keyMessage: object | undefined;
}

const TX_RAW = messageTypeNamed("cosmos.tx.v1beta1.TxRaw");
const TX_BODY = messageTypeNamed("cosmos.tx.v1beta1.TxBody");
const AUTH_INFO = messageTypeNamed("cosmos.tx.v1beta1.AuthInfo");
const EMPTY_FEE: Fee = { amount: [], gasLimit: 0n, payer: "", granter: "" };

/**
 * Decodes an encoded TxRaw strictly: canonical outer encoding (ADR-027), then body and auth info
 * against their schemas (see checkWire). The body may hold unknown fields whose number has bit 11
 * set; nothing else may hold any.
 * @throws ChainError sdk/2 (tx parse error), and only that, for any bytes.
 */
export function decodeTx(bytes: Uint8Array): DecodedTx {
  const raw = readCanonicalRaw(bytes);
  return plainTx(raw) ?? strictTx(raw);
}

/**
 * Reads a tx once, as far as all of it is plain: what the readers take passes every check below,
 * and they give what the decoders give. Undefined: something is unusual or wrong.
 */
function plainTx(raw: TxRaw): DecodedTx | undefined {
  const body = plain(TX_BODY, raw.bodyBytes) as TxBody | undefined;
  const authInfo = plain(AUTH_INFO, raw.authInfoBytes) as AuthInfo | undefined;
  if (body === undefined || authInfo === undefined) return undefined;
  const { extensionOptions, nonCriticalExtensionOptions } = body;
  if (extensionOptions.length + nonCriticalExtensionOptions.length > 0) return undefined;
  let isPlain = true;
  // Lists of exactly what goes in: one that grows by push keeps room for sixteen more.
  const messages = body.messages.map(({ typeUrl, value }) => {
    const message = isPlain ? plain(txMessageOfUrl(typeUrl), value) : undefined;
    isPlain = message !== undefined;
    return message as object;
  });
  const signers = authInfo.signerInfos.map((info) => {
    const { publicKey } = info;
    const keyMessage = publicKey && plain(publicKeyOfUrl(publicKey.typeUrl), publicKey.value);
    isPlain &&= publicKey === undefined || keyMessage !== undefined;
    return decodedSigner(info, keyMessage);
  });
  if (!isPlain) return undefined;
  return {
    bodyBytes: raw.bodyBytes,
    authInfoBytes: raw.authInfoBytes,
    signatures: raw.signatures,
    body,
    messages,
    authInfo: { signerInfos: signers, fee: authInfo.fee ?? EMPTY_FEE },
    hasUnknownNonCriticals: false,
  };
}

function plain(type: MessageType | undefined, bytes: Uint8Array): object | undefined {
  return type?.read === undefined ? undefined : readPlain(bytes, type.read);
}

function strictTx(raw: TxRaw): DecodedTx {
  const resolveAny = resolverOfTx;
  const hasUnknownNonCriticals = checkWire(TX_BODY, raw.bodyBytes, {
    allowNonCritical: true,
    resolveAny,
  });
  checkWire(AUTH_INFO, raw.authInfoBytes, { resolveAny });
  const body = decoded(() => TxBody.decode(raw.bodyBytes));
  const { signerInfos, fee = EMPTY_FEE } = decoded(() => AuthInfo.decode(raw.authInfoBytes));
  return {
    bodyBytes: raw.bodyBytes,
    authInfoBytes: raw.authInfoBytes,
    signatures: raw.signatures,
    body,
    messages: undefined,
    authInfo: { signerInfos: signerInfos.map((info) => decodedSigner(info, undefined)), fee },
    hasUnknownNonCriticals,
  };
}

function decodedSigner(
  { publicKey, modeInfo, sequence }: AuthInfo["signerInfos"][number],
  keyMessage: object | undefined,
): DecodedSigner {
  return { publicKey, keyMessage, modeInfo, sequence, mode: modeInfo?.single?.mode ?? 0 };
}

/** Messages resolve to what a Msg service takes, keys to public keys; extensions stay unread. */
const resolverOfTx: AnyResolver = (typeUrl: string, holder: MessageType, field: FieldSchema) => {
  if (holder === TX_BODY) return field.name === "messages" ? txMessageOfUrl(typeUrl) : "opaque";
  if (field.name === "public_key" || field.name === "public_keys") {
    return publicKeyOfUrl(typeUrl);
  }
  return messageTypeOfUrl(typeUrl);
};

/**
 * ADR-027: fields in order, single ones once, tags and lengths no longer than needed. A tx that
 * anyone could re-encode would have many hashes.
 */
function readCanonicalRaw(bytes: Uint8Array): TxRaw {
  const cursor = new WireCursor(bytes, ErrTxDecode);
  const raw: TxRaw = { bodyBytes: EMPTY_BYTES, authInfoBytes: EMPTY_BYTES, signatures: [] };
  let last = 0;
  while (cursor.pos < cursor.end) {
    const tag = cursor.readTag();
    const no = tag >>> 3;
    if (!cursor.isMinimal()) throw cursor.fault("tag is not in its shortest form");
    if (no > 3) throw cursor.fault(`unknown field ${no} of ${TX_RAW.name}`);
    if ((tag & 7) !== DELIMITED) throw cursor.fault(`${TX_RAW.name} has wire type ${tag & 7}`);
    if (no < last || (no === last && no !== 3)) throw cursor.fault("TxRaw fields are not in order");
    last = no;
    cursor.readVarint();
    if (!cursor.isMinimal()) throw cursor.fault("length is not in its shortest form");
    if (cursor.high !== 0 || cursor.low > cursor.end - cursor.pos) {
      throw cursor.fault("length beyond the end");
    }
    const field = bytes.subarray(cursor.pos, cursor.pos + cursor.low);
    cursor.pos += cursor.low;
    if (no === 1) raw.bodyBytes = field;
    else if (no === 2) raw.authInfoBytes = field;
    // Nearly every tx has one; a list that begins with it has no room to spare.
    else if (raw.signatures.length === 0) raw.signatures = [field];
    else raw.signatures.push(field);
  }
  return raw;
}

/** The check before makes this unreachable; a hostile tx must not find out otherwise. */
function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch {
    throw new ChainError(ErrTxDecode, "malformed protobuf");
  }
}
