/** Protobuf written by hand from its encoding rules: nothing of the node's own codecs. */

/** Fields in the order of their numbers; what is a default is left out, as proto3 does. */
export type Field = readonly number[];

/** A message of its fields. */
export function message(...fields: readonly Field[]): Uint8Array {
  return Uint8Array.from(fields.flat());
}

/** int64, uint64, int32 of 0 and more, and enums. */
export function number(no: number, value: bigint | number): Field {
  const bits = BigInt.asUintN(64, BigInt(value));
  return bits === 0n ? [] : [...varint(BigInt(no) << 3n), ...varint(bits)];
}

/** sfixed64 */
export function fixed64(no: number, value: bigint): Field {
  if (value === 0n) return [];
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value, true);
  return [...varint((BigInt(no) << 3n) | 1n), ...bytes];
}

/** Text, bytes, or a message that is left out when it is empty. */
export function bytes(no: number, value: Uint8Array | string): Field {
  const content = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return content.length === 0 ? [] : always(no, content);
}

/** One item of a list, or a message that Go holds as a value: written when it is empty, too. */
export function always(no: number, content: Uint8Array): Field {
  return [...varint((BigInt(no) << 3n) | 2n), ...varint(BigInt(content.length)), ...content];
}

export function varint(value: bigint): number[] {
  const out: number[] = [];
  let left = value;
  for (; left >= 128n; left >>= 7n) out.push(Number(left & 127n) | 128);
  return [...out, Number(left)];
}
