import { openApp, type SettledApp } from "../../src/app/app.ts";
import { fromBase64, toHex } from "../../src/lib/bytes.ts";
import { must } from "../../src/lib/assert.ts";
import { BlockStore, blockOps, earliestKept, genesisOps } from "../../src/node/block_store.ts";
import { consensusHash } from "../../src/node/comet/consensus_hash.ts";
import { resultsHash } from "../../src/node/comet/results_hash.ts";
import { validatorsHash } from "../../src/node/comet/validators_hash.ts";
import { nodeCrypto } from "../../src/node/crypto_native.ts";
import { buildBlock } from "../../src/node/engine/build_block.ts";
import { parseGenesis } from "../../src/node/genesis_file.ts";
import { signingKeyOfSeed, validatorAddress } from "../../src/node/validator_key.ts";
import type { StoredBlock } from "../../src/node/view.ts";
import type { Db } from "../../src/store/db.ts";
import type { BatchOp } from "../../src/types/application.ts";
import type { Dec } from "../../src/types/dec.ts";
import type { TimeNs } from "../../src/types/time.ts";

/** A chain as it was run once: JSON, so that another process can run it again. */
export interface RecordedRun {
  /** A genesis file. */
  readonly genesis: unknown;
  /** Of genesis, then of every block. */
  readonly appHashes: readonly string[];
  /** Block 1 first. */
  readonly blocks: readonly { readonly time: string; readonly txs: readonly string[] }[];
}

export interface Keep {
  readonly keepHistory: number | "all";
  readonly keepBlocks: number | "all";
}

export const KEEP_ALL: Keep = { keepHistory: "all", keepBlocks: "all" };

const KEY = signingKeyOfSeed(new Uint8Array(32).fill(7));

/**
 * Runs the recorded blocks over a database, with block, results and index as the node writes them.
 * Nothing in it depends on the moment, so equal heights give equal databases, byte for byte.
 */
export class ReplayHost {
  readonly db: Db;
  readonly app: SettledApp;
  readonly store: BlockStore;
  readonly #run: RecordedRun;
  readonly #keep: Keep;
  #last: StoredBlock | undefined;
  #lastResultsHash: Uint8Array;

  private constructor(
    parts: { db: Db; app: SettledApp; store: BlockStore },
    run: RecordedRun,
    keep: Keep,
    last: { block: StoredBlock | undefined; resultsHash: Uint8Array },
  ) {
    this.db = parts.db;
    this.app = parts.app;
    this.store = parts.store;
    this.#run = run;
    this.#keep = keep;
    this.#last = last.block;
    this.#lastResultsHash = last.resultsHash;
  }

  /** Opens the chain of a database, and commits genesis when there is none. */
  static async open(db: Db, run: RecordedRun, keep: Keep): Promise<ReplayHost> {
    const crypto = nodeCrypto();
    const { doc } = parseGenesis(run.genesis);
    const price = { minimumGasPrice: 0n as Dec, keepHistory: keep.keepHistory };
    const app = await openApp({ db, crypto, genesis: doc, ...price });
    if (app.info().appHash.length === 0) {
      app.initChain(doc);
      await app.commit(genesisOps(new Uint8Array(32)));
    }
    const store = new BlockStore(db, crypto.hasher);
    await store.load();
    const latest = store.tip?.latest ?? 0n;
    if (latest !== app.info().height) {
      throw new Error(`the last block is ${latest}, the state is of ${app.info().height}`);
    }
    const [block, results] = [await store.block(latest), await store.results(latest)];
    const last = { block, resultsHash: resultsHash(results?.txResults ?? []) };
    return new ReplayHost({ db, app, store }, run, keep, last);
  }

  get height(): number {
    return Number(this.app.info().height);
  }

  get appHash(): string {
    return toHex(this.app.info().appHash);
  }

  /** Throws unless the state is that of the recorded run at this height. */
  assertRecorded(): void {
    const expected = this.#run.appHashes[this.height];
    if (this.appHash === expected) return;
    throw new Error(`height ${this.height}: app hash ${this.appHash}, recorded ${expected}`);
  }

  /** Executes and commits the next recorded block, with more writes. False after the last. */
  async next(more: readonly BatchOp[] = []): Promise<boolean> {
    const recorded = this.#run.blocks[this.height];
    if (recorded === undefined) return false;
    const { hasher } = nodeCrypto();
    const before = this.app.info();
    const [height, time] = [before.height + 1n, BigInt(recorded.time) as TimeNs];
    const txs = recorded.txs.map((text) => {
      const tx = must(fromBase64(text), "a recorded tx is base64");
      return { tx, hash: hasher.sha256(tx) };
    });
    const proposer = validatorAddress(KEY.publicKey);
    const input = { height, time, txs: txs.map(({ tx }) => tx), proposer };
    const { txResults, events, appHash } = this.app.finalizeBlock(input);
    const block = buildBlock({
      chain: chainIdentity(before.chainId),
      ...{ height, time, txs, last: this.#last, appHash: before.appHash },
      lastResultsHash: this.#lastResultsHash,
    });
    const earliest = earliestKept(this.store.tip?.earliest ?? 1n, height, this.#keep.keepBlocks);
    const bundle = {
      block,
      results: { height, txResults, events, appHash },
      txs: txs.map(({ tx, hash }, index) => {
        const result = must(txResults[index], "one result per tx");
        return { hash, height, index, tx, result };
      }),
    };
    await this.app.commit([...blockOps(bundle, earliest), ...more]);
    this.store.moveTip({ latest: height, earliest });
    this.#last = block;
    this.#lastResultsHash = resultsHash(txResults);
    this.assertRecorded();
    return true;
  }
}

function chainIdentity(chainId: string) {
  const { publicKey } = KEY;
  const validator = { address: validatorAddress(publicKey), publicKey, power: 10n };
  return {
    chainId,
    key: KEY,
    validatorsHash: validatorsHash([validator]),
    consensusHash: consensusHash({ maxBytes: 8_388_608n, maxGas: -1n }),
  };
}
