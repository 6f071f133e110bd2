import { must } from "../lib/assert.ts";
import { equalBytes, toBase64 } from "../lib/bytes.ts";
import { minBigint } from "../lib/int.ts";
import type { Db } from "../store/db.ts";
import type { Application, CheckpointFile, GenesisDoc } from "../types/application.ts";
import type { Crypto } from "../types/crypto.ts";
import type { TimeNs } from "../types/time.ts";
import { BlockStore } from "./block_store.ts";
import { checkpointFile } from "./checkpoint_file.ts";
import { BlockClock } from "./clock.ts";
import { consensusHash } from "./comet/consensus_hash.ts";
import { validatorsHash } from "./comet/validators_hash.ts";
import type { NodeConfig } from "./config.ts";
import { nodeCrypto } from "./crypto_native.ts";
import { BlockExecutor } from "./engine/block_executor.ts";
import { SoloEngine } from "./engine/solo.ts";
import { NodeStartError } from "./errors.ts";
import { EventBus } from "./event_bus.ts";
import type { GenesisFile } from "./genesis_file.ts";
import { memoryHome, type OpenHome, openHome } from "./home.ts";
import { type NodeLog, silentLog } from "./log.ts";
import { Mempool } from "./mempool.ts";
import type { NodeMetrics } from "./metrics.ts";
import { nodeView } from "./node_view.ts";
import { PruneLoop } from "./prune_loop.ts";
import { restoreTip } from "./restore.ts";
import { validatorAddress } from "./validator_key.ts";
import { openVerifyPool, type VerifyPool } from "./verify_pool.ts";
import type { NodeView, ValidatorInfo } from "./view.ts";

/** What an application is opened over. */
export interface AppOpening {
  readonly db: Db;
  readonly crypto: Crypto;
  readonly config: NodeConfig;
  /** Of a chain that is new or goes on. */
  readonly genesis: GenesisDoc;
  /** Where the commitment is kept between two runs; undefined rebuilds it at every start. */
  readonly checkpoint?: CheckpointFile | undefined;
  /** Called now and then while it is rebuilt. */
  readonly onRebuild?: (progress: { readonly keys: number; readonly why: string }) => void;
}

export type OpenApp = (opening: AppOpening) => Promise<Application>;

export interface NodeOptions {
  /** Folder of the node; undefined keeps everything in memory, and nothing survives the end. */
  readonly home: string | undefined;
  readonly config: NodeConfig;
  /** In place of the home's genesis file; required without a home. */
  readonly genesis?: GenesisFile;
  readonly openApp: OpenApp;
  /** Settled's own version, for clients. */
  readonly appVersion: string;
  readonly log?: NodeLog;
  /** Told of every block and every tx that comes. */
  readonly metrics?: NodeMetrics | undefined;
  /** Native where it loads, by default. */
  readonly crypto?: Crypto;
  /** The system's clock, by default. */
  readonly wallClock?: () => TimeNs;
}

export interface RunningNode {
  readonly view: NodeView;
  /** Finishes the block under way and closes the database. */
  stop(): Promise<void>;
  /** Resolves with the reason if the node halts by itself. Nothing is made after that. */
  readonly halted: Promise<Error>;
}

/** Power of a node that is a chain's only validator by default, as CometBFT gives it. */
const VALIDATOR_POWER = 10n;

/**
 * Opens a home and starts making blocks; there is at least one when the promise resolves.
 * @throws NodeStartError for a home, file or setting that cannot be used
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { home: path, config } = options;
  assertReachable(config);
  const home =
    path === undefined
      ? await memoryHome(options.genesis)
      : await openHome(path, config, options.genesis);
  try {
    return await startOn(home, options);
  } catch (error) {
    await home.close();
    throw error;
  }
}

// A chain that nobody could ever move is a mistake in the settings.
function assertReachable({ blockMode, time, dev }: NodeConfig): void {
  if (dev || (blockMode !== "manual" && time === "wall")) return;
  const setting = blockMode === "manual" ? "block_mode manual" : "time virtual";
  throw new NodeStartError(`${setting} makes blocks by hand only: set dev to true`);
}

async function startOn(home: OpenHome, options: NodeOptions): Promise<RunningNode> {
  const { config, wallClock, metrics } = options;
  const log = options.log ?? silentLog;
  const crypto = options.crypto ?? nodeCrypto();
  const { hasher } = crypto;
  const { db, genesis } = home;
  const { checkpoint } = home;
  const app = await options.openApp({
    ...{ db, crypto, config, genesis: genesis.doc },
    checkpoint: checkpoint === undefined ? undefined : checkpointFile(checkpoint, log),
    onRebuild: ({ keys, why }) => {
      log.info("rebuilding the commitment from the state", { keys, why });
    },
  });
  const maxGas = gasLimit(genesis.block.maxGas, app.info().blockGasMax);
  const validator = validatorOf(home);
  const store = new BlockStore(db, hasher);
  const tip = await restoreTip(app, store, genesis, hasher);

  let engine: SoloEngine | undefined;
  let halt: (error: Error) => void = () => undefined;
  const halted = new Promise<Error>((resolve) => {
    halt = resolve;
  });
  const clock = new BlockClock({ log, ...(wallClock === undefined ? {} : { wall: wallClock }) });
  if (config.time === "virtual") clock.setVirtual(tip.time);
  const txBytesMax = txBytes(config, genesis);
  const pool = openVerifyPool(config.verifyThreads, crypto.verifier);
  const mempool = new Mempool({
    limits: {
      txsMax: config.mempoolTxsMax,
      bytesMax: config.mempoolBytesMax,
      txBytesMax,
      blockGasMax: maxGas,
    },
    app,
    pool,
    metrics,
    onAdded: () => engine?.txAdded(),
  });
  const bus = new EventBus(log);
  const chain = {
    chainId: genesis.doc.chainId,
    key: home.validatorKey,
    validatorsHash: validatorsHash([validator]),
    consensusHash: consensusHash(genesis.block),
  };
  const limits = { maxBytes: blockBytes(config, genesis), maxGas };
  const executor = new BlockExecutor({
    ...{ app, store, mempool, bus, chain, limits, tip },
    keepBlocks: config.keepBlocks,
  });
  const schedule = config;
  engine = new SoloEngine({ executor, mempool, clock, schedule, log, metrics, onHalt: halt });
  // Clients take a status without a block for a broken node.
  if (tip.block === undefined) await engine.makeBlock();
  const parts = { app, store, mempool, bus, clock, engine, executor, home, config, validator };
  const view = await nodeView({ ...parts, appVersion: options.appVersion, txBytesMax });
  log.info("started", {
    chain: chain.chainId,
    height: must(executor.tip.block, "there is a block").header.height,
    crypto: cryptoName(crypto),
    verifyThreads: pool.threads,
  });
  engine.start();
  const pruning = new PruneLoop({ db, hasher, store, log });
  pruning.start();
  return { view, halted, stop: stopper({ engine, bus, mempool, pool, app, pruning, home }) };
}

function cryptoName({ hasher, verifier }: Crypto): string {
  if (hasher.name === verifier.name) return hasher.name;
  return `${hasher.name} hashing, ${verifier.name} signatures`;
}

/** The tighter of the two gas limits that genesis may name; -1n in consensus_params is none. */
function gasLimit(consensus: bigint, application: bigint): bigint {
  return consensus < 0n ? application : minBigint(consensus, application);
}

/** Stops once, however often it is asked to. */
function stopper(parts: {
  engine: SoloEngine;
  bus: EventBus;
  mempool: Mempool;
  pool: VerifyPool;
  app: Application;
  pruning: PruneLoop;
  home: OpenHome;
}): () => Promise<void> {
  const { engine, bus, mempool, pool, app, pruning, home } = parts;
  let stopped: Promise<void> | undefined;
  return async () => {
    mempool.close(new Error("the node is stopping"));
    stopped ??= engine
      .stop()
      .then(() => bus.flush())
      .then(async () => pool.close())
      .then(async () => pruning.stop())
      .then(async () => app.close())
      // Whatever went wrong, the next process can have the home.
      .finally(async () => home.close());
    return stopped;
  };
}

/** @throws NodeStartError when the genesis names another validator than this home's key. */
function validatorOf({ genesis, validatorKey: { publicKey } }: OpenHome): ValidatorInfo {
  const named = genesis.validators[0];
  if (named !== undefined && !equalBytes(named.publicKey, publicKey)) {
    const [expected, found] = [toBase64(named.publicKey), toBase64(publicKey)];
    throw new NodeStartError(
      `the genesis names the validator ${expected}, but the key of this home is ${found}: put its ` +
        "priv_validator_key.json in place, or leave validators out of the genesis",
      { expected, found },
    );
  }
  const power = named?.power ?? VALIDATOR_POWER;
  return { address: validatorAddress(publicKey), publicKey, power };
}

/** The smaller of what the node and the chain allow. */
function blockBytes(config: NodeConfig, { block: { maxBytes } }: GenesisFile): number {
  const own = BigInt(config.blockMaxBytes);
  return Number(maxBytes < 0n ? own : minBigint(own, maxBytes));
}

/** Of a block: what its header and commit may take, and what the length of a tx takes in it. */
const BLOCK_OVERHEAD_BYTES = 1024 + 64;

/** A tx that fits in no block would wait for ever. */
function txBytes(config: NodeConfig, genesis: GenesisFile): number {
  return Math.min(config.txBytesMax, blockBytes(config, genesis) - BLOCK_OVERHEAD_BYTES);
}
