import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { always, bytes, fixed64, message, number, varint } from "./wire.ts";

/**
 * What a light client computes from JSON of the RPC, written from CometBFT's specification (data
 * structures, encoding) with a hash and a curve of noble: none of the node's code is in here.
 */

export interface JsonBlockId {
  readonly hash: string;
  readonly parts: { readonly total: number; readonly hash: string };
}

export interface JsonHeader {
  readonly version: { readonly block: string; readonly app?: string };
  readonly chain_id: string;
  readonly height: string;
  readonly time: string;
  readonly last_block_id: JsonBlockId;
  readonly last_commit_hash: string;
  readonly data_hash: string;
  readonly validators_hash: string;
  readonly next_validators_hash: string;
  readonly consensus_hash: string;
  readonly app_hash: string;
  readonly last_results_hash: string;
  readonly evidence_hash: string;
  readonly proposer_address: string;
}

export interface JsonCommit {
  readonly height: string;
  readonly round: number;
  readonly block_id: JsonBlockId;
  readonly signatures: readonly {
    readonly block_id_flag: number;
    readonly validator_address: string;
    readonly timestamp: string;
    readonly signature: string;
  }[];
}

export interface JsonBlock {
  readonly header: JsonHeader;
  readonly data: { readonly txs: readonly string[] };
  readonly last_commit: JsonCommit;
}

export interface JsonValidator {
  readonly address: string;
  readonly pub_key: { readonly type: string; readonly value: string };
  readonly voting_power: string;
}

export interface JsonTxResult {
  readonly code: number;
  readonly data: string | null;
  readonly gas_wanted: string;
  readonly gas_used: string;
}

export interface JsonProof {
  readonly root_hash: string;
  readonly data: string;
  readonly proof: {
    readonly total: string;
    readonly index: string;
    readonly leaf_hash: string;
    readonly aunts: readonly string[];
  };
}

const PART_BYTES = 65_536;
const PRECOMMIT = 2;

export const fromHex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
export const fromBase64 = (text: string) => Uint8Array.from(Buffer.from(text, "base64"));
export const hexOf = (value: Uint8Array) => Buffer.from(value).toString("hex").toUpperCase();

export { sha256 };

/** RFC 6962, section 2.1. */
export function merkleRoot(items: readonly Uint8Array[]): Uint8Array {
  const [only] = items;
  if (only === undefined) return sha256(new Uint8Array(0));
  if (items.length === 1) return leafHash(only);
  const split = splitOf(items.length);
  return innerHash(merkleRoot(items.slice(0, split)), merkleRoot(items.slice(split)));
}

const leafHash = (item: Uint8Array) => sha256(Uint8Array.of(0, ...item));
const innerHash = (left: Uint8Array, right: Uint8Array) =>
  sha256(Uint8Array.of(1, ...left, ...right));

/** The largest power of two below a count of two or more. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

/** The root that a proof of a tx leads to. */
export function rootOfProof({ proof, data }: JsonProof): Uint8Array {
  const aunts = proof.aunts.map(fromBase64);
  const leaf = leafHash(sha256(fromBase64(data)));
  const up = (index: number, total: number): Uint8Array => {
    if (total === 1) return leaf;
    const top = aunts.pop() ?? new Uint8Array(0);
    const split = splitOf(total);
    if (index < split) return innerHash(up(index, split), top);
    return innerHash(top, up(index - split, total - split));
  };
  return up(Number(proof.index), Number(proof.total));
}

/** google.protobuf.Timestamp of RFC 3339 text, with all of its nanoseconds. */
function timestamp(text: string): Uint8Array {
  const [, seconds = "", fraction = ""] = /^([^.Z]+)(?:\.([0-9]{1,9}))?Z$/.exec(text) ?? [];
  const unix = BigInt(Date.parse(`${seconds}Z`)) / 1000n;
  return message(number(1, unix), number(2, Number(fraction.padEnd(9, "0"))));
}

function blockId({ hash, parts }: JsonBlockId): Uint8Array {
  const partSet = message(number(1, parts.total), bytes(2, fromHex(parts.hash)));
  return message(bytes(1, fromHex(hash)), always(2, partSet));
}

function versionOf({ version }: JsonHeader): Uint8Array {
  return message(number(1, BigInt(version.block)), number(2, BigInt(version.app ?? "0")));
}

const HASHES = [
  "last_commit_hash",
  "data_hash",
  "validators_hash",
  "next_validators_hash",
  "consensus_hash",
  "app_hash",
  "last_results_hash",
  "evidence_hash",
  "proposer_address",
] as const;

/** The root over the 14 encoded fields of a header. */
export function headerHash(header: JsonHeader): Uint8Array {
  return merkleRoot([
    versionOf(header),
    message(bytes(1, header.chain_id)),
    message(number(1, BigInt(header.height))),
    timestamp(header.time),
    blockId(header.last_block_id),
    ...HASHES.map((name) => message(bytes(1, fromHex(header[name])))),
  ]);
}

function encodeHeader(header: JsonHeader): Uint8Array {
  return message(
    always(1, versionOf(header)),
    bytes(2, header.chain_id),
    number(3, BigInt(header.height)),
    always(4, timestamp(header.time)),
    always(5, blockId(header.last_block_id)),
    ...HASHES.map((name, index) => bytes(6 + index, fromHex(header[name]))),
  );
}

type JsonSignature = JsonCommit["signatures"][number];

function commitSig(one: JsonSignature): Uint8Array {
  return message(
    number(1, one.block_id_flag),
    bytes(2, fromHex(one.validator_address)),
    always(3, timestamp(one.timestamp)),
    bytes(4, fromBase64(one.signature)),
  );
}

export function commitHash(commit: JsonCommit): Uint8Array {
  return merkleRoot(commit.signatures.map(commitSig));
}

function encodeCommit(commit: JsonCommit): Uint8Array {
  return message(
    number(1, BigInt(commit.height)),
    number(2, commit.round),
    always(3, blockId(commit.block_id)),
    ...commit.signatures.map((one) => always(4, commitSig(one))),
  );
}

/** A whole block as it is cut into parts and sent. */
export function encodeBlock(block: JsonBlock): Uint8Array {
  const data = message(...block.data.txs.map((tx) => always(1, fromBase64(tx))));
  return message(
    always(1, encodeHeader(block.header)),
    always(2, data),
    always(3, new Uint8Array(0)),
    always(4, encodeCommit(block.last_commit)),
  );
}

/** Number of parts and the root over them. */
export function partSet(block: Uint8Array): { total: number; hash: string } {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < block.length; at += PART_BYTES) {
    parts.push(block.slice(at, at + PART_BYTES));
  }
  return { total: parts.length, hash: hexOf(merkleRoot(parts)) };
}

/** The root over the hashes of the txs. */
export function dataHash(txs: readonly string[]): Uint8Array {
  return merkleRoot(txs.map((tx) => sha256(fromBase64(tx))));
}

/** What the next header says of the results: code, data, gas wanted, gas used. */
export function resultsHash(results: readonly JsonTxResult[]): Uint8Array {
  return merkleRoot(
    results.map(({ code, data, gas_wanted, gas_used }) =>
      message(
        number(1, code),
        bytes(2, fromBase64(data ?? "")),
        number(5, BigInt(gas_wanted)),
        number(6, BigInt(gas_used)),
      ),
    ),
  );
}

export function validatorsHash(validators: readonly JsonValidator[]): Uint8Array {
  return merkleRoot(
    validators.map(({ pub_key, voting_power }) =>
      message(
        always(1, message(bytes(1, fromBase64(pub_key.value)))),
        number(2, BigInt(voting_power)),
      ),
    ),
  );
}

/** sha256 of HashedParams. */
export function consensusHash(params: { readonly block: { max_bytes: string; max_gas: string } }) {
  const { max_bytes, max_gas } = params.block;
  return sha256(message(number(1, BigInt(max_bytes)), number(2, BigInt(max_gas))));
}

/** The length-prefixed CanonicalVote of a precommit. */
export function voteSignBytes(chainId: string, commit: JsonCommit, at: number): Uint8Array {
  const { timestamp: time = "" } = commit.signatures[at] ?? {};
  const id = commit.block_id;
  const parts = message(number(1, id.parts.total), bytes(2, fromHex(id.parts.hash)));
  const vote = message(
    number(1, PRECOMMIT),
    fixed64(2, BigInt(commit.height)),
    fixed64(3, BigInt(commit.round)),
    always(4, message(bytes(1, fromHex(id.hash)), always(2, parts))),
    always(5, timestamp(time)),
    bytes(6, chainId),
  );
  return Uint8Array.from([...varint(BigInt(vote.length)), ...vote]);
}

/** Whether validators with more than two thirds of the power signed a commit. */
export function isSignedBy(
  validators: readonly JsonValidator[],
  chainId: string,
  commit: JsonCommit,
): boolean {
  let [signed, total] = [0n, 0n];
  validators.forEach(({ pub_key, address, voting_power }, at) => {
    total += BigInt(voting_power);
    const one = commit.signatures[at];
    if (one?.block_id_flag !== 2 || one.validator_address !== address) return;
    const key = fromBase64(pub_key.value);
    const signature = fromBase64(one.signature);
    // ZIP-215, as CometBFT verifies.
    if (ed25519.verify(signature, voteSignBytes(chainId, commit, at), key)) {
      signed += BigInt(voting_power);
    }
  });
  return signed * 3n > total * 2n;
}
