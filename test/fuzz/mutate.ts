import type { Random } from "../simulation/random.ts";

/** Above the limit of a request body, so that the limit is met too; most inputs stay small. */
const INPUT_BYTES_MAX = 1_200_000;

/** Bytes that decoders stumble over: ends of varints, lengths and signs. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x22, 0x27];
const VARINTS = [
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0x07],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
  [0x80, 0x00],
];

type Mutation = (random: Random, input: Uint8Array, other: Uint8Array) => Uint8Array;

const anywhere: readonly (readonly [number, Mutation])[] = [
  [6, flipBit],
  [4, (random, input) => withByte(input, random.below(input.length + 1), random.pick(EDGES))],
  [3, (random, input) => input.slice(0, random.below(input.length + 1))],
  [3, (random, input) => cut(input, ...span(random, input), new Uint8Array(0))],
  [2, repeated],
  [3, spliced],
  [2, (random, input) => insert(random, input, noise(random, 1 + random.below(16)))],
];

const ofWire: readonly (readonly [number, Mutation])[] = [
  ...anywhere,
  [3, (random, input) => insert(random, input, Uint8Array.from(random.pick(VARINTS)))],
  [2, nested],
  [1, (random, input) => join(input, unknownField(random))],
  [1, (random, input) => join(unknownField(random), input)],
];

const ofText: readonly (readonly [number, Mutation])[] = [
  ...anywhere,
  [6, (random, input) => insert(random, input, utf8(random.pick(WORDS)))],
  [4, (random, input) => cut(input, ...span(random, input), utf8(random.pick(WORDS)))],
  [1, (random, input) => insert(random, input, utf8(deep(random)))],
];

/** Text that JSON, addresses and queries are read wrongly with. */
const WORDS = [
  ...["null", "true", "-0", "1e999", "9".repeat(400), "0.1", "-9223372036854775809", "1e-7"],
  ...["9223372036854775807", "18446744073709551616", "0x", "0xzz", "NaN", "\\u0000", "\\ud800"],
  ...[
    "\u0000",
    "\u2028",
    "\ufeff",
    "\u202e",
    "😀",
    "ÿ",
    "%",
    "%00",
    "%ff",
    "%u0041",
    "+",
    "&",
    "=",
  ],
  ...['"', "'", "\\", "{", "}", "[", "]", ",", ":", "//", "../", "?", "#", " ", "\t", "\r\n", "\n"],
  ...['"__proto__":{"x":1},', '"constructor":1,', '"id":null,', '"id":2,', '"params":[],'],
  ...['"method":"status",', '"params":{"height":"1","height":"2"},', "x".repeat(5000)],
  ...[" AND ", " and ", " CONTAINS ", " EXISTS", "TIME ", "DATE ", "<=", "tm.event='Tx'", "tx."],
  ...["2026-02-30T25:61:61Z", "0000-00-00", "9999-12-31T23:59:59.999999999Z"],
];

/** One to four changes of bytes that are protobuf. `other` is material to splice in. */
export function mutateWire(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  return mutate(random, input, other, ofWire);
}

/** The same of text; it need not stay text. */
export function mutateText(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  return mutate(random, input, other, ofText);
}

/** The same of bytes of any other kind. */
export function mutateBytes(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  return mutate(random, input, other, anywhere);
}

export function noise(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.bits() & 0xff);
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function mutate(
  random: Random,
  input: Uint8Array,
  other: Uint8Array,
  mutations: readonly (readonly [number, Mutation])[],
): Uint8Array {
  let current = input;
  // One most often: what several changes leave is mostly refused at the first.
  for (let left = 1 + random.below(1 + random.below(4)); left > 0; left -= 1) {
    current = random.weighted(mutations)(random, current, other);
  }
  return current.subarray(0, INPUT_BYTES_MAX);
}

function span(random: Random, input: Uint8Array): [from: number, to: number] {
  const from = random.below(input.length + 1);
  return [from, from + random.below(Math.min(64, input.length - from) + 1)];
}

function cut(input: Uint8Array, from: number, to: number, instead: Uint8Array): Uint8Array {
  return join(input.subarray(0, from), instead, input.subarray(to));
}

function insert(random: Random, input: Uint8Array, added: Uint8Array): Uint8Array {
  const at = random.below(input.length + 1);
  return cut(input, at, at, added);
}

function withByte(input: Uint8Array, at: number, value: number): Uint8Array {
  return cut(input, at, at + 1, Uint8Array.of(value));
}

function flipBit(random: Random, input: Uint8Array): Uint8Array {
  const at = random.below(Math.max(1, input.length));
  return withByte(input, at, (input[at] ?? 0) ^ (1 << random.below(8)));
}

function repeated(random: Random, input: Uint8Array): Uint8Array {
  const [from, to] = span(random, input);
  const times = random.chance(10) ? 1 + random.below(500) : 1 + random.below(4);
  const part = input.subarray(from, to);
  return cut(input, to, to, join(...Array.from({ length: times }, () => part)));
}

function spliced(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  const [from, to] = span(random, other);
  return insert(random, input, other.subarray(from, to));
}

/** The input inside of itself: a length-delimited field in one, up to 200 deep. */
function nested(random: Random, input: Uint8Array): Uint8Array {
  const tag = ((1 + random.below(4)) << 3) | 2;
  let current = input;
  for (let left = random.chance(20) ? 200 : random.below(8); left > 0; left -= 1) {
    current = join(Uint8Array.from([tag, ...length(current.length)]), current);
    if (current.length > 60_000) break;
  }
  return current;
}

function length(value: number): number[] {
  const out: number[] = [];
  let left = value;
  for (; left >= 128; left >>= 7) out.push((left & 127) | 128);
  return [...out, left];
}

function unknownField(random: Random): Uint8Array {
  const no = random.pick([0, 15, 16, 19_000, 1024, 2047, 536_870_911]);
  const content = noise(random, random.below(12));
  const [tag, kind] = [no * 8, random.below(8)];
  return Uint8Array.from([...length(tag + kind), ...length(content.length), ...content]);
}

function deep(random: Random): string {
  const depth = random.pick([10, 1000, 20_000]);
  const [open, close] = random.pick([
    ["[", "]"],
    ['{"a":', "}"],
    ["[[],", "]"],
  ]) as readonly [string, string];
  return open.repeat(depth) + (random.chance(50) ? `1${close.repeat(depth)}` : "");
}
