import type { AnteStep } from "../baseapp/ante.ts";
import type { ChainInfo, Context, ExecMode } from "../baseapp/context.ts";
import { GasMeter } from "../baseapp/gas.ts";
import { MsgRouter } from "../baseapp/msg_router.ts";
import { QueryRouter } from "../baseapp/query_router.ts";
import { PreparedTx } from "../baseapp/prepare_tx.ts";
import { preparedFor, runTx, type TxEnvironment } from "../baseapp/run_tx.ts";
import { TxMsgData } from "../gen/cosmos/base/abci/v1beta1/abci.ts";
import { SimulateRequest, SimulateResponse } from "../gen/cosmos/tx/v1beta1/service.ts";
import { SimulateEffectsRequest, SimulateEffectsResponse } from "../gen/settled/tx/v1/service.ts";
import { assert, must } from "../lib/assert.ts";
import { EMPTY_BYTES } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import { maxBigint } from "../lib/int.ts";
import type { Db } from "../store/db.ts";
import { Overlay } from "../store/overlay.ts";
import { branchOf } from "../store/branch_db.ts";
import { CheckpointSaver, closeSaver } from "../store/checkpoint.ts";
import { type LoadOptions, loadStore } from "../store/load.ts";
import { commitStaged, earliestHeight, proverOf, readAt } from "../store/reader.ts";
import { revertTo } from "../store/rollback.ts";
import { Store } from "../store/store.ts";
import type * as api from "../types/application.ts";
import type { Crypto } from "../types/crypto.ts";
import type { Dec } from "../types/dec.ts";
import type { Event } from "../types/event.ts";
import { ErrInvalidRequest } from "../types/sdk_errors.ts";
import { NS_PER_SECOND, type TimeNs } from "../types/time.ts";
import type { TxResult } from "../types/tx.ts";
import { signatureClaims } from "../modules/auth/ante.ts";
import { anteSteps } from "./ante.ts";
import { balanceChanges } from "./balance_changes.ts";
import { type ChainGenesis, chainGenesisJson, parseChainGenesis } from "./chain_genesis.ts";
import { exportModules } from "./export.ts";
import { checkFullInvariants } from "./full_invariants.ts";
import { buildModules, type Modules } from "./modules.ts";
import { queryFailure } from "./query.ts";
import { answerQuery, type QuerySource } from "./query_answer.ts";

export interface AppOptions {
  readonly db: Db;
  readonly crypto: Crypto;
  readonly genesis: api.GenesisDoc;
  /** In 10^-18 of the bond denom's base unit per gas; for the mempool only. */
  readonly minimumGasPrice: Dec;
  /** Memory for state that is read or written often. */
  readonly cacheBytes?: number;
  /** Heights below the latest that queries can reach: a number of blocks, or all (the default). */
  readonly keepHistory?: number | "all";
  /** Looks up every key that is said to be new: slow, for tests. */
  readonly checkCreates?: boolean;
  readonly load?: LoadOptions;
  /**
   * Takes the signatures of txs in blocks for good, for a replay of blocks that were checked before.
   * Signatures inside messages are verified all the same: they decide what a message does.
   */
  readonly trustSignatures?: boolean;
}

/**
 * Opens the app over a database, whose state it loads.
 * @throws ChainError for a genesis that names a bad chain; InvariantError for a damaged state.
 */
export function openApp(options: AppOptions): Promise<SettledApp> {
  const { crypto, genesis } = options;
  const chain = parseChainGenesis(genesis.appState["chain"]);
  const { verifier } = crypto;
  const modules = buildModules(chain.bech32Prefix, verifier);
  const { db, cacheBytes, keepHistory, checkCreates } = options;
  const store = new Store({
    db,
    iterablePrefixes: modules.list.flatMap(({ iterablePrefixes }) => iterablePrefixes),
    depth: chain.commitmentDepth,
    hasher: crypto.hasher,
    ...(cacheBytes === undefined ? {} : { cacheBytes }),
    ...(keepHistory === undefined ? {} : { keepHistory }),
    ...(checkCreates === undefined ? {} : { checkCreates }),
  });
  const { auth, bank, feeCollector } = modules;
  const { minimumGasPrice } = options;
  const { trustSignatures = false } = options;
  const signatures = { verifier, trustSignatures };
  const ante = anteSteps({ auth, bank, ...signatures, feeCollector, minimumGasPrice });
  return loadStore(
    store,
    () => new SettledApp(options, { chain, modules, store, ante }),
    options.load,
  );
}

interface AppParts {
  readonly chain: ChainGenesis;
  readonly modules: Modules;
  readonly store: Store;
  readonly ante: readonly AnteStep[];
}

/** The machine: a pure function of state and block, behind the one border to the host. */
export class SettledApp implements api.Application {
  readonly #options: AppOptions;
  readonly #parts: AppParts;
  readonly #db: Db;
  readonly #genesis: api.GenesisDoc;
  readonly #chainGenesis: ChainGenesis;
  readonly #chain: ChainInfo;
  readonly #modules: Modules;
  readonly #store: Store;
  readonly #env: TxEnvironment;
  readonly #source: QuerySource;
  readonly #checkpoints: CheckpointSaver | undefined;
  #check: Overlay;

  constructor(options: AppOptions, parts: AppParts) {
    this.#options = options;
    this.#parts = parts;
    const { bech32Prefix, bondDenom } = parts.chain;
    this.#db = options.db;
    this.#genesis = options.genesis;
    this.#chainGenesis = parts.chain;
    this.#chain = { chainId: options.genesis.chainId, bech32Prefix, bondDenom };
    this.#modules = parts.modules;
    this.#store = parts.store;
    this.#env = {
      chain: this.#chain,
      router: new MsgRouter(parts.modules.list),
      ante: parts.ante,
      hasher: options.crypto.hasher,
    };
    this.#source = {
      chain: this.#chain,
      queries: new QueryRouter(parts.modules.list),
      prove: proverOf(parts.store),
      latestHeight: () => parts.store.version?.height ?? 0n,
      simulate: (request) => this.#simulateAnswer(request),
      simulateEffects: (request) => this.#effectsAnswer(request),
    };
    this.#check = parts.store.overlay();
    const file = options.load?.checkpoint;
    this.#checkpoints = file === undefined ? undefined : new CheckpointSaver(parts.store, file);
  }

  info(): api.AppInfo {
    const { version } = this.#store;
    return {
      ...this.#chain,
      blockGasMax: this.#chainGenesis.blockGasMax,
      height: version?.height ?? 0n,
      time: version?.time ?? this.#genesis.genesisTime,
      appHash: version?.appHash ?? EMPTY_BYTES,
      earliestHeight: maxBigint(earliestHeight(this.#db), this.#genesis.initialHeight),
    };
  }

  storeStats(): api.StoreStats {
    return this.#store.stats;
  }

  /** Paths of all queries, for the doors that list them. */
  get queryPaths(): readonly string[] {
    return this.#source.queries.paths;
  }

  initChain(genesis: api.GenesisDoc): Uint8Array {
    assert(this.#store.head === undefined, "genesis is written once");
    const overlay = this.#store.overlay();
    const at = { height: 0n, time: genesis.genesisTime };
    const ctx = this.#blockContext(overlay, at, []);
    const known = this.#modules.list.map(({ name }) => name);
    for (const name of Object.keys(genesis.appState)) {
      const expected = name === "chain" || known.includes(name);
      if (!expected) throw new ChainError(ErrInvalidRequest, `app_state.${name}: unknown module`);
    }
    for (const module of this.#modules.list) {
      module.initGenesis(ctx, genesis.appState[module.name]);
      if (module.name === "auth") this.#modules.ensureAccounts(ctx);
    }
    this.#checkInvariants(ctx);
    return this.#store.stage(overlay, at);
  }

  prepareTx(bytes: Uint8Array): PreparedTx {
    return new PreparedTx(this.#env, bytes);
  }

  claimsOf(tx: api.PreparedTx): readonly api.SignatureClaim[] {
    const { decoded } = preparedFor(this.#env, tx);
    if (decoded instanceof ChainError) return [];
    const ctx = this.#blockContext(this.#check, this.#next(), []);
    return signatureClaims(ctx, this.#modules.auth, decoded);
  }

  checkTx(tx: Uint8Array | api.PreparedTx, kind: "new" | "recheck" | "probe" = "new"): TxResult {
    const mode: ExecMode = kind === "new" ? "check" : kind;
    const overlay = kind === "probe" ? new Overlay(this.#check) : this.#check;
    const { height, time } = this.#next();
    return runTx(this.#env, {
      gasMax: this.#gasMax,
      tx,
      mode,
      height,
      time,
      overlay,
    });
  }

  simulate(tx: Uint8Array, time: TimeNs): TxResult {
    const { height } = this.#next();
    const overlay = this.#store.overlay();
    return runTx(this.#env, {
      gasMax: this.#gasMax,
      tx,
      mode: "simulate",
      height,
      time,
      overlay,
    });
  }

  finalizeBlock(block: api.BlockInput): api.BlockOutput {
    const { height, time } = block;
    const overlay = this.#store.overlay();
    const events: Event[] = [];
    const ctx = this.#blockContext(overlay, { height, time }, events);
    for (const module of this.#modules.list) module.beginBlock?.(inMode(ctx, "BeginBlock"));
    const gasMax = this.#gasMax;
    const txResults = block.txs.map((tx) =>
      runTx(this.#env, { gasMax, tx, mode: "deliver", height, time, overlay }),
    );
    for (const module of this.#modules.list) module.endBlock?.(inMode(ctx, "EndBlock"));
    this.#checkInvariants(ctx);
    return { txResults, events, appHash: this.#store.stage(overlay, { height, time }) };
  }

  commit(ops: readonly api.BatchOp[]): Promise<void> {
    const written = commitStaged(this.#store, ops);
    // The next block may be executed before this one is on disk, so checks go on from here.
    this.#check = this.#store.overlay();
    this.#checkpoints?.blockUnderWay(written);
    return written;
  }

  query(input: api.QueryInput): Promise<api.QueryOutput> {
    return readAt<api.QueryOutput>({
      store: this.#store,
      height: input.height,
      fromMemory: true,
      read: (reader) => ({
        answer: answerQuery(this.#source, reader, input),
        finish: (output: api.QueryOutput) => output,
      }),
      failed: (error, height) => queryFailure(height, error),
    });
  }

  exportGenesis(): Promise<api.GenesisDoc> {
    return readAt<api.GenesisDoc>({
      store: this.#store,
      height: 0n,
      read: (reader) => ({
        answer: exportModules(this.#modules.list, reader),
        finish: (modules: Record<string, unknown>) => ({
          genesisTime: reader.time,
          chainId: this.#chain.chainId,
          initialHeight: reader.height + 1n,
          appState: { chain: chainGenesisJson(this.#chainGenesis), ...modules },
        }),
      }),
      failed: rethrow,
    });
  }

  close(): Promise<void> {
    return closeSaver(this.#checkpoints);
  }

  /**
   * Takes the state back to a height, with the host's own `ops`, in one synced batch; checks stand
   * on the earlier state from the call on. Nothing may be in flight. Costs what changed since.
   * @throws ChainError sdk/26 for a height that is not kept
   */
  revertTo(height: bigint, ops: readonly api.BatchOp[] = []): Promise<void> {
    const written = revertTo(this.#store, height, ops);
    this.#check = this.#store.overlay();
    return written;
  }

  /**
   * The chain as it is now, going its own way in memory: for what might be. Nothing may be in
   * flight. Costs nothing that depends on the size of the state; `close` it.
   */
  branch(): { readonly app: SettledApp; close(): Promise<void> } {
    const { store, close } = branchOf(this.#store);
    const options = { ...this.#options, db: store.db, load: {} };
    return { app: new SettledApp(options, { ...this.#parts, store }), close };
  }

  checkDerivedKeys(): Promise<string[]> {
    return this.checkFullInvariants(true);
  }

  /** Every invariant over the whole committed state. @throws InvariantError */
  checkFullInvariants(derivedKeysOnly = false): Promise<string[]> {
    return readAt<string[]>({
      store: this.#store,
      height: 0n,
      read: (reader) => ({
        answer: checkFullInvariants(this.#modules.list, reader, this.#chain, derivedKeysOnly),
        finish: (names: string[]) => names,
      }),
      failed: rethrow,
    });
  }

  #simulateAnswer(data: Uint8Array): Uint8Array {
    const { txBytes } = SimulateRequest.decode(data);
    const result = this.simulate(txBytes, this.#next().time);
    if (result.code !== 0) {
      const { code, codespace, log } = result;
      throw new ChainError({ code, codespace, text: log }, "");
    }
    const { gasWanted, gasUsed, log, events } = result;
    const { msgResponses } = TxMsgData.decode(result.data);
    const wireEvents = events.map(({ type, attributes }) => ({
      type,
      attributes: [...attributes],
    }));
    return SimulateResponse.encode(
      SimulateResponse.fromPartial({
        gasInfo: { gasWanted, gasUsed },
        result: { data: result.data, log, events: wireEvents, msgResponses },
      }),
    ).finish();
  }

  #effectsAnswer(data: Uint8Array): Uint8Array {
    const { txBytes } = SimulateEffectsRequest.decode(data);
    const next = this.#next();
    const { events, ...result } = this.simulate(txBytes, next.time);
    const ctx = this.#blockContext(this.#store.overlay(), next, []);
    const changes = balanceChanges(events).map(({ address, denom, change }) => {
      const moduleName = this.#modules.auth.account(ctx, address)?.moduleName ?? "";
      return { address, moduleName, denom, change: change.toString() };
    });
    return SimulateEffectsResponse.encode({ ...result, changes }).finish();
  }

  #checkInvariants(ctx: Context): void {
    for (const { invariants } of this.#modules.list) {
      for (const invariant of invariants) invariant.check(ctx);
    }
  }

  get #gasMax(): bigint {
    return this.#chainGenesis.blockGasMax;
  }

  /** The block that the check state stands before. */
  #next(): { height: bigint; time: TimeNs } {
    const version = must(this.#store.head, "genesis comes first");
    const isNew = version.height === 0n;
    const height = isNew ? this.#genesis.initialHeight : version.height + 1n;
    return { height, time: (version.time + NS_PER_SECOND) as TimeNs };
  }

  #blockContext(overlay: Overlay, at: { height: bigint; time: TimeNs }, events: Event[]): Context {
    return {
      chain: this.#chain,
      mode: "deliver",
      height: at.height,
      time: at.time,
      kv: overlay,
      gas: new GasMeter(1n << 62n),
      hasher: this.#env.hasher,
      txHash: EMPTY_BYTES,
      emit: (emitted) => {
        events.push(emitted);
      },
    };
  }
}

/** Marks events of a block's own work as CometBFT chains do. */
function inMode(ctx: Context, mode: "BeginBlock" | "EndBlock"): Context {
  const attribute = { key: "mode", value: mode, index: false };
  return {
    ...ctx,
    emit: ({ type, attributes }) => ctx.emit({ type, attributes: [...attributes, attribute] }),
  };
}

function rethrow(error: unknown): never {
  throw error;
}
