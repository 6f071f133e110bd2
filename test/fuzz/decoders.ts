import { checkWire } from "../../src/codec/strict_wire.ts";
import { signBytesOf } from "../../src/codec/sign_bytes.ts";
import { type DecodedTx, decodeTx } from "../../src/codec/tx_decode.ts";
import { must } from "../../src/lib/assert.ts";
import { ChainError } from "../../src/lib/errors.ts";
import { readPlain } from "../../src/lib/wire_reader.ts";
import type { Random } from "../simulation/random.ts";
import { messageCorpus, type Sampled, txCorpus } from "./corpus.ts";
import { join, mutateWire, noise } from "./mutate.ts";
import { FuzzFault, type Target } from "./target.ts";

/** The number of an input that is a tx; others are a message type's, counted from 0. */
const TX = 0xffff;
const HEAD_BYTES = 2;
const MODES = [1, 127];

/**
 * Txs and messages as bytes. Refusals are the registered one; what the fast readers take passes the
 * strict check and is what the decoders give; what passes the check is decoded.
 */
export class Decoders implements Target {
  readonly name = "decoders";
  readonly headBytes = HEAD_BYTES;
  readonly #messages: readonly Sampled[];
  readonly #txs: readonly Uint8Array[];

  constructor(seed: number) {
    this.#messages = messageCorpus(seed);
    this.#txs = txCorpus(this.#messages);
  }

  make(random: Random): Uint8Array {
    const isTx = random.chance(40);
    const number = isTx ? TX : random.below(this.#messages.length);
    const samples = isTx ? this.#txs : this.#of(number).samples;
    const other = random.pick(random.pick(this.#messages).samples);
    const bytes = random.chance(3)
      ? noise(random, random.below(200))
      : mutateWire(random, random.pick(samples), other);
    return join(Uint8Array.of(number >> 8, number & 0xff), bytes);
  }

  run(input: Uint8Array): void {
    const number = this.#numberOf(input);
    const bytes = input.subarray(HEAD_BYTES);
    if (number === TX) checkTx(bytes);
    else checkMessage(this.#of(number), bytes);
  }

  show(input: Uint8Array): string {
    const number = this.#numberOf(input);
    const name = number === TX ? "tx" : this.#of(number).type.name;
    return `${name} from hex ${Buffer.from(input.subarray(HEAD_BYTES)).toString("hex")}`;
  }

  #of(number: number): Sampled {
    return must(this.#messages[number], `message type ${number}`);
  }

  #numberOf(input: Uint8Array): number {
    return (input[0] ?? 0) * 256 + (input[1] ?? 0);
  }
}

function checkTx(bytes: Uint8Array): void {
  const tx = orRefusal(() => decodeTx(bytes));
  if (tx instanceof ChainError) {
    if (tx.codespace === "sdk" && tx.code === 2) return;
    throw new FuzzFault(`refused with ${tx.codespace}/${tx.code}: ${tx.message}`);
  }
  for (const mode of MODES) checkSignBytes(tx, mode);
}

function checkSignBytes(tx: DecodedTx, mode: number): void {
  const signer = { chainId: "settled-1", accountNumber: 1n, sequence: 7n, mode };
  orRefusal(() => signBytesOf(tx, signer));
}

function checkMessage({ type }: Sampled, bytes: Uint8Array): void {
  const check = orRefusal(() => checkWire(type, bytes, { resolveAny: () => "opaque" }));
  const plain = type.read === undefined ? undefined : readPlain(bytes, type.read);
  if (check instanceof ChainError) {
    if (plain === undefined) return;
    throw new FuzzFault(`the reader takes what the check refuses: ${check.message}`);
  }
  const decoded = type.codec.decode(bytes);
  if (plain === undefined) return;
  const [own, theirs] = [plain, decoded].map((value) => type.codec.encode(value).finish());
  if (!Buffer.from(own ?? []).equals(theirs ?? new Uint8Array(0))) {
    throw new FuzzFault("the reader gives another message than the decoder");
  }
}

/** What a call gives, or its registered refusal; everything else escapes. */
function orRefusal<T>(work: () => T): T | ChainError {
  try {
    return work();
  } catch (error) {
    if (error instanceof ChainError) return error;
    throw error;
  }
}
