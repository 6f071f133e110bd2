import { messageTypeOfUrl } from "../codec/message_types.ts";
import { messageToJson } from "../codec/proto_json.ts";
import type { TxInfo } from "../client/client.ts";
import type { EncodedMessage } from "../client/wire.ts";
import { AuthInfo, TxBody, TxRaw } from "../gen/cosmos/tx/v1beta1/tx.ts";
import { toBase64 } from "../lib/bytes.ts";

/** A tx in a block as JSON: what became of it, and what it says. */
export function txJson(info: TxInfo) {
  const raw = TxRaw.decode(info.tx);
  const body = TxBody.decode(raw.bodyBytes);
  const { fee } = AuthInfo.decode(raw.authInfoBytes);
  return {
    ...{ hash: info.hash, height: info.height, index: info.index },
    ...{ code: info.code, codespace: info.codespace, log: info.log },
    ...{ gas_wanted: info.gasWanted, gas_used: info.gasUsed },
    fee: (fee?.amount ?? []).map(({ denom, amount }) => ({ denom, amount })),
    memo: body.memo,
    messages: body.messages.map(anyJson),
    responses: info.responses.map(anyJson),
    events: info.events.map(({ type, attributes }) => ({
      type,
      attributes: attributes.map(({ key, value }) => ({ key, value })),
    })),
  };
}

/** An encoded message as JSON with its type; one of an unknown type as its bytes. */
export function anyJson({ typeUrl, value }: EncodedMessage): Record<string, unknown> {
  const type = messageTypeOfUrl(typeUrl);
  if (type === undefined) return { "@type": typeUrl, value: toBase64(value) };
  const json = messageToJson(type.name, type.codec.decode(value) as object);
  return { "@type": typeUrl, ...(json as Record<string, unknown>) };
}
