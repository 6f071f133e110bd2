import type { AnteStep } from "../baseapp/ante.ts";
import type { ChainInfo, Context, ExecMode } from "../baseapp/context.ts";
import { GasMeter } from "../baseapp/gas.ts";
import { MsgRouter } from "../baseapp/msg_router.ts";
import { QueryRouter } from "../baseapp/query_router.ts";
import { runTx, type TxEnvironment } from "../baseapp/run_tx.ts";
import { SimulateRequest, SimulateResponse } from "../gen/cosmos/tx/v1beta1/service.ts";
import { assert, must } from "../lib/assert.ts";
import { EMPTY_BYTES } from "../lib/bytes.ts";
import { ChainError } from "../lib/errors.ts";
import type { Db } from "../store/db.ts";
import { Overlay } from "../store/overlay.ts";
import { commitStaged, loadStore, readAt } from "../store/reader.ts";
import { Store } from "../store/store.ts";
import type * as api from "../types/application.ts";
import type { Crypto } from "../types/crypto.ts";
import type { Dec } from "../types/dec.ts";
import type { Event } from "../types/event.ts";
import { memoVerifier } from "../types/memo_verifier.ts";
import { ErrInvalidRequest } from "../types/sdk_errors.ts";
import { NS_PER_SECOND, type TimeNs } from "../types/time.ts";
import type { TxResult } from "../types/tx.ts";
import { anteSteps } from "./ante.ts";
import { type ChainGenesis, chainGenesisJson, parseChainGenesis } from "./chain_genesis.ts";
import { exportModules } from "./export.ts";
import { checkFullInvariants } from "./full_invariants.ts";
import { buildModules, type Modules } from "./modules.ts";
import { queryAnswer, queryFailure, requireHeight } from "./query.ts";

const SIMULATE_PATH = "/cosmos.tx.v1beta1.Service/Simulate";

export interface AppOptions {
  readonly db: Db;
  readonly crypto: Crypto;
  readonly genesis: api.GenesisDoc;
  /** In 10^-18 of the bond denom's base unit per gas; for the mempool only. */
  readonly minimumGasPrice: Dec;
}

/**
 * Opens the app over a database, whose state it loads.
 * @throws ChainError for a genesis that names a bad chain; InvariantError for a damaged state.
 */
export function openApp(options: AppOptions): Promise<SettledApp> {
  const { crypto, genesis } = options;
  const chain = parseChainGenesis(genesis.appState["chain"]);
  const verifier = memoVerifier(crypto.verifier);
  const modules = buildModules(chain.bech32Prefix, verifier);
  const store = new Store({
    iterablePrefixes: modules.list.flatMap(({ iterablePrefixes }) => iterablePrefixes),
    depth: chain.commitmentDepth,
    hasher: crypto.hasher,
  });
  const { auth, bank, feeCollector } = modules;
  const { minimumGasPrice } = options;
  const ante = anteSteps({ auth, bank, verifier, feeCollector, minimumGasPrice });
  return loadStore(
    options.db,
    store,
    () => new SettledApp(options, { chain, modules, store, ante }),
  );
}

/** The machine: a pure function of state and block, behind the one border to the host. */
export class SettledApp implements api.Application {
  readonly #db: Db;
  readonly #genesis: api.GenesisDoc;
  readonly #chainGenesis: ChainGenesis;
  readonly #chain: ChainInfo;
  readonly #modules: Modules;
  readonly #store: Store;
  readonly #env: TxEnvironment;
  readonly #queries: QueryRouter;
  #check: Overlay;

  constructor(
    options: AppOptions,
    parts: { chain: ChainGenesis; modules: Modules; store: Store; ante: readonly AnteStep[] },
  ) {
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
    this.#queries = new QueryRouter(parts.modules.list);
    this.#check = parts.store.overlay();
  }

  info(): api.AppInfo {
    const { version } = this.#store;
    return {
      ...this.#chain,
      blockGasMax: this.#chainGenesis.blockGasMax,
      height: version?.height ?? 0n,
      time: version?.time ?? this.#genesis.genesisTime,
      appHash: version?.appHash ?? EMPTY_BYTES,
    };
  }

  /** Paths of all queries, for the doors that list them. */
  get queryPaths(): readonly string[] {
    return this.#queries.paths;
  }

  initChain(genesis: api.GenesisDoc): Uint8Array {
    assert(this.#store.version === undefined, "genesis is written once");
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

  checkTx(tx: Uint8Array, kind: "new" | "recheck" | "probe" = "new"): TxResult {
    const mode: ExecMode = kind === "recheck" ? "recheck" : "check";
    const overlay = kind === "probe" ? new Overlay(this.#check) : this.#check;
    const { height, time } = this.#next();
    return runTx(this.#env, {
      ...this.#limits(),
      bytes: tx,
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
      ...this.#limits(),
      bytes: tx,
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
    const limits = this.#limits();
    const txResults = block.txs.map((bytes) =>
      runTx(this.#env, { ...limits, bytes, mode: "deliver", height, time, overlay }),
    );
    for (const module of this.#modules.list) module.endBlock?.(inMode(ctx, "EndBlock"));
    this.#checkInvariants(ctx);
    return { txResults, events, appHash: this.#store.stage(overlay, { height, time }) };
  }

  commit(ops: readonly api.BatchOp[]): Promise<void> {
    const done = (): void => {
      this.#check = this.#store.overlay();
    };
    return commitStaged(this.#db, this.#store, { ops, done });
  }

  query(input: api.QueryInput): Promise<api.QueryOutput> {
    return readAt({
      db: this.#db,
      read: (reader) => {
        const { height } = reader;
        requireHeight(input, height);
        if (input.path === SIMULATE_PATH) {
          const answer = this.#simulateAnswer(input.data);
          return { answer, finish: (value: Uint8Array) => queryAnswer(height, value) };
        }
        const route = this.#queries.route(input.path);
        const answer = route.handle({ chain: this.#chain, reader }, input.data);
        return { answer, finish: (value: never) => queryAnswer(height, route.encode(value)) };
      },
      failed: (error, height) => queryFailure(height, error),
    });
  }

  exportGenesis(): Promise<api.GenesisDoc> {
    return readAt<api.GenesisDoc>({
      db: this.#db,
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

  /** Every invariant over the whole committed state. @throws InvariantError */
  checkFullInvariants(): Promise<string[]> {
    return readAt<string[]>({
      db: this.#db,
      read: (reader) => ({
        answer: checkFullInvariants(this.#modules.list, reader, this.#chain),
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
    const wireEvents = events.map(({ type, attributes }) => ({
      type,
      attributes: [...attributes],
    }));
    return SimulateResponse.encode(
      SimulateResponse.fromPartial({
        gasInfo: { gasWanted, gasUsed },
        result: { data: result.data, log, events: wireEvents },
      }),
    ).finish();
  }

  #checkInvariants(ctx: Context): void {
    for (const { invariants } of this.#modules.list) {
      for (const invariant of invariants) invariant.check(ctx);
    }
  }

  #limits(): { gasMax: bigint } {
    return { gasMax: this.#chainGenesis.blockGasMax };
  }

  /** The block that the check state stands before. */
  #next(): { height: bigint; time: TimeNs } {
    const version = must(this.#store.version, "genesis comes first");
    const isNew = version.height === 0n;
    const height = isNew ? this.#genesis.initialHeight : version.height + 1n;
    return { height, time: (version.time + NS_PER_SECOND) as TimeNs };
  }

  #blockContext(overlay: Overlay, at: { height: bigint; time: TimeNs }, events: Event[]): Context {
    return {
      chain: this.#chain,
      mode: "deliver",
      ...at,
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
