import { mkdir } from "node:fs/promises";
import { openApp, type SettledApp } from "../../src/app/app.ts";
import {
  QueryAccountInfoRequest,
  QueryAccountInfoResponse,
} from "../../src/gen/cosmos/auth/v1beta1/query.ts";
import { TxMsgData } from "../../src/gen/cosmos/base/abci/v1beta1/abci.ts";
import { MsgCreateEscrowResponse } from "../../src/gen/virtengine/settlement/v1/tx.ts";
import { checkpointFile } from "../../src/node/checkpoint_file.ts";
import { nodeCrypto } from "../../src/node/crypto_native.ts";
import {
  NO_POOL,
  openVerifyPool,
  type VerifyPool,
  verifyAhead,
} from "../../src/node/verify_pool.ts";
import { checkpointPath, databasePath } from "../../src/node/home.ts";
import { silentLog } from "../../src/node/log.ts";
import type { Db } from "../../src/store/db.ts";
import { openMachineDb } from "../../src/node/machine_db.ts";
import { openLevelDb, openMemoryDb } from "../../src/store/leveldb.ts";
import type { BlockOutput, GenesisDoc, PreparedTx } from "../../src/types/application.ts";
import type { Crypto } from "../../src/types/crypto.ts";
import type { Dec } from "../../src/types/dec.ts";
import { NS_PER_SECOND, type TimeNs } from "../../src/types/time.ts";
import type { TxResult } from "../../src/types/tx.ts";
import type { BenchAccount } from "./accounts.ts";
import { activateEscrow, createEscrow } from "./messages.ts";
import type { BenchOrder } from "./orders.ts";
import { signedTx } from "./signing.ts";

export const PROPOSER = new Uint8Array(20);
/** Blocks, as a node keeps them by default. */
const KEEP_HISTORY = 100_000;
const SETUP_MESSAGES = 50;

export interface BenchBlock {
  readonly height: bigint;
  readonly time: TimeNs;
  readonly txs: readonly Uint8Array[];
}

export interface ChainInput {
  readonly genesis: GenesisDoc;
  /** Of the database and the checkpoint; undefined: in memory. */
  readonly home?: string | undefined;
  /** Takes every signature for good, as a replay of one's own log may. */
  readonly trustSignatures?: boolean;
  /** Opens what `settled replay` does: a database of what the machine reads, no history. */
  readonly isReplay?: boolean;
}

/**
 * An application in this process over its own database, without mempool, blocks and indexes.
 * Signatures are verified ahead by a pool of threads, as a node does it.
 */
export class BenchChain {
  readonly app: SettledApp;
  readonly #db: Db;
  readonly pool: VerifyPool;
  #height: bigint;
  #time: TimeNs;

  constructor(app: SettledApp, db: Db, pool: VerifyPool) {
    this.app = app;
    this.#db = db;
    this.pool = pool;
    const { height, time } = app.info();
    this.#height = height;
    this.#time = time;
  }

  /** The next block of these txs, a second after the last one. Not executed yet. */
  next(txs: readonly Uint8Array[]): BenchBlock {
    this.#height += 1n;
    this.#time = (this.#time + NS_PER_SECOND) as TimeNs;
    return { height: this.#height, time: this.#time, txs };
  }

  /** Makes blocks that this chain will not execute itself. */
  aside<T>(make: () => T): T {
    const [height, time] = [this.#height, this.#time];
    const made = make();
    [this.#height, this.#time] = [height, time];
    return made;
  }

  /**
   * Executes blocks, each while the one before is being written and signatures of the one after
   * are being verified. Resolves when all are on disk, with the output of the last: those before
   * are let go of, as a node does.
   * @throws when a tx fails
   */
  async run(blocks: readonly BenchBlock[]): Promise<BlockOutput | undefined> {
    let output: BlockOutput | undefined;
    let written = Promise.resolve();
    let ahead = this.prepare(blocks[0]?.txs ?? []);
    for (const [at, { height, time }] of blocks.entries()) {
      const txs = await ahead;
      ahead = this.prepare(blocks[at + 1]?.txs ?? []);
      output = this.app.finalizeBlock({ height, time, txs, proposer: PROPOSER });
      output.txResults.forEach(requireOk);
      await written;
      written = this.app.commit([]);
    }
    await written;
    return output;
  }

  /** Decodes txs and verifies their signatures. */
  async prepare(txs: readonly Uint8Array[]): Promise<readonly PreparedTx[]> {
    const prepared = txs.map((tx) => this.app.prepareTx(tx));
    await verifyAhead(this.app, this.pool, prepared);
    return prepared;
  }

  /** One block of these txs. */
  async deliver(txs: readonly Uint8Array[]): Promise<BlockOutput> {
    return (await this.run([this.next(txs)])) as BlockOutput;
  }

  /** Reads number and sequence of accounts, which the chain may have moved on. */
  async learn(accounts: readonly BenchAccount[]): Promise<void> {
    for (const account of accounts) {
      const { address } = account.signer;
      const { info } = await this.ask("/cosmos.auth.v1beta1.Query/AccountInfo", {
        request: QueryAccountInfoRequest.encode({ address }).finish(),
        decode: (bytes) => QueryAccountInfoResponse.decode(bytes),
      });
      account.number = info?.accountNumber ?? 0n;
      account.sequence = info?.sequence ?? 0n;
    }
  }

  /** The decoded answer of a query. @throws when it fails */
  async ask<T>(
    path: string,
    query: { request: Uint8Array; decode: (bytes: Uint8Array) => T },
  ): Promise<T> {
    const input = { path, data: query.request, height: 0n, prove: false };
    const answer = await this.app.query(input);
    if (answer.code !== 0) throw new Error(`${path}: ${answer.log}`);
    return query.decode(answer.value);
  }

  /** Escrows for orders, active, so that usage can be recorded. */
  async openOrders(orders: readonly BenchOrder[], run?: RunBlock): Promise<void> {
    await openOrders(orders, run ?? ((txs) => this.deliver(txs)));
  }

  /** Takes the state back to a height, whose block is followed by the next one. */
  async revertTo(height: bigint): Promise<void> {
    await this.app.revertTo(height);
    ({ height: this.#height, time: this.#time } = this.app.info());
  }

  async close(): Promise<void> {
    await this.pool.close();
    await this.app.close();
    await this.#db.close();
  }
}

/** Opens a chain and, over an empty database, commits its genesis. */
export async function openChain(input: ChainInput): Promise<BenchChain> {
  const { genesis, home, trustSignatures = false, isReplay = false } = input;
  const inMemory = isReplay ? openMachineDb : openMemoryDb;
  const db = home === undefined ? await inMemory() : await openDatabase(databasePath(home));
  const native = nodeCrypto();
  const crypto = trustSignatures ? trusting(native) : native;
  const pool = trustSignatures ? NO_POOL : openVerifyPool("auto", native.verifier);
  const checkpoint =
    home === undefined ? undefined : checkpointFile(checkpointPath(home), silentLog);
  const app = await openApp({
    ...{ db, crypto, genesis, minimumGasPrice: 0n as Dec },
    ...{ load: { checkpoint }, keepHistory: isReplay ? 0 : KEEP_HISTORY },
    trustSignatures: trustSignatures && isReplay,
  });
  if (app.info().appHash.length === 0) {
    app.initChain(genesis);
    await app.commit([]);
  }
  return new BenchChain(app, db, pool);
}

async function openDatabase(folder: string): Promise<Db> {
  await mkdir(folder, { recursive: true });
  return openLevelDb(folder);
}

function trusting({ hasher }: Crypto): Crypto {
  return { hasher, verifier: { name: "trusting", verifySecp256k1: () => true } };
}

/** Executes a block of these txs. */
export type RunBlock = (
  txs: readonly Uint8Array[],
) => Promise<{ readonly txResults: readonly TxResult[] }>;

/** Creates and activates the escrows of orders. Neighbouring orders of one customer share txs. */
export async function openOrders(orders: readonly BenchOrder[], run: RunBlock): Promise<void> {
  for (const group of byCustomer(orders)) {
    const customer = (group[0] as BenchOrder).customer;
    const created = await run([signedTx(customer, group.map(createEscrow))]);
    const ids = escrowIds(created.txResults[0] as TxResult);
    const messages = group.map((order, index) => activateEscrow(order, ids[index] ?? ""));
    const activated = await run([signedTx(customer, messages)]);
    activated.txResults.forEach(requireOk);
  }
}

function byCustomer(orders: readonly BenchOrder[]): BenchOrder[][] {
  const groups = new Map<BenchAccount, BenchOrder[][]>();
  for (const order of orders) {
    const list = groups.get(order.customer) ?? [[]];
    groups.set(order.customer, list);
    const last = list.at(-1) as BenchOrder[];
    if (last.length < SETUP_MESSAGES) last.push(order);
    else list.push([order]);
  }
  return [...groups.values()].flat();
}

function escrowIds(result: TxResult): string[] {
  requireOk(result);
  const { msgResponses } = TxMsgData.decode(result.data);
  return msgResponses.map(({ value }) => MsgCreateEscrowResponse.decode(value).escrowId);
}

/** A bench that measures refused txs measures nothing. */
export function requireOk(result: TxResult): void {
  if (result.code !== 0)
    throw new Error(`a tx failed: ${result.codespace}/${result.code} ${result.log}`);
}
