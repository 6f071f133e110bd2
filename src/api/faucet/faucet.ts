import { BaseAccount } from "../../gen/cosmos/auth/v1beta1/auth.ts";
import {
  QueryAccountInfoRequest,
  QueryAccountInfoResponse,
} from "../../gen/cosmos/auth/v1beta1/query.ts";
import { toHex } from "../../lib/bytes.ts";
import type { IndexedTx, NodeView } from "../../node/view.ts";
import { parseAddress } from "../../types/address.ts";
import type { Coin } from "../../types/coins.ts";
import type { TxResult } from "../../types/tx.ts";
import { HeavyQueue } from "../heavy_queue.ts";
import { sha256 } from "../rpc/sha256.ts";
import { refusalOf, unaryErrorOf } from "../services/unary_error_of.ts";
import { STATUS, UnaryError } from "../services/unary.ts";
import { RateLimit } from "./rate_limit.ts";

const ACCOUNT_INFO = "/cosmos.auth.v1beta1.Query/AccountInfo";
/** How often a payment is tried with the sequence that the chain expects instead. */
const SEQUENCE_TRIES = 5;
const INCLUSION_MS = 20_000;
const POLL_MS = 20;

/** Signs payments of the account that the coins come from. */
export interface FaucetSigner {
  readonly address: string;
  /** A signed tx that sends the coin. */
  sign(payment: {
    readonly to: string;
    readonly coin: Coin;
    readonly chainId: string;
    readonly accountNumber: bigint;
    readonly sequence: bigint;
  }): Promise<Uint8Array>;
}

export interface FaucetLimits {
  /** What one payment is, by denom; the first is paid when no denom is asked for. */
  readonly amounts: readonly Coin[];
  /** Payments an hour to one address. */
  readonly perAddress: number;
  /** Payments an hour that one client may ask for. */
  readonly perClient: number;
}

export interface FaucetPayment {
  /** Upper-case hex. */
  readonly txhash: string;
  readonly height: bigint;
  readonly address: string;
  readonly coin: Coin;
}

/** Gives coins of a dev chain to whoever asks. */
export class Faucet {
  readonly limits: FaucetLimits;
  readonly address: string;
  readonly #view: NodeView;
  readonly #signer: FaucetSigner;
  readonly #addresses: RateLimit;
  readonly #clients: RateLimit;
  // One at a time: each payment has the sequence after the one before.
  readonly #queue = new HeavyQueue(1);
  readonly #payments = {};
  #next = 0n;

  constructor(view: NodeView, signer: FaucetSigner, limits: FaucetLimits) {
    this.limits = limits;
    this.address = signer.address;
    this.#view = view;
    this.#signer = signer;
    this.#addresses = new RateLimit(limits.perAddress);
    this.#clients = new RateLimit(limits.perClient);
  }

  /**
   * Pays, and waits until the payment is in a block.
   * @param client who asks, as far as the network tells
   * @throws UnaryError for a bad address or denom, above a limit, and when the payment fails
   */
  async pay(
    asked: { readonly address: string; readonly denom: string | undefined },
    client: string,
    signal: AbortSignal,
  ): Promise<FaucetPayment> {
    const to = this.#addressOf(asked.address);
    if (to === this.address) throw refused("this is the address of the faucet itself");
    const coin = this.#coinOf(asked.denom);
    const takeBack = this.#count(to, client);
    let hash: Uint8Array;
    try {
      hash = await this.#queue.run(() => this.#send(to, coin), signal, this.#payments);
    } catch (error) {
      takeBack();
      throw error;
    }
    // From here on it counts, also for a client who leaves: the coins come all the same.
    const { height, result } = await this.#included(hash, signal);
    if (result.code !== 0) throw failed(result);
    return { txhash: toHex(hash).toUpperCase(), height, address: to, coin };
  }

  #addressOf(text: string): string {
    try {
      return parseAddress(text, this.#view.info.bech32Prefix);
    } catch (error) {
      throw refusalOf(error) ?? error;
    }
  }

  #coinOf(denom: string | undefined): Coin {
    const { amounts } = this.limits;
    const coin = denom === undefined ? amounts[0] : amounts.find((each) => each.denom === denom);
    if (coin !== undefined) return coin;
    const known = amounts.map((each) => each.denom).join(", ");
    throw refused(`the faucet gives ${known}, not "${(denom ?? "").slice(0, 100)}"`);
  }

  /** @throws UnaryError above a limit */
  #count(to: string, client: string): () => void {
    const now = performance.now();
    const { perAddress, perClient } = this.limits;
    const ofAddress = this.#addresses.waitMs(to, now);
    if (ofAddress > 0) throw tooOften(`${perAddress} payments an hour to ${to}`, ofAddress);
    const ofClient = this.#clients.waitMs(client, now);
    if (ofClient > 0) throw tooOften(`${perClient} payments an hour for ${client}`, ofClient);
    const undo = [this.#addresses.count(to, now), this.#clients.count(client, now)];
    return () => {
      for (const each of undo) each();
    };
  }

  /** Sends a payment and gives its hash. The mempool has taken it then. */
  async #send(to: string, coin: Coin): Promise<Uint8Array> {
    const { accountNumber, sequence: settled } = await this.#account();
    let sequence = settled > this.#next ? settled : this.#next;
    const { chainId } = this.#view.info;
    for (let tries = 1; ; tries += 1) {
      const tx = await this.#signer.sign({ to, coin, chainId, accountNumber, sequence });
      const check = await this.#view.mempool.add(tx);
      if (check.code === 0) {
        this.#next = sequence + 1n;
        return sha256(tx);
      }
      // Somebody else may sign with the key too; and a chain that began anew expects a lower one.
      const expected = expectedSequence(check.log);
      if (expected === undefined || tries === SEQUENCE_TRIES) throw failed(check);
      sequence = expected;
    }
  }

  async #account(): Promise<BaseAccount> {
    const data = QueryAccountInfoRequest.encode({ address: this.address }).finish();
    const output = await this.#view.query({ path: ACCOUNT_INFO, data, height: 0n, prove: false });
    if (output.code !== 0) throw unaryErrorOf(output);
    return QueryAccountInfoResponse.decode(output.value).info ?? BaseAccount.fromPartial({});
  }

  async #included(hash: Uint8Array, signal: AbortSignal): Promise<IndexedTx> {
    const end = performance.now() + INCLUSION_MS;
    for (;;) {
      const tx = await this.#view.tx(hash);
      if (tx !== undefined) return tx;
      signal.throwIfAborted();
      if (performance.now() > end) {
        const text = `tx ${toHex(hash).toUpperCase()} was sent, and is in no block after ${INCLUSION_MS / 1000} s`;
        throw new UnaryError(STATUS.deadlineExceeded, text);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

function expectedSequence(log: string): bigint | undefined {
  const match = /account sequence mismatch, expected ([0-9]{1,20}), got/.exec(log);
  return match?.[1] === undefined ? undefined : BigInt(match[1]);
}

function refused(text: string): UnaryError {
  return new UnaryError(STATUS.invalidArgument, text);
}

function failed({ codespace, code, log }: TxResult): UnaryError {
  const text = `the payment failed with ${codespace}/${code}: ${log}`;
  return new UnaryError(STATUS.failedPrecondition, text);
}

function tooOften(limit: string, waitMs: number): UnaryError {
  const minutes = Math.ceil(waitMs / 60_000);
  const text = `the faucet makes at most ${limit}; ask again in ${minutes} min`;
  return new UnaryError(STATUS.resourceExhausted, text);
}
