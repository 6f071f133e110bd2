import { openApp, type SettledApp } from "../../src/app/app.ts";
import { buildTx, type Fee, type SignModeName } from "../../src/client/tx_builder.ts";
import { canonicalJson } from "../../src/codec/canonical_json.ts";
import { messageTypeNamed } from "../../src/codec/message_types.ts";
import type { QueryAccountInfoResponse } from "../../src/gen/cosmos/auth/v1beta1/query.ts";
import { toHex } from "../../src/lib/bytes.ts";
import { nodeCrypto } from "../../src/node/crypto_native.ts";
import type { Db } from "../../src/store/db.ts";
import { openMemoryDb } from "../../src/store/leveldb.ts";
import { moduleAddress } from "../../src/types/address.ts";
import type { BlockOutput, GenesisDoc, QueryOutput } from "../../src/types/application.ts";
import type { Dec } from "../../src/types/dec.ts";
import { parseDec } from "../../src/types/dec.ts";
import { NS_PER_SECOND, type TimeNs } from "../../src/types/time.ts";
import type { TxResult } from "../../src/types/tx.ts";
import { authority, CAST } from "./accounts.ts";
import { text, wire } from "./coins.ts";
import type { TestMessage } from "./messages.ts";
import { expectCode, expectOk } from "./outcome.ts";
import { GENESIS_TIME } from "./times.ts";

export const CHAIN_ID = "settled-test";
const DEFAULT_FUNDS = "1000000000000uusd,1000000000000uve";

type Json = Readonly<Record<string, unknown>>;

export interface ChainOptions {
  /** Coins of accounts at genesis by address; everybody of the cast has some unless told here. */
  readonly funds?: Readonly<Record<string, string>>;
  /** Fields of virtengine.settlement.v1.Params that differ from the defaults, as JSON. */
  readonly params?: Json;
  /** Fields of settled.settlement.v1.Params that differ from the defaults, as JSON. */
  readonly extended?: Json;
  /** Fields of app_state.chain. */
  readonly chain?: Json;
  /** A whole genesis instead, such as an export. */
  readonly genesis?: GenesisDoc;
  /** In the bond denom per gas, for checks alone. */
  readonly minimumGasPrice?: string;
  /** A database that may hold a chain already. */
  readonly db?: Db;
}

/** A block as it was run: enough to run it again. */
export interface RanBlock {
  readonly height: bigint;
  readonly time: TimeNs;
  readonly txs: readonly Uint8Array[];
  readonly appHash: string;
}

export interface TxOptions {
  readonly fee?: Fee;
  readonly memo?: string;
  readonly timeoutHeight?: bigint;
  readonly mode?: SignModeName;
  readonly sequence?: bigint;
  readonly accountNumber?: bigint;
  readonly chainId?: string;
}

/** No fee, and gas for anything. */
export const FREE: Fee = { amount: [], gasLimit: 100_000_000n };

/**
 * A chain in this process over a database in memory: real signed txs, block times set by hand, and
 * the machine's invariants after every block.
 */
export class TestChain {
  readonly app: SettledApp;
  readonly db: Db;
  readonly genesis: GenesisDoc;
  readonly blocks: RanBlock[] = [];
  /** Time of the next block; every block moves it on by a second. */
  time: TimeNs;
  #height: bigint;
  readonly #signers = new Map<string, { number: bigint; sequence: bigint }>();

  constructor(app: SettledApp, db: Db, genesis: GenesisDoc) {
    this.app = app;
    this.db = db;
    this.genesis = genesis;
    const info = app.info();
    this.#height = info.height === 0n ? genesis.initialHeight - 1n : info.height;
    this.time = (info.time + NS_PER_SECOND) as TimeNs;
  }

  /** Height of the last block. */
  get height(): bigint {
    return this.#height;
  }

  get appHash(): string {
    return toHex(this.app.info().appHash);
  }

  /** Sets the next block's time so many seconds later. */
  skip(seconds: bigint): void {
    this.time = (this.time + seconds * NS_PER_SECOND) as TimeNs;
  }

  /** Executes and commits a block. */
  async block(...txs: readonly Uint8Array[]): Promise<BlockOutput> {
    const [height, time] = [this.#height + 1n, this.time];
    const output = this.app.finalizeBlock({ height, time, txs, proposer: new Uint8Array(20) });
    await this.app.commit([]);
    this.#height = height;
    this.#signers.clear();
    this.blocks.push({ height, time, txs, appHash: toHex(output.appHash) });
    this.time = (time + NS_PER_SECOND) as TimeNs;
    return output;
  }

  /** Empty blocks up to and including a height. */
  async blocksTo(height: bigint): Promise<void> {
    while (this.#height < height) await this.block();
  }

  /** One block with one tx of these messages; all have one signer. */
  async deliver(...messages: readonly TestMessage[]): Promise<TxResult> {
    const { txResults } = await this.block(await this.tx(messages));
    return txResults[0] as TxResult;
  }

  /** As `deliver`; throws when the tx fails. */
  async ok(...messages: readonly TestMessage[]): Promise<TxResult> {
    return expectOk(await this.deliver(...messages));
  }

  /**
   * Delivers one message that must fail with this code and a text with all of `parts`, and must
   * leave every balance and record as it was.
   */
  async refused(
    message: TestMessage,
    code: string | number,
    ...parts: readonly (string | RegExp)[]
  ): Promise<TxResult> {
    const before = await this.books();
    const result = expectCode(await this.deliver(message), code, ...parts);
    if ((await this.books()) !== before) throw new Error("the refused message changed the state");
    return result;
  }

  /** A signed tx. Txs of one signer for one block get consecutive sequences. */
  async tx(messages: readonly TestMessage[], options: TxOptions = {}): Promise<Uint8Array> {
    const signer = (messages[0] as TestMessage).signer;
    const facts = await this.#factsOf(signer.address);
    const tx = buildTx({
      messages,
      signer,
      chainId: options.chainId ?? this.genesis.chainId,
      accountNumber: options.accountNumber ?? facts.number,
      sequence: options.sequence ?? facts.sequence,
      fee: options.fee ?? FREE,
      memo: options.memo ?? "",
      timeoutHeight: options.timeoutHeight ?? 0n,
      mode: options.mode ?? "direct",
    });
    facts.sequence += 1n;
    return tx;
  }

  /** Account number and sequence as the state has them. */
  async accountOf(address: string): Promise<{ number: bigint; sequence: bigint }> {
    const path = "cosmos.auth.v1beta1.Query/AccountInfo";
    const { info } = await this.query<QueryAccountInfoResponse>(path, { address });
    return { number: info?.accountNumber ?? 0n, sequence: info?.sequence ?? 0n };
  }

  async #factsOf(address: string): Promise<{ number: bigint; sequence: bigint }> {
    const facts = this.#signers.get(address) ?? (await this.#read(address));
    this.#signers.set(address, facts);
    return facts;
  }

  async #read(address: string): Promise<{ number: bigint; sequence: bigint }> {
    const answer = await this.ask("cosmos.auth.v1beta1.Query/AccountInfo", { address });
    return answer.code === 0 ? this.accountOf(address) : { number: 0n, sequence: 0n };
  }

  /** The answer of a query as the node would give it. @param path "package.Query/Method" */
  async ask(path: string, request: object = {}, height = 0n): Promise<QueryOutput> {
    const { codec } = messageTypeNamed(nameOf(path, "Request"));
    const data = codec.encode(codec.fromPartial(request) as never).finish();
    return this.app.query({ path: `/${path}`, data, height, prove: false });
  }

  /** The decoded answer of a query that succeeds. @param path "package.Query/Method" */
  async query<T>(path: string, request: object = {}): Promise<T> {
    const answer = await this.ask(path, request);
    if (answer.code !== 0)
      throw new Error(`${path}: ${answer.codespace}/${answer.code} ${answer.log}`);
    return messageTypeNamed(nameOf(path, "Response")).codec.decode(answer.value) as T;
  }

  /** Coins of an account, sorted: "5uusd,10uve". */
  async balances(address: string): Promise<string> {
    const path = "cosmos.bank.v1beta1.Query/AllBalances";
    const pagination = { limit: 1000n };
    const { balances } = await this.query<{ balances: { denom: string; amount: string }[] }>(path, {
      ...{ address, pagination },
    });
    return text(balances);
  }

  async balance(address: string, denom = "uve"): Promise<bigint> {
    const path = "cosmos.bank.v1beta1.Query/Balance";
    const { balance } = await this.query<{ balance: { amount: string } }>(path, { address, denom });
    return BigInt(balance.amount);
  }

  /** Everything but accounts (which hold sequences) as canonical JSON. */
  async books(): Promise<string> {
    const { auth: _, ...books } = (await this.app.exportGenesis()).appState;
    return canonicalJson(books);
  }

  /** The whole state as canonical JSON. */
  async exported(): Promise<string> {
    return canonicalJson((await this.app.exportGenesis()).appState);
  }

  /** A new chain from this one's export. */
  async imported(): Promise<TestChain> {
    return openChain({ genesis: await this.app.exportGenesis() });
  }

  /** Names of the invariants over the whole state that were checked. */
  checkFullInvariants(): Promise<string[]> {
    return this.app.checkFullInvariants();
  }
}

function nameOf(path: string, kind: "Request" | "Response"): string {
  const [service = "", method = ""] = path.split("/");
  const container = service.slice(0, service.lastIndexOf("."));
  // The one service of the SDK whose messages are not named after it.
  const prefix = method === "Bech32Prefix" ? "" : "Query";
  return `${container}.${prefix}${method}${kind}`;
}

/** The address of a module account on test chains. */
export function moduleAccount(name: string): string {
  return moduleAddress(name, "ve");
}

/** A genesis with the cast funded, whose authority is the cast's. */
export function genesisOf(options: ChainOptions = {}): GenesisDoc {
  const funds = new Map(CAST.map(({ address }) => [address as string, DEFAULT_FUNDS]));
  for (const [address, coins] of Object.entries(options.funds ?? {})) funds.set(address, coins);
  const balances = [...funds].map(([address, coins]) => ({ address, coins: wire(coins) }));
  return {
    genesisTime: GENESIS_TIME,
    chainId: CHAIN_ID,
    initialHeight: 1n,
    appState: {
      chain: { commitment_depth: 10, ...options.chain },
      auth: { accounts: balances.map(({ address }) => ({ address })) },
      bank: { balances: balances.filter(({ coins }) => coins.length > 0) },
      settlement: {
        params: { ...options.params },
        extended_params: { authority: authority.address, ...options.extended },
      },
    },
  };
}

/** Opens a chain and, over an empty database, commits its genesis. */
export async function openChain(options: ChainOptions = {}): Promise<TestChain> {
  const genesis = options.genesis ?? genesisOf(options);
  const db = options.db ?? (await openMemoryDb());
  const minimumGasPrice = parseDec(options.minimumGasPrice ?? "0") as Dec;
  const app = await openApp({
    db,
    crypto: nodeCrypto(),
    genesis,
    minimumGasPrice,
    checkCreates: true,
  });
  if (app.info().appHash.length === 0) {
    app.initChain(genesis);
    await app.commit([]);
  }
  return new TestChain(app, db, genesis);
}
