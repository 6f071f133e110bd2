import type { Any } from "../gen/google/protobuf/any.ts";
import { ChainError } from "../lib/errors.ts";
import { ErrUnpackAny } from "../types/sdk_errors.ts";
import { type MessageType, messageTypeNamed, messageTypeOfUrl } from "./message_types.ts";
import { checkWire } from "./strict_wire.ts";

/** A message out of its Any. */
export interface Unpacked {
  readonly type: MessageType;
  /** What the generated codec of the type decodes to. */
  readonly message: unknown;
}

/**
 * Packs a message, given whole or in part, into an Any.
 * @param name full name of the message, without a slash
 * @throws InvariantError when the wire contract has no such message.
 */
export function packAny(name: string, message: object): Any {
  const { typeUrl, codec } = messageTypeNamed(name);
  return { typeUrl, value: codec.encode(codec.fromPartial(message)).finish() };
}

/**
 * Unpacks an Any strictly (see checkWire).
 * @throws ChainError sdk/34 for an unknown type URL and for malformed bytes.
 */
export function unpackAny(any: Any): Unpacked {
  const type = messageTypeOfUrl(any.typeUrl);
  if (type === undefined) {
    const detail = `unable to resolve type URL ${any.typeUrl.slice(0, 200)}`;
    throw new ChainError(ErrUnpackAny, detail);
  }
  checkWire(type, any.value, { kind: ErrUnpackAny });
  return { type, message: type.codec.decode(any.value) };
}
