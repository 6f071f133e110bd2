/** Bech32 (BIP-173) for addresses of up to 255 bytes: no length limit of 90, as Cosmos has none. */

const CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3] as const;
const TEXT_LENGTH_MAX = 512;

function polymod(values: readonly number[]): number {
  let checksum = 1;
  for (const value of values) {
    const top = checksum >>> 25;
    checksum = ((checksum & 0x1ffffff) << 5) ^ value;
    for (let bit = 0; bit < 5; bit += 1) {
      if ((top >>> bit) & 1) checksum ^= GENERATOR[bit] as number;
    }
  }
  return checksum;
}

function expandPrefix(prefix: string): number[] {
  const codes = [...prefix].map((char) => char.charCodeAt(0));
  return [...codes.map((code) => code >>> 5), 0, ...codes.map((code) => code & 31)];
}

function regroup(data: Iterable<number>, from: number, to: number, pad: boolean) {
  const groups: number[] = [];
  const mask = (1 << to) - 1;
  let bits = 0;
  let width = 0;
  for (const value of data) {
    bits = ((bits << from) | value) & 0xffffff;
    width += from;
    while (width >= to) {
      width -= to;
      groups.push((bits >>> width) & mask);
    }
  }
  if (pad && width > 0) groups.push((bits << (to - width)) & mask);
  const clean = pad || (width < from && ((bits << (to - width)) & mask) === 0);
  return clean ? groups : undefined;
}

export function encodeBech32(prefix: string, data: Uint8Array): string {
  const words = regroup(data, 8, 5, true) ?? [];
  const sum = polymod([...expandPrefix(prefix), ...words, 0, 0, 0, 0, 0, 0]) ^ 1;
  const checksum = [25, 20, 15, 10, 5, 0].map((shift) => (sum >>> shift) & 31);
  return `${prefix}1${[...words, ...checksum].map((word) => CHARSET.charAt(word)).join("")}`;
}

/** Prefix and bytes of a bech32 text in one case with a good checksum; undefined for any other. */
export function decodeBech32(text: string): { prefix: string; data: Uint8Array } | undefined {
  if (text.length > TEXT_LENGTH_MAX || !/^[\x21-\x7e]+$/.test(text)) return undefined;
  const lower = text.toLowerCase();
  if (text !== lower && text !== text.toUpperCase()) return undefined;
  const separator = lower.lastIndexOf("1");
  if (separator < 1 || separator + 7 > lower.length) return undefined;
  const prefix = lower.slice(0, separator);
  const words = [...lower.slice(separator + 1)].map((char) => CHARSET.indexOf(char));
  if (words.includes(-1) || polymod([...expandPrefix(prefix), ...words]) !== 1) return undefined;
  const data = regroup(words.slice(0, -6), 5, 8, false);
  return data === undefined ? undefined : { prefix, data: Uint8Array.from(data) };
}
