import { BaseAccount, ModuleAccount } from "../gen/cosmos/auth/v1beta1/auth.ts";
import { QueryAccountRequest, QueryAccountResponse } from "../gen/cosmos/auth/v1beta1/query.ts";
import { QueryBalanceRequest, QueryBalanceResponse } from "../gen/cosmos/bank/v1beta1/query.ts";
import { TxMsgData } from "../gen/cosmos/base/abci/v1beta1/abci.ts";
import { SimulateRequest, SimulateResponse } from "../gen/cosmos/tx/v1beta1/service.ts";
import { SimulateEffectsRequest, SimulateEffectsResponse } from "../gen/settled/tx/v1/service.ts";
import { EMPTY_BYTES, fromBase64, fromHex, toBase64, toHex } from "../lib/bytes.ts";
import { ClientError, ConnectionError, QueryError, RpcError, TxTimeoutError } from "./errors.ts";
import { type JsonProofOps, type ProvedAnswer, readProofOps } from "./proof.ts";
import { RpcClient } from "./rpc.ts";
import { type EncodedMessage, encodePartial, type MessageCodec } from "./wire.ts";

export interface NodeStatus {
  readonly chainId: string;
  readonly moniker: string;
  readonly nodeVersion: string;
  readonly latestHeight: bigint;
  /** RFC 3339. */
  readonly latestTime: string;
  /** Upper-case hex, as CometBFT shows it. */
  readonly latestBlockHash: string;
  readonly latestAppHash: string;
  /** Of the blocks that the node keeps. */
  readonly earliestHeight: bigint;
  /** Of the states that queries can reach. */
  readonly earliestQueryHeight: bigint;
  readonly catchingUp: boolean;
}

export interface TxEvent {
  readonly type: string;
  readonly attributes: readonly { readonly key: string; readonly value: string }[];
}

/** A tx that is in a block. `code` 0: it worked. */
export interface TxInfo {
  /** Upper-case hex. */
  readonly hash: string;
  readonly height: bigint;
  readonly index: number;
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
  readonly gasWanted: bigint;
  readonly gasUsed: bigint;
  readonly events: readonly TxEvent[];
  /** The response of each message, when the tx worked. */
  readonly responses: readonly EncodedMessage[];
  readonly tx: Uint8Array;
}

/** What the check of a sent tx said. `code` 0: it waits for a block. */
export interface BroadcastResult {
  readonly hash: string;
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
}

export interface SimulationResult {
  readonly gasUsed: bigint;
  readonly responses: readonly EncodedMessage[];
}

/** What a tx would cost and move; `code` 0: it would work. */
export type Effects = SimulateEffectsResponse;

export interface AccountState {
  readonly accountNumber: bigint;
  readonly sequence: bigint;
}

/** A node's CometBFT RPC with types: queries, txs and dev controls. */
export class Client {
  readonly rpc: RpcClient;
  readonly chainId: string;

  private constructor(rpc: RpcClient, chainId: string) {
    this.rpc = rpc;
    this.chainId = chainId;
  }

  /** Asks the node for its chain id. @throws ConnectionError when there is no node at `url`. */
  static async connect(url: string, options: { timeoutMs?: number } = {}): Promise<Client> {
    const rpc = new RpcClient(url, options);
    const { chainId } = await readStatus(rpc);
    return new Client(rpc, chainId);
  }

  status(): Promise<NodeStatus> {
    return readStatus(this.rpc);
  }

  /**
   * A query by its gRPC path.
   * @throws QueryError with codespace and code when the application refuses it.
   */
  async query<Req, Res>(
    path: string,
    request: MessageCodec<Req>,
    input: object,
    response: MessageCodec<Res>,
    options: { height?: bigint } = {},
  ): Promise<Res> {
    const data = encodePartial(request, input);
    return response.decode((await this.queryRaw(path, data, options)).value);
  }

  /** A query with bytes in and out, and the height that the answer is of. */
  async queryRaw(
    path: string,
    data: Uint8Array,
    options: { height?: bigint } = {},
  ): Promise<{ value: Uint8Array; height: bigint }> {
    const { code, codespace, log, value, height } = await abciQuery(this.rpc, {
      ...{ path, data, height: options.height ?? 0n, prove: false },
    });
    if (code !== 0) throw new QueryError(path, codespace, code, log);
    return { value, height };
  }

  /**
   * A query with the records that its answer was made from and their proofs. That there is no such
   * record is an answer as well (code 22), and is proved. Nothing is verified here: see
   * `failedRecord` (src/client/proof.ts) and docs/guides/proofs.md.
   * @throws QueryError when the application refuses the query or the proof.
   */
  async queryProved(
    path: string,
    data: Uint8Array,
    options: { height?: bigint } = {},
  ): Promise<ProvedAnswer> {
    const answer = await abciQuery(this.rpc, {
      ...{ path, data, height: options.height ?? 0n, prove: true },
    });
    const { code, codespace, log } = answer;
    if (code !== 0 && answer.records.length === 0) throw new QueryError(path, codespace, code, log);
    return answer;
  }

  /**
   * The app hash after a block: from the header of the next block, or while there is none, from the
   * block's own results, which no header vouches for yet.
   * @throws RpcError when the node does not have the block.
   */
  async appHashAfter(height: bigint): Promise<{ appHash: Uint8Array; inHeader: boolean }> {
    const { latestHeight } = await this.status();
    if (latestHeight > height) {
      const params = { height: (height + 1n).toString() };
      const { signed_header: signed } = (await this.rpc.call("commit", params)) as {
        signed_header?: { header?: { app_hash?: string } };
      };
      return { appHash: fromHex(signed?.header?.app_hash ?? "") ?? EMPTY_BYTES, inHeader: true };
    }
    const results = (await this.rpc.call("block_results", { height: height.toString() })) as {
      app_hash?: string;
    };
    return { appHash: base64(results.app_hash), inHeader: false };
  }

  /** undefined: no such account (it has received nothing yet). */
  async account(address: string): Promise<AccountState | undefined> {
    const path = "/cosmos.auth.v1beta1.Query/Account";
    try {
      const { account } = await this.query(
        path,
        QueryAccountRequest,
        { address },
        QueryAccountResponse,
      );
      return account === undefined ? undefined : accountState(account);
    } catch (error) {
      if (error instanceof QueryError && error.notFound) return undefined;
      throw error;
    }
  }

  async balance(address: string, denom: string): Promise<bigint> {
    const path = "/cosmos.bank.v1beta1.Query/Balance";
    const input = { address, denom };
    const { balance } = await this.query(path, QueryBalanceRequest, input, QueryBalanceResponse);
    return BigInt(balance?.amount || "0");
  }

  /** Gas and responses that the tx would have in the next block. The signature is not checked. */
  async simulate(tx: Uint8Array): Promise<SimulationResult> {
    const path = "/cosmos.tx.v1beta1.Service/Simulate";
    const answer = await this.query(path, SimulateRequest, { txBytes: tx }, SimulateResponse);
    return {
      gasUsed: answer.gasInfo?.gasUsed ?? 0n,
      responses: answer.result?.msgResponses ?? [],
    };
  }

  /** Who would have more or less after the tx. A tx that would fail is no exception here. */
  async simulateEffects(tx: Uint8Array): Promise<Effects> {
    const path = "/settled.tx.v1.Service/SimulateEffects";
    return this.query(path, SimulateEffectsRequest, { txBytes: tx }, SimulateEffectsResponse);
  }

  /** Sends a tx and returns what its check said; it does not wait for a block. */
  async broadcastSync(tx: Uint8Array): Promise<BroadcastResult> {
    const answer = (await this.rpc.call("broadcast_tx_sync", { tx: toBase64(tx) })) as {
      hash: string;
      code?: number;
      codespace?: string;
      log?: string;
    };
    const { hash, code = 0, codespace = "", log = "" } = answer;
    return { hash, code, codespace, log };
  }

  /** undefined: in no block, as far as the node knows. `hash` is hex. */
  async tx(hash: string): Promise<TxInfo | undefined> {
    const bytes = fromHex(hash);
    if (bytes === undefined || bytes.length !== 32) {
      throw new ClientError("bad_hash", `not a tx hash (64 hex digits): "${hash}"`);
    }
    try {
      const answer = await this.rpc.call("tx", { hash: toBase64(bytes), prove: false });
      return readTx(answer as JsonTx);
    } catch (error) {
      if (error instanceof RpcError && /not found/i.test(error.message)) return undefined;
      throw error;
    }
  }

  /**
   * Waits until the tx is in a block, whether it worked there or not.
   * @throws TxTimeoutError when it is in none in time (default 30 s).
   */
  async waitForTx(
    hash: string,
    options: { timeoutMs?: number; pollMs?: number } = {},
  ): Promise<TxInfo> {
    const timeoutMs = options.timeoutMs ?? 30_000;
    const end = Date.now() + timeoutMs;
    let pause = options.pollMs ?? 20;
    for (;;) {
      const found = await this.tx(hash);
      if (found !== undefined) return found;
      if (Date.now() + pause > end) throw new TxTimeoutError(hash, timeoutMs);
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause + (pause >> 1), 500);
    }
  }

  /** Txs that match a CometBFT query ("message.sender='ve1…' AND tx.height>5"). */
  async searchTxs(
    query: string,
    options: { page?: number; perPage?: number; descending?: boolean } = {},
  ): Promise<{ txs: TxInfo[]; total: number }> {
    const answer = (await this.rpc.call("tx_search", {
      query,
      prove: false,
      page: String(options.page ?? 1),
      per_page: String(options.perPage ?? 30),
      order_by: options.descending === true ? "desc" : "asc",
    })) as { txs: JsonTx[] | null; total_count: string };
    return { txs: (answer.txs ?? []).map(readTx), total: Number(answer.total_count) };
  }

  /** Produces blocks now, on a dev chain. `time` (ns) is the time of the first of them. */
  async devMine(input: { blocks?: number; time?: bigint } = {}): Promise<bigint> {
    const params: Record<string, unknown> = { blocks: String(input.blocks ?? 1) };
    if (input.time !== undefined) params["time"] = input.time.toString();
    const answer = (await this.rpc.call("dev_mine", params)) as { height: string };
    return BigInt(answer.height);
  }

  /** Lets a dev chain's time go back to the wall clock, and automatic blocks with it. */
  async devUseWallClock(): Promise<void> {
    await this.rpc.call("dev_use_wall_clock");
  }
}

interface JsonQueryResponse {
  code?: number;
  codespace?: string;
  log?: string;
  value?: string | null;
  height?: string;
  proofOps?: JsonProofOps | null;
}

async function abciQuery(
  rpc: RpcClient,
  query: { path: string; data: Uint8Array; height: bigint; prove: boolean },
): Promise<ProvedAnswer> {
  const { path, height, prove } = query;
  const params = { path, data: toHex(query.data), prove };
  const at = height === 0n ? params : { ...params, height: height.toString() };
  const { response } = (await rpc.call("abci_query", at)) as { response: JsonQueryResponse };
  return {
    code: response.code ?? 0,
    codespace: response.codespace ?? "",
    log: response.log ?? "",
    value: base64(response.value),
    height: BigInt(response.height ?? "0"),
    records: readProofOps(response.proofOps),
  };
}

interface JsonTx {
  hash: string;
  height: string;
  index: number;
  tx: string;
  tx_result: {
    code?: number;
    codespace?: string;
    log?: string;
    data?: string | null;
    gas_wanted?: string;
    gas_used?: string;
    events?: TxEvent[] | null;
  };
}

async function readStatus(rpc: RpcClient): Promise<NodeStatus> {
  const status = (await rpc.call("status")) as {
    node_info?: { network?: string; moniker?: string; version?: string };
    sync_info?: Record<string, unknown>;
  } | null;
  const { node_info: node, sync_info: sync } = status ?? {};
  if (node?.network === undefined || sync === undefined) {
    throw new ConnectionError(rpc.url, `${rpc.url} does not answer like a CometBFT RPC`);
  }
  const text = (key: string) => String(sync[key] ?? "");
  return {
    chainId: node.network,
    moniker: node.moniker ?? "",
    nodeVersion: node.version ?? "",
    latestHeight: BigInt(text("latest_block_height") || "0"),
    latestTime: text("latest_block_time"),
    latestBlockHash: text("latest_block_hash"),
    latestAppHash: text("latest_app_hash"),
    earliestHeight: BigInt(text("earliest_block_height") || "0"),
    earliestQueryHeight: BigInt(
      text("earliest_query_height") || text("earliest_block_height") || "0",
    ),
    catchingUp: sync["catching_up"] === true,
  };
}

function readTx(answer: JsonTx): TxInfo {
  const result = answer.tx_result;
  return {
    hash: answer.hash,
    height: BigInt(answer.height),
    index: answer.index,
    code: result.code ?? 0,
    codespace: result.codespace ?? "",
    log: result.log ?? "",
    gasWanted: BigInt(result.gas_wanted ?? "0"),
    gasUsed: BigInt(result.gas_used ?? "0"),
    events: result.events ?? [],
    responses: TxMsgData.decode(base64(result.data)).msgResponses,
    tx: base64(answer.tx),
  };
}

/** Number and sequence of an account, or of the account inside a module account. */
function accountState(any: EncodedMessage): AccountState {
  const wrapped = any.typeUrl === "/cosmos.auth.v1beta1.ModuleAccount";
  const base = wrapped
    ? ModuleAccount.decode(any.value).baseAccount
    : BaseAccount.decode(any.value);
  return { accountNumber: base?.accountNumber ?? 0n, sequence: base?.sequence ?? 0n };
}

function base64(text: string | null | undefined): Uint8Array {
  return fromBase64(text ?? "") ?? new Uint8Array(0);
}
