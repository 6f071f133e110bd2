import { describe, expect, test } from "vitest";
import { encodeCommitSig, encodeHeader } from "../../../src/codec/tendermint.ts";
import { fromHex, toHex, utf8 } from "../../../src/lib/bytes.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import { commitHash } from "../../../src/node/comet/commit_hash.ts";
import { consensusHash } from "../../../src/node/comet/consensus_hash.ts";
import { dataHash } from "../../../src/node/comet/data_hash.ts";
import { headerHash } from "../../../src/node/comet/header_hash.ts";
import { innerHash, merkleRoot, MerkleTree } from "../../../src/node/comet/merkle.ts";
import { PART_BYTES, partSetHeader } from "../../../src/node/comet/part_set.ts";
import { resultsHash } from "../../../src/node/comet/results_hash.ts";
import { validatorsHash } from "../../../src/node/comet/validators_hash.ts";
import { signCommit, voteSignBytes } from "../../../src/node/comet/vote.ts";
import {
  newSigningKey,
  signingKeyOfSeed,
  validatorAddress,
  verifyEd25519,
} from "../../../src/node/validator_key.ts";
import type { BlockCommit, Header } from "../../../src/node/view.ts";
import { parseTime, type TimeNs } from "../../../src/types/time.ts";

const EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** The root by the definition of RFC 6962: split at the largest power of two below the count. */
function definedRoot(items: readonly Uint8Array[]): Uint8Array {
  if (items.length === 1) return sha256(Uint8Array.of(0, ...(items[0] as Uint8Array)));
  let split = 1;
  while (split * 2 < items.length) split *= 2;
  return innerHash(definedRoot(items.slice(0, split)), definedRoot(items.slice(split)));
}

describe("Merkle tree", () => {
  test("has the hashes of the RFC 6962 test vectors", () => {
    expect(toHex(merkleRoot([]))).toBe(EMPTY_HASH);
    expect(toHex(merkleRoot([new Uint8Array(0)]))).toBe(
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    );
    expect(toHex(merkleRoot([utf8("L123456")]))).toBe(
      "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56",
    );
    expect(toHex(innerHash(utf8("N123"), utf8("N456")))).toBe(
      "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb",
    );
  });

  test("has the shape of the definition for 1 to 70 leaves, and proofs that lead to its root", async () => {
    for (let count = 1; count <= 70; count += 1) {
      const items = Array.from({ length: count }, (_, index) => utf8(`item ${index}`));
      const root = toHex(merkleRoot(items));
      expect(root, `${count} leaves`).toBe(toHex(definedRoot(items)));
      const proof = (await MerkleTree.over(items)).proof(count - 1);
      expect(toHex(rootOfProof(proof.index, proof.total, proof.leafHash, [...proof.aunts]))).toBe(
        root,
      );
    }
  });
});

/** Walks a proof by CometBFT's rule: the last aunt is the sibling at the top. */
function rootOfProof(
  index: number,
  total: number,
  leaf: Uint8Array,
  aunts: Uint8Array[],
): Uint8Array {
  if (total === 1) return leaf;
  const top = aunts.pop() as Uint8Array;
  let split = 1;
  while (split * 2 < total) split *= 2;
  if (index < split) return innerHash(rootOfProof(index, split, leaf, aunts), top);
  return innerHash(top, rootOfProof(index - split, total - split, leaf, aunts));
}

const sum = (text: string) => sha256(utf8(text));

const HEADER: Header = {
  chainId: "chainId",
  height: 3n,
  time: parseTime("2019-10-13T16:14:44Z") as TimeNs,
  lastBlockId: { hash: new Uint8Array(32), partsTotal: 6, partsHash: new Uint8Array(32) },
  lastCommitHash: sum("last_commit_hash"),
  dataHash: sum("data_hash"),
  validatorsHash: sum("validators_hash"),
  nextValidatorsHash: sum("next_validators_hash"),
  consensusHash: sum("consensus_hash"),
  appHash: sum("app_hash"),
  lastResultsHash: sum("last_results_hash"),
  evidenceHash: sum("evidence_hash"),
  proposer: sum("proposer_address").slice(0, 20),
};

describe("header", () => {
  test("hash is that of CometBFT's own test", () => {
    expect(toHex(headerHash(HEADER, { block: 1n, app: 2n })).toUpperCase()).toBe(
      "F740121F553B5418C3EFBD343C2DBFE9E007BB67B0D020A0741374BAB65242A4",
    );
  });

  test("hash depends on every field", () => {
    const hashes = new Set([toHex(headerHash(HEADER))]);
    for (const [field, value] of Object.entries(HEADER)) {
      const changed =
        typeof value === "bigint"
          ? value + 1n
          : typeof value === "string"
            ? `${value}!`
            : value instanceof Uint8Array
              ? sha256(value)
              : undefined;
      hashes.add(toHex(headerHash({ ...HEADER, [field]: changed } as Header)));
    }
    expect(hashes.size).toBe(1 + Object.keys(HEADER).length);
  });

  test("of the first block writes an empty block id, as Go does", () => {
    const bytes = toHex(encodeHeader({ ...HEADER, lastBlockId: undefined }));
    expect(bytes).toContain("2a021200");
  });
});

describe("vote", () => {
  const GO_ZERO_TIME = parseTime("0001-01-01T00:00:00Z") as TimeNs;
  const vote = { height: 1n, round: 1, blockId: undefined, timestamp: GO_ZERO_TIME, chainId: "" };

  // CometBFT types/vote_test.go, TestVoteSignBytesTestVectors.
  test.each([
    {
      name: "empty",
      vote: { ...vote, height: 0n, round: 0 },
      type: 0 as const,
      hex: "0d2a0b088092b8c398feffffff01",
    },
    {
      name: "precommit",
      vote,
      type: 2 as const,
      hex: "210802110100000000000000190100000000000000" + "2a0b088092b8c398feffffff01",
    },
    {
      name: "prevote",
      vote,
      type: 1 as const,
      hex: "210801110100000000000000190100000000000000" + "2a0b088092b8c398feffffff01",
    },
    {
      name: "with a chain id",
      vote: { ...vote, chainId: "test_chain_id" },
      type: 0 as const,
      hex:
        "2e110100000000000000190100000000000000" +
        "2a0b088092b8c398feffffff01" +
        "320d746573745f636861696e5f6964",
    },
  ])("sign bytes: $name", ({ vote: fields, type, hex }) => {
    expect(toHex(voteSignBytes(fields, type))).toBe(hex);
  });

  test("signatures verify under the key, and under no other content", () => {
    const key = newSigningKey();
    const blockId = { hash: sum("block"), partsTotal: 1, partsHash: sum("parts") };
    const timestamp = HEADER.time;
    const commit = signCommit({ key, chainId: "settled-1", height: 7n, blockId, timestamp });
    const fields = { height: 7n, round: 0, blockId, timestamp, chainId: "settled-1" };
    const signed = (over: typeof fields) =>
      verifyEd25519(key.publicKey, voteSignBytes(over), commit.signature);
    expect(signed(fields)).toBe(true);
    expect(signed({ ...fields, chainId: "settled-2" })).toBe(false);
    expect(commit.validatorAddress).toEqual(validatorAddress(key.publicKey));
  });

  test("ed25519 is that of RFC 8032, test 2", () => {
    const seed = fromHex(
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    ) as Uint8Array;
    const key = signingKeyOfSeed(seed);
    expect(toHex(key.publicKey)).toBe(
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    );
    expect(toHex(key.sign(Uint8Array.of(0x72)))).toBe(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
  });
});

describe("other hashes", () => {
  const commit: BlockCommit = {
    height: 1n,
    round: 0,
    blockId: { hash: sum("b"), partsTotal: 1, partsHash: sum("p") },
    validatorAddress: sum("v").slice(0, 20),
    timestamp: HEADER.time,
    signature: new Uint8Array(64),
  };

  test("of a commit covers its signature; below the first block it is that of nothing", () => {
    expect(toHex(commitHash(undefined))).toBe(EMPTY_HASH);
    expect(toHex(commitHash(commit))).toBe(
      toHex(sha256(Uint8Array.of(0, ...encodeCommitSig(commit)))),
    );
  });

  test("of the data is over the hashes of the txs", () => {
    const hashes = [sum("a"), sum("b")];
    expect(toHex(dataHash(hashes))).toBe(toHex(merkleRoot([sum("a"), sum("b")])));
    expect(toHex(dataHash([]))).toBe(EMPTY_HASH);
  });

  test("of results leaves out logs and events", () => {
    const result = {
      code: 0,
      codespace: "",
      log: "",
      info: "",
      data: utf8("d"),
      gasWanted: 200_000n,
      gasUsed: 77n,
      events: [],
    };
    const bytes = fromHex("120164" + "28c09a0c" + "304d") as Uint8Array;
    expect(toHex(resultsHash([result]))).toBe(toHex(merkleRoot([bytes])));
    expect(resultsHash([{ ...result, log: "x", codespace: "y" }])).toEqual(resultsHash([result]));
    expect(resultsHash([{ ...result, code: 5 }])).not.toEqual(resultsHash([result]));
    expect(toHex(resultsHash([]))).toBe(EMPTY_HASH);
  });

  test("of results takes gas above an int64", () => {
    const huge = { gasWanted: 2n ** 64n - 1n, gasUsed: 0n };
    const rest = {
      code: 11,
      codespace: "sdk",
      log: "",
      info: "",
      data: new Uint8Array(0),
      events: [],
    };
    expect(resultsHash([{ ...rest, ...huge }])).toHaveLength(32);
  });

  test("of validators and params are over their encoded forms", () => {
    const key = new Uint8Array(32).fill(7);
    const bytes = fromHex(`0a22` + `0a20${toHex(key)}` + `100a`) as Uint8Array;
    expect(toHex(validatorsHash([{ publicKey: key, power: 10n }]))).toBe(
      toHex(merkleRoot([bytes])),
    );
    const params = fromHex(`08808080021` + `0ffffffffffffffffff01`) as Uint8Array;
    expect(toHex(consensusHash({ maxBytes: 4_194_304n, maxGas: -1n }))).toBe(toHex(sha256(params)));
  });

  test("parts are cut at 65536 bytes", () => {
    expect(partSetHeader(new Uint8Array(PART_BYTES)).total).toBe(1);
    const block = new Uint8Array(PART_BYTES + 1).fill(3);
    const { total, hash } = partSetHeader(block);
    expect(total).toBe(2);
    expect(hash).toEqual(merkleRoot([block.slice(0, PART_BYTES), block.slice(PART_BYTES)]));
  });
});
