import { openApp } from "../app/app.ts";
import { must } from "../lib/assert.ts";
import { type BlockBundle, BlockStore, blockOps } from "../node/block_store.ts";
import { nodeCrypto } from "../node/crypto_native.ts";
import type { GenesisFile } from "../node/genesis_file.ts";
import { openMachineDb } from "../node/machine_db.ts";
import { makeHome } from "../node/new_home.ts";
import type { RecordedBlock } from "../node/recorded_blocks.ts";
import { restoreTip } from "../node/restore.ts";
import { openVerifyPool } from "../node/verify_pool.ts";
import type { BlockOutput, PreparedTx } from "../types/application.ts";
import type { Dec } from "../types/dec.ts";
import {
  type ReplayBlock,
  type ReplayProgress,
  type ReplayReport,
  replayBlocks,
} from "./replay.ts";

const MIB = 1024 * 1024;
const CACHE_BYTES = 128 * MIB;

export interface ReplayChainInput {
  readonly genesis: GenesisFile;
  /** From the first block of the chain on. */
  readonly blocks: AsyncIterable<RecordedBlock>;
  /** A folder for a new home of the replayed chain; undefined keeps it in memory. */
  readonly into?: string | undefined;
  /** Heights below the latest that the new home can be queried at; not used in memory. */
  readonly keepHistory?: number | "all";
  /** Takes the signatures of txs for good. */
  readonly trustSignatures?: boolean;
  /** Threads that verify ahead; "auto": one per core. */
  readonly verifyThreads?: number | "auto";
  readonly onProgress?: (progress: ReplayProgress) => void;
}

/**
 * Executes a recorded chain again from its genesis in a fresh application, and compares every
 * block with what was recorded of it. A new home ends at the last block that came out so.
 * @throws NodeStartError for a folder that cannot be used; ReplayError, StoredDataError for a
 * record that cannot be read
 */
export async function replayChain(input: ReplayChainInput): Promise<ReplayReport> {
  const { genesis, into, keepHistory = "all", trustSignatures = false } = input;
  const crypto = nodeCrypto();
  const home =
    into === undefined
      ? { db: openMachineDb(), close: async () => undefined }
      : await makeHome(into, genesis, CACHE_BYTES);
  const pool = openVerifyPool(input.verifyThreads ?? "auto", crypto.verifier);
  try {
    const app = await openApp({
      ...{ db: home.db, crypto, genesis: genesis.doc, trustSignatures },
      // For the mempool, which a replay has none of.
      minimumGasPrice: 0n as Dec,
      ...{ cacheBytes: CACHE_BYTES, keepHistory: into === undefined ? 0 : keepHistory },
    });
    await restoreTip(app, new BlockStore(home.db, crypto.hasher), genesis, crypto.hasher);
    const { initialHeight } = genesis.doc;
    const { onProgress } = input;
    return await replayBlocks({
      ...{ blocks: replayable(input.blocks), app, pool, trustSignatures },
      ...(onProgress === undefined ? {} : { onProgress }),
      commitOps: ({ recorded }, txs, output) =>
        into === undefined ? [] : blockOps(bundleOf(recorded, txs, output), initialHeight),
    });
  } finally {
    await pool.close();
    await home.close();
  }
}

interface ReplayableBlock extends ReplayBlock {
  readonly recorded: RecordedBlock;
}

async function* replayable(blocks: AsyncIterable<RecordedBlock>): AsyncGenerator<ReplayableBlock> {
  for await (const recorded of blocks) {
    const { record, txs, outcome } = recorded;
    const { height, time, proposer } = record.header;
    const { appHash, events } = outcome;
    const expected = { appHash, events, outcomes: txs.map((tx) => tx.outcome) };
    yield { height, time, proposer, txs: txs.map(({ bytes }) => bytes), expected, recorded };
  }
}

/** What a node writes of a block: as recorded, with the results that the replay came to. */
function bundleOf(
  { record, txs: recordedTxs }: RecordedBlock,
  txs: readonly PreparedTx[],
  { txResults, events, appHash }: BlockOutput,
): BlockBundle {
  const { txCount: _, ...block } = record;
  const { height } = record.header;
  return {
    block: { ...block, txs: recordedTxs.map(({ bytes }) => bytes) },
    results: { height, txResults, events, appHash },
    txs: txs.map(({ hash, bytes: tx }, index) => {
      const result = must(txResults[index], "a block has one result per tx");
      return { hash, height, index, tx, result };
    }),
  };
}
