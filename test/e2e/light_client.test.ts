import { createRequire } from "node:module";
import { beforeAll, describe, expect, test } from "vitest";
import * as light from "./comet/light_client.ts";
import { Payer } from "./comet/payer.ts";
import { devNode } from "./dev_node.ts";
import { rpcCall } from "./node_process.ts";

// Everything that a header promises is computed again from the JSON of the RPC, by code that has
// nothing in common with the node's (comet/light_client.ts).

const require = createRequire(import.meta.url);

interface BlockAnswer {
  readonly block_id: light.JsonBlockId;
  readonly block: light.JsonBlock;
}

interface CommitAnswer {
  readonly signed_header: { readonly header: light.JsonHeader; readonly commit: light.JsonCommit };
  readonly canonical: boolean;
}

interface ResultsAnswer {
  readonly txs_results: readonly light.JsonTxResult[] | null;
  readonly app_hash: string;
}

interface Height {
  readonly height: number;
  readonly id: light.JsonBlockId;
  readonly block: light.JsonBlock;
  readonly signed: CommitAnswer;
  readonly results: ResultsAnswer;
  readonly validators: readonly light.JsonValidator[];
  readonly params: { readonly block: { max_bytes: string; max_gas: string } };
}

const node = devNode(["--block-mode", "manual", "--log-level", "error"]);
let chain: Height[];

async function ask<T>(method: string, params: object = {}): Promise<T> {
  const { result, error } = await rpcCall(node.rpc, method, params);
  if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
  return result as T;
}

/** Blocks without txs, with one, with five of which two fail, and with more than one part. */
async function makeBlocks(): Promise<void> {
  const payer = await Payer.of(node, "customer-1");
  const send = async (tx: Uint8Array) => {
    const sent = await ask<{ code: number; log: string }>("broadcast_tx_sync", {
      tx: Buffer.from(tx).toString("base64"),
    });
    expect(`${sent.code} ${sent.log}`).toBe("0 ");
  };
  await ask("dev_mine", { blocks: 2 });
  await send(payer.transfer());
  await ask("dev_mine");
  for (const amount of ["1", "9".repeat(30), "2", "8".repeat(30), "3"]) {
    await send(payer.transfer({ amount }));
  }
  await ask("dev_mine");
  await send(payer.transfer({ count: 700 }));
  await send(payer.transfer({ memo: "naïve ✓" }));
  await ask("dev_mine", { blocks: 3 });
}

async function readHeight(height: number): Promise<Height> {
  const at = { height: String(height) };
  const { block_id: id, block } = await ask<BlockAnswer>("block", at);
  const signed = await ask<CommitAnswer>("commit", at);
  const results = await ask<ResultsAnswer>("block_results", at);
  const { validators } = await ask<Pick<Height, "validators">>("validators", at);
  const { consensus_params: params } = await ask<{ consensus_params: Height["params"] }>(
    "consensus_params",
    at,
  );
  return { height, id, block, signed, results, validators, params };
}

beforeAll(async () => {
  await makeBlocks();
  const { sync_info } = await ask<{ sync_info: { latest_block_height: string } }>("status");
  chain = [];
  for (let height = 1; height <= Number(sync_info.latest_block_height); height += 1) {
    chain.push(await readHeight(height));
  }
});

test("the light client has the figures of CometBFT's own tests", () => {
  const sum = (text: string) => light.hexOf(light.sha256(new TextEncoder().encode(text)));
  const parts = { total: 6, hash: "00".repeat(32) };
  // types/block_test.go, TestHeaderHash.
  const header = {
    version: { block: "1", app: "2" },
    ...{ chain_id: "chainId", height: "3", time: "2019-10-13T16:14:44Z" },
    last_block_id: { hash: "00".repeat(32), parts },
    ...{ last_commit_hash: sum("last_commit_hash"), data_hash: sum("data_hash") },
    validators_hash: sum("validators_hash"),
    next_validators_hash: sum("next_validators_hash"),
    ...{ consensus_hash: sum("consensus_hash"), app_hash: sum("app_hash") },
    last_results_hash: sum("last_results_hash"),
    evidence_hash: sum("evidence_hash"),
    proposer_address: sum("proposer_address").slice(0, 40),
  };
  expect(light.hexOf(light.headerHash(header))).toBe(
    "F740121F553B5418C3EFBD343C2DBFE9E007BB67B0D020A0741374BAB65242A4",
  );
});

test("the chain has what the checks below are about", () => {
  expect(chain.length).toBeGreaterThanOrEqual(7);
  const counts = chain.map(({ block }) => block.data.txs.length);
  expect(counts.filter((count) => count > 0)).toEqual([1, 5, 2]);
  const codes = chain.map(({ results }) => results.txs_results?.map(({ code }) => code) ?? []);
  expect(codes.flat()).toEqual([0, 0, 5, 0, 5, 0, 0, 0]);
  expect(chain.map(({ id }) => id.parts.total).some((total) => total > 1)).toBe(true);
});

describe("of every height", () => {
  test("the block id is the root over the header's 14 fields, and the root over its parts", () => {
    for (const { id, block, height } of chain) {
      expect(light.hexOf(light.headerHash(block.header)), `header ${height}`).toBe(id.hash);
      expect(light.partSet(light.encodeBlock(block)), `parts ${height}`).toEqual(id.parts);
    }
  });

  test("the header names the txs, the last commit, no evidence, validators and params", () => {
    for (const { block, validators, params } of chain) {
      const { header } = block;
      expect(header.data_hash).toBe(light.hexOf(light.dataHash(block.data.txs)));
      expect(header.last_commit_hash).toBe(light.hexOf(light.commitHash(block.last_commit)));
      expect(header.evidence_hash).toBe(light.hexOf(light.merkleRoot([])));
      expect(header.validators_hash).toBe(light.hexOf(light.validatorsHash(validators)));
      expect(header.consensus_hash).toBe(light.hexOf(light.consensusHash(params)));
      const [first] = validators;
      expect(header.proposer_address).toBe(first?.address);
      const key = light.fromBase64(first?.pub_key.value ?? "");
      expect(first?.address).toBe(light.hexOf(light.sha256(key).slice(0, 20)));
    }
  });

  test("two thirds of the validators signed it, and nothing else", () => {
    const [first] = chain;
    const chainId = first?.block.header.chain_id ?? "";
    for (const { id, signed, block, validators, height } of chain) {
      const { header, commit } = signed.signed_header;
      expect(header).toEqual(block.header);
      expect(commit.height).toBe(String(height));
      expect(commit.block_id).toEqual(id);
      expect(light.isSignedBy(validators, chainId, commit), `height ${height}`).toBe(true);
      expect(light.isSignedBy(validators, `${chainId}x`, commit)).toBe(false);
      const others = [
        { ...commit, height: String(height + 1) },
        { ...commit, round: 1 },
        { ...commit, block_id: { ...id, hash: id.parts.hash } },
        { ...commit, block_id: { ...id, parts: { ...id.parts, total: id.parts.total + 1 } } },
      ];
      for (const other of others) expect(light.isSignedBy(validators, chainId, other)).toBe(false);
      expect(signed.canonical).toBe(height < chain.length);
    }
  });

  test("the next height carries its id, commit, results, app hash and validators", () => {
    for (const [at, { id, signed, results, validators, block }] of chain.entries()) {
      const next = chain[at + 1]?.block;
      if (next === undefined) continue;
      expect(next.header.height).toBe(String(BigInt(block.header.height) + 1n));
      expect(Date.parse(next.header.time)).toBeGreaterThanOrEqual(Date.parse(block.header.time));
      expect(next.header.last_block_id).toEqual(id);
      expect(next.last_commit).toEqual(signed.signed_header.commit);
      expect(next.header.last_results_hash).toBe(
        light.hexOf(light.resultsHash(results.txs_results ?? [])),
      );
      expect(next.header.app_hash).toBe(light.hexOf(light.fromBase64(results.app_hash)));
      expect(block.header.next_validators_hash).toBe(next.header.validators_hash);
      expect(next.header.validators_hash).toBe(light.hexOf(light.validatorsHash(validators)));
    }
  });

  test("every tx is proved by the data hash of its block, and no other tx is", async () => {
    for (const { block } of chain) {
      for (const [index, tx] of block.data.txs.entries()) {
        const hash = light.sha256(light.fromBase64(tx));
        const found = await ask<{ tx: string; height: string; index: number }>("tx", {
          ...{ hash: Buffer.from(hash).toString("base64"), prove: true },
        });
        expect(found).toMatchObject({ tx, height: block.header.height, index });
        const { proof } = found as unknown as { proof: light.JsonProof };
        expect(proof.root_hash).toBe(block.header.data_hash);
        expect(light.hexOf(light.rootOfProof(proof))).toBe(block.header.data_hash);
        const other = { ...proof, data: Buffer.from("other").toString("base64") };
        expect(light.hexOf(light.rootOfProof(other))).not.toBe(block.header.data_hash);
      }
    }
  });
});

test("the latest app hash of status and abci_info is that of the last results", async () => {
  const last = chain.at(-1);
  const { sync_info } = await ask<{ sync_info: Record<string, string> }>("status");
  const appHash = light.hexOf(light.fromBase64(last?.results.app_hash ?? ""));
  expect(sync_info).toMatchObject({
    latest_block_height: String(last?.height),
    latest_block_hash: last?.id.hash,
    latest_app_hash: appHash,
    earliest_block_hash: chain[0]?.id.hash,
    earliest_app_hash: light.hexOf(light.fromBase64(chain[0]?.results.app_hash ?? "")),
  });
  const { response } = await ask<{ response: Record<string, string> }>("abci_info");
  expect(response["last_block_app_hash"]).toBe(last?.results.app_hash);
});

test("header, header_by_hash, block_by_hash, blockchain and the first block agree", async () => {
  const [first] = chain;
  expect(first?.block.header.last_block_id).toEqual({ hash: "", parts: { total: 0, hash: "" } });
  expect(first?.block.last_commit.signatures).toEqual([]);
  type Metas = { block_metas: { block_id: object; header: object; block_size: string }[] };
  const { block_metas: metas } = await ask<Metas>("blockchain");
  expect(metas).toHaveLength(chain.length);
  for (const [at, { height, id, block }] of chain.toReversed().entries()) {
    const hash = Buffer.from(light.fromHex(id.hash)).toString("base64");
    expect(await ask("header", { height: String(height) })).toEqual({ header: block.header });
    expect(await ask("header_by_hash", { hash })).toEqual({ header: block.header });
    expect(await ask("block_by_hash", { hash })).toEqual({ block_id: id, block });
    expect(metas[at]).toMatchObject({ block_id: id, header: block.header });
    expect(metas[at]?.block_size).toBe(String(light.encodeBlock(block).length));
  }
});

test("the generated types of another project encode the same block", () => {
  const { Block } = require("cosmjs-types/tendermint/types/block") as {
    Block: { decode(bytes: Uint8Array): object; encode(block: object): { finish(): Uint8Array } };
  };
  for (const { block } of chain) {
    const bytes = light.encodeBlock(block);
    expect(Buffer.from(Block.encode(Block.decode(bytes)).finish()).equals(bytes)).toBe(true);
  }
});
