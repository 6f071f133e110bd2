import { fromBase64, fromHex, toBase64, toHex } from "../lib/bytes.ts";
import type { ProvedRecord } from "../client/proof.ts";
import { CliError } from "./cli_error.ts";
import { EXIT } from "./exit_codes.ts";

const FORMAT = "settled-proof/1";

/** An answer with the records that it was made from: what `--proof-file` writes. */
export interface ProofFile {
  readonly chainId: string;
  /** What addresses of the chain begin with: needed to answer the query again. */
  readonly bech32Prefix: string;
  /** Of the state that answers. Its app hash is in the header of the next block. */
  readonly height: bigint;
  /** 32 bytes. */
  readonly appHash: Uint8Array;
  /** As of abci_query. */
  readonly path: string;
  readonly request: Uint8Array;
  readonly response: Uint8Array;
  /** 0, or 22 where there is nothing. */
  readonly code: number;
  /** "" for code 0. */
  readonly log: string;
  readonly records: readonly ProvedRecord[];
}

/** A failed proof: the first thing that does not hold. */
export function proofError(message: string, details: Record<string, unknown> = {}): CliError {
  return new CliError(EXIT.proof, "proof", message, { details });
}

/** The content of a proof file: JSON, bytes as base64. */
export function proofFileText(file: ProofFile): string {
  const content = {
    format: FORMAT,
    chain_id: file.chainId,
    bech32_prefix: file.bech32Prefix,
    height: file.height.toString(),
    app_hash: toHex(file.appHash).toUpperCase(),
    path: file.path,
    request: toBase64(file.request),
    response: toBase64(file.response),
    code: file.code,
    log: file.log,
    records: file.records.map(({ key, value, proof }) => ({
      key: toBase64(key),
      value: value === undefined ? null : toBase64(value),
      proof: toBase64(proof),
    })),
  };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

/** @throws CliError with the exit code of proofs, naming the first field at fault */
export function parseProofFile(text: string): ProofFile {
  const content = new Fields(parsedJson(text), "");
  const format = content.text("format");
  if (format !== FORMAT) throw proofError(`format is ${shown(format)}, not "${FORMAT}"`);
  const height = content.text("height");
  if (!/^[1-9][0-9]{0,18}$/.test(height)) throw wrong("height", "a height");
  const code = content.of("code");
  if (typeof code !== "number" || !Number.isSafeInteger(code)) throw wrong("code", "a number");
  const records = content.of("records");
  if (!Array.isArray(records) || records.length === 0) throw wrong("records", "a list of records");
  return {
    chainId: content.word("chain_id"),
    bech32Prefix: content.word("bech32_prefix"),
    height: BigInt(height),
    appHash: parseAppHash(content.text("app_hash"), "app_hash"),
    path: content.word("path"),
    request: content.bytes("request"),
    response: content.bytes("response"),
    code,
    log: content.text("log"),
    records: records.map((each: unknown, index) => recordOf(each, `records[${index}]`)),
  };
}

/** 32 bytes of hex. @param name where it stands, for the error */
export function parseAppHash(text: string, name: string): Uint8Array {
  const appHash = fromHex(text);
  if (appHash?.length === 32) return appHash;
  throw proofError(`${name} is not an app hash (64 hex digits): ${shown(text)}`);
}

function recordOf(value: unknown, name: string): ProvedRecord {
  const fields = new Fields(value, `${name}.`);
  return {
    key: fields.bytes("key"),
    value: fields.of("value") === null ? undefined : fields.bytes("value"),
    proof: fields.bytes("proof"),
  };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw proofError(`the file is not JSON: ${shown((error as Error).message)}`);
  }
}

/** Text of a file that somebody sent, for a terminal: short, and without control characters. */
function shown(text: string): string {
  return `"${text.slice(0, 80).replaceAll(/[^\x20-\x7e]/g, "?")}"`;
}

function wrong(name: string, expected: string): CliError {
  return proofError(`${name} is not ${expected}`);
}

class Fields {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #where: string;

  constructor(value: unknown, where: string) {
    const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isRecord) throw wrong(where === "" ? "the file" : where.slice(0, -1), "an object");
    this.#object = value as Readonly<Record<string, unknown>>;
    this.#where = where;
  }

  of(name: string): unknown {
    if (Object.hasOwn(this.#object, name)) return this.#object[name];
    throw proofError(`${this.#where}${name} is missing`);
  }

  text(name: string): string {
    const value = this.of(name);
    if (typeof value !== "string") throw wrong(this.#where + name, "text");
    return value;
  }

  /** A text that is shown to people. */
  word(name: string): string {
    const text = this.text(name);
    if (!/^[\x20-\x7e]{1,200}$/.test(text)) {
      throw wrong(this.#where + name, "1 to 200 printable ASCII characters");
    }
    return text;
  }

  bytes(name: string): Uint8Array {
    const bytes = fromBase64(this.text(name));
    if (bytes === undefined) throw wrong(this.#where + name, "base64");
    return bytes;
  }
}
