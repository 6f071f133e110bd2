/** A generated codec, as far as the client uses it. */
export interface MessageCodec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(input: Uint8Array): T;
  fromPartial(object: object): T;
}

/** A message with its type URL, encoded: what goes into a tx. */
export interface EncodedMessage {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** Encodes a message of which some fields are given. */
export function encodePartial<T>(codec: MessageCodec<T>, partial: object): Uint8Array {
  return codec.encode(codec.fromPartial(partial)).finish();
}
