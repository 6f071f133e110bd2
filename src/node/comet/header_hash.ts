import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { encodeBlockId, encodeTimestamp, encodeVersion } from "../../codec/tendermint.ts";
import { EMPTY_BYTES } from "../../lib/bytes.ts";
import type { Header } from "../view.ts";
import { merkleRoot } from "./merkle.ts";

/**
 * The hash of a block: the Merkle root of the 14 header fields in order, each encoded by itself
 * (CometBFT 0.38 types/block.go, Header.Hash).
 * @param version the header's versions, by default those of this chain
 */
export function headerHash(
  header: Header,
  version?: { readonly block: bigint; readonly app: bigint },
): Uint8Array {
  return merkleRoot([
    encodeVersion(version),
    stringValue(header.chainId),
    int64Value(header.height),
    encodeTimestamp(header.time),
    encodeBlockId(header.lastBlockId),
    bytesValue(header.lastCommitHash),
    bytesValue(header.dataHash),
    bytesValue(header.validatorsHash),
    bytesValue(header.nextValidatorsHash),
    bytesValue(header.consensusHash),
    bytesValue(header.appHash),
    bytesValue(header.lastResultsHash),
    bytesValue(header.evidenceHash),
    bytesValue(header.proposer),
  ]);
}

// Plain fields are hashed as google.protobuf.StringValue, Int64Value and BytesValue: field 1, and
// nothing at all for the default (CometBFT 0.38 types/encoding_helper.go, cdcEncode).
const TAG_VARINT = 0x08;
const TAG_BYTES = 0x0a;

function stringValue(text: string): Uint8Array {
  if (text === "") return EMPTY_BYTES;
  return new BinaryWriter().uint32(TAG_BYTES).string(text).finish();
}

function int64Value(value: bigint): Uint8Array {
  if (value === 0n) return EMPTY_BYTES;
  return new BinaryWriter().uint32(TAG_VARINT).int64(value).finish();
}

function bytesValue(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return EMPTY_BYTES;
  return new BinaryWriter().uint32(TAG_BYTES).bytes(bytes).finish();
}
