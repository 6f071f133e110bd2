import { concatBytes, fromUtf8, toHex, utf8 } from "../../../src/lib/bytes.ts";
import { InvariantError } from "../../../src/lib/assert.ts";
import { bytesOfKey, type Key } from "../../../src/lib/key.ts";
import { sha256 } from "../../../src/lib/sha256.ts";
import { type GenesisFile, genesisJson, parseGenesis } from "../../../src/node/genesis_file.ts";
import type { AppOpening } from "../../../src/node/node.ts";
import type { Db } from "../../../src/store/db.ts";
import type {
  AppInfo,
  Application,
  BatchOp,
  BlockInput,
  BlockOutput,
  GenesisDoc,
  PreparedTx,
  QueryInput,
  QueryOutput,
  SignatureClaim,
  StoreStats,
} from "../../../src/types/application.ts";
import { type Event, event } from "../../../src/types/event.ts";
import { parseTime, type TimeNs } from "../../../src/types/time.ts";
import type { TxResult } from "../../../src/types/tx.ts";

export const GENESIS_TIME = parseTime("2024-01-01T00:00:00Z") as TimeNs;

export function testGenesis(change: { maxGas?: bigint; initialHeight?: bigint } = {}): GenesisFile {
  const { maxGas = -1n, initialHeight = 1n } = change;
  const doc: GenesisDoc = {
    genesisTime: GENESIS_TIME,
    chainId: "settled-test",
    initialHeight,
    appState: { chain: { bond_denom: "utest" } },
  };
  return parseGenesis(genesisJson({ doc, block: { maxBytes: 4_194_304n, maxGas } }));
}

interface State {
  height: bigint;
  time: TimeNs;
  appHash: Uint8Array;
}

const STATE_KEY = "Sstate" as Key;

/**
 * An application of one hash. A tx is text: words "fail" (fails in the block), "refuse" (fails the
 * check), "gas=N", and "type(key=value,…)" for an event; "halt" breaks an invariant.
 */
export class FakeApp implements Application {
  readonly #db: Db;
  #committed: State;
  /** After the last executed block; until it is committed the disk has an earlier one. */
  #next: State | undefined;
  #chainId: string;
  /** Set to delay or fail the next commits. */
  beforeCommit: () => Promise<void> = async () => undefined;
  /** Texts that the check refuses from now on. */
  readonly refused = new Set<string>();
  checks = 0;
  /** Height of the last executed block. */
  executed = 0n;

  private constructor(db: Db, state: State, chainId: string) {
    this.#db = db;
    this.#committed = state;
    this.#chainId = chainId;
  }

  static async open({ db, genesis }: AppOpening): Promise<FakeApp> {
    const stored = await db.get(bytesOfKey(STATE_KEY));
    const state = { height: 0n, time: genesis.genesisTime, appHash: new Uint8Array(0) };
    if (stored !== undefined) {
      const [height, time, appHash] = (fromUtf8(stored) as string).split(" ") as [
        string,
        string,
        string,
      ];
      state.height = BigInt(height);
      state.time = BigInt(time) as TimeNs;
      state.appHash = Uint8Array.from(Buffer.from(appHash, "hex"));
    }
    return new FakeApp(db, state, genesis.chainId);
  }

  info(): AppInfo {
    return {
      chainId: this.#chainId,
      bech32Prefix: "ve",
      bondDenom: "uve",
      blockGasMax: 1_000_000_000n,
      earliestHeight: 1n,
      ...this.#committed,
    };
  }

  storeStats(): StoreStats {
    return { committedKeys: 1, cacheHits: 0, diskReads: 0, cacheBytes: 0 };
  }

  initChain(genesis: GenesisDoc): Uint8Array {
    const appHash = sha256(utf8(genesis.chainId));
    this.#next = { height: 0n, time: genesis.genesisTime, appHash };
    return appHash;
  }

  prepareTx(bytes: Uint8Array): PreparedTx {
    return { bytes, hash: sha256(bytes) };
  }

  claimsOf(): readonly SignatureClaim[] {
    return [];
  }

  checkTx(tx: Uint8Array | PreparedTx): TxResult {
    this.checks += 1;
    const text = textOf(tx);
    return result(text, text.includes("refuse") || this.refused.has(text) ? 5 : 0);
  }

  simulate(tx: Uint8Array, time: TimeNs): TxResult {
    return { ...result(fromUtf8(tx) ?? "", 0), info: time.toString() };
  }

  finalizeBlock({ height, time, txs }: BlockInput): BlockOutput {
    const txResults = txs.map((tx) => {
      const text = textOf(tx);
      if (text.includes("halt")) throw new InvariantError("books do not balance", { height });
      return result(text, text.includes("fail") ? 9 : 0);
    });
    const before = (this.#next ?? this.#committed).appHash;
    const bytes = txs.map((tx) => utf8(textOf(tx)));
    const appHash = sha256(concatBytes(before, ...bytes, utf8(`${height} ${time}`)));
    this.#next = { height, time, appHash };
    this.executed = height;
    const events = [event("begin", { height: height.toString(), mode: "BeginBlock" })];
    return { txResults, events, appHash };
  }

  async commit(ops: readonly BatchOp[]): Promise<void> {
    const next = this.#next as State;
    await this.beforeCommit();
    const value = utf8(`${next.height} ${next.time} ${toHex(next.appHash)}`);
    await this.#db.write([...ops, { key: STATE_KEY, value }]);
    this.#committed = next;
  }

  async query({ path, height }: QueryInput): Promise<QueryOutput> {
    const value = utf8(path);
    const at = height === 0n ? this.#committed.height : height;
    return { code: 0, codespace: "", log: "", key: value, value, height: at };
  }

  async close(): Promise<void> {
    // There is nothing to keep.
  }

  async checkDerivedKeys(): Promise<string[]> {
    return [];
  }

  async exportGenesis(): Promise<GenesisDoc> {
    throw new Error("not part of the fake");
  }
}

function textOf(tx: Uint8Array | PreparedTx): string {
  return fromUtf8(tx instanceof Uint8Array ? tx : tx.bytes) ?? "";
}

function result(text: string, code: number): TxResult {
  const gas = /gas=(\d+)/.exec(text)?.[1];
  const events: Event[] = [];
  for (const [, type, pairs] of text.matchAll(/(\w+)\(([^)]*)\)/g)) {
    const attributes = (pairs ?? "").split(",").map((pair) => {
      const [key = "", value = ""] = pair.split("=");
      return { key, value, index: true };
    });
    events.push({ type: type ?? "", attributes });
  }
  return {
    code,
    codespace: code === 0 ? "" : "sdk",
    log: code === 0 ? "" : "it said so",
    info: "",
    data: new Uint8Array(0),
    gasWanted: BigInt(gas ?? "100"),
    gasUsed: 50n,
    events,
  };
}
