import type { BroadcastResult, Client, TxEvent, TxInfo } from "../client/client.ts";
import { TxTimeoutError } from "../client/errors.ts";
import type { Signer } from "../client/signer.ts";
import { buildTx } from "../client/tx_builder.ts";
import type { BlocksByHand } from "./blocks_by_hand.ts";
import { ProviderError } from "./errors.ts";
import type { GasPrice } from "./gas.ts";
import {
  expectedSequence,
  failedMessage,
  feeOfTx,
  isOfTheTx,
  isOutOfGas,
  isWrongSequence,
  messageBytes,
  offerTx,
  type Outgoing,
  type Refusal,
} from "./tx_facts.ts";

/** What became of one message: the chain's encoded response and its events, or a refusal. */
export type Outcome =
  | { readonly response: Uint8Array; readonly events: readonly TxEvent[]; readonly refusal?: never }
  | { readonly refusal: Refusal };

export interface SenderOptions {
  readonly gasPrice: GasPrice;
  /** Most messages, bytes and gas of one tx. */
  readonly messagesMax?: number;
  readonly bytesMax?: number;
  readonly gasMax?: bigint;
  /** Makes blocks where nothing else does (virtual time). */
  readonly blocks?: BlocksByHand | undefined;
  /** Called for every tx that got into a block. */
  readonly onTx?: (() => void) | undefined;
}

const MESSAGES_MAX = 100;
const BYTES_MAX = 400_000;
const GAS_MAX = 10_000_000n;
const INCLUSION_TIMEOUT_MS = 60_000;
const POLL_MS = 15;
const BLOCKS_MAX = 100;
const RESYNCS_MAX = 5;
const MEMPOOL_WAITS_MAX = 600;

interface Batch {
  readonly items: readonly Outgoing[];
  /** Places of the items in what `send` was given. */
  readonly places: readonly number[];
  /** Factor on the gas limit, raised when the chain says that it ran out. */
  readonly gasFactor: bigint;
}

interface Posted {
  readonly batch: Batch;
  readonly hash: string;
}

/**
 * Sends messages of one signer in txs of many, several in flight, with the sequence kept here: one
 * sender per account, and nobody else may use the account meanwhile. A tx that fails in a block is
 * narrowed down to the message at fault; the others are sent again without it.
 */
export class TxSender {
  readonly #client: Client;
  readonly #signer: Signer;
  readonly #options: SenderOptions;
  #accountNumber = 0n;
  #sequence: bigint | undefined;
  // Txs reach the mempool one after the other, in the order of their sequences, and the txs of one
  // call before those of the next.
  #lock: Promise<unknown> = Promise.resolve();

  constructor(client: Client, signer: Signer, options: SenderOptions) {
    this.#client = client;
    this.#signer = signer;
    this.#options = options;
  }

  get signer(): Signer {
    return this.#signer;
  }

  /**
   * One outcome per message, in order, once all are in blocks or refused. Messages run in the order
   * given, except those that are sent again because one beside them was refused.
   * @throws ProviderError `tx_refused`, `insufficient_funds` when no message is at fault (fee, funds,
   *   signature); ConnectionError; TxTimeoutError.
   */
  async send(items: readonly Outgoing[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    let batches = this.#split(items);
    while (batches.length > 0) {
      const again: Batch[] = [];
      const posted = await this.#postAll(batches, outcomes, again);
      for (const { batch, hash } of posted) {
        const tx = await this.#included(hash);
        this.#options.onTx?.();
        if (tx.code === 0) settleBatch(batch, tx, outcomes);
        else again.push(...narrow(batch, tx, outcomes));
      }
      batches = again;
    }
    return outcomes;
  }

  /** Posts batches in order, and has a block made of them where blocks are made by hand. */
  async #postAll(
    batches: readonly Batch[],
    outcomes: Outcome[],
    again: Batch[],
  ): Promise<Posted[]> {
    const { blocks } = this.#options;
    const posted: Posted[] = [];
    const post = async () => {
      for (const batch of batches) {
        const hash = await this.#post(batch, outcomes, again);
        if (hash !== undefined) posted.push({ batch, hash });
      }
    };
    const turn = this.#lock.then(post);
    this.#lock = turn.catch(() => undefined);
    if (blocks === undefined) await turn;
    else await blocks.after(() => turn);
    return posted;
  }

  #split(items: readonly Outgoing[]): Batch[] {
    const { messagesMax = MESSAGES_MAX, bytesMax = BYTES_MAX, gasMax = GAS_MAX } = this.#options;
    const batches: Batch[] = [];
    let [places, bytes, gas]: [number[], number, bigint] = [[], 0, 0n];
    const close = () => {
      if (places.length > 0) batches.push(batchOf(places, items));
      [places, bytes, gas] = [[], 0, 0n];
    };
    items.forEach((item, place) => {
      const size = messageBytes(item.message);
      const full = places.length >= messagesMax || bytes + size > bytesMax;
      if (full || gas + item.gas > gasMax) close();
      places.push(place);
      bytes += size;
      gas += item.gas;
    });
    close();
    return batches;
  }

  /** The hash of the tx in the mempool; undefined when its check refused it and it was split. */
  async #post(batch: Batch, outcomes: Outcome[], again: Batch[]): Promise<string | undefined> {
    const result = await this.#broadcast(batch);
    if (result.code === 0) return result.hash;
    const refusal = { codespace: result.codespace, code: result.code, log: result.log };
    if (isOutOfGas(refusal)) again.push(withMoreGas(batch, refusal));
    else if (isOfTheTx(refusal)) {
      throw new ProviderError("tx_refused", `the node refused a tx: ${refusal.log}`);
    } else again.push(...halve(batch, refusal, outcomes));
    return undefined;
  }

  async #broadcast(batch: Batch): Promise<BroadcastResult> {
    let resyncs = 0;
    for (let waits = 0; ; waits += 1) {
      this.#sequence ??= await this.#readAccount();
      const tx = this.#build(batch, this.#sequence);
      const result = await offerTx(this.#client, tx);
      if (result === "wait") {
        if (waits >= MEMPOOL_WAITS_MAX) {
          throw new ProviderError("mempool_full", "the node's mempool stays full");
        }
        await this.#pauseForBlock();
        continue;
      }
      if (isWrongSequence(result) && resyncs < RESYNCS_MAX) {
        resyncs += 1;
        // Somebody used the account, or txs in flight were lost: the chain knows the next sequence
        // once its mempool is empty of ours.
        await this.#pauseForBlock();
        this.#sequence = expectedSequence(result.log);
        continue;
      }
      if (result.code === 0) this.#sequence += 1n;
      return result;
    }
  }

  async #readAccount(): Promise<bigint> {
    const account = await this.#client.account(this.#signer.address);
    if (account === undefined) {
      const detail = `account ${this.#signer.address} does not exist on the chain: fund it first`;
      throw new ProviderError("unknown_account", detail);
    }
    this.#accountNumber = account.accountNumber;
    return account.sequence;
  }

  #build(batch: Batch, sequence: bigint): Uint8Array {
    const messages = batch.items.map(({ message }) => message);
    return buildTx({
      messages,
      signer: this.#signer,
      chainId: this.#client.chainId,
      accountNumber: this.#accountNumber,
      sequence,
      fee: feeOfTx(batch.items, this.#options.gasPrice, batch.gasFactor),
    });
  }

  async #included(hash: string): Promise<TxInfo> {
    const { blocks } = this.#options;
    if (blocks === undefined) {
      const options = { timeoutMs: INCLUSION_TIMEOUT_MS, pollMs: POLL_MS };
      return this.#client.waitForTx(hash, options);
    }
    // Blocks are bounded: what does not fit into one is in a later one.
    for (let more = 0; more < BLOCKS_MAX; more += 1) {
      const tx = await this.#client.tx(hash);
      if (tx !== undefined) return tx;
      await blocks.after(async () => {});
    }
    throw new TxTimeoutError(hash, 0);
  }

  async #pauseForBlock(): Promise<void> {
    const { blocks } = this.#options;
    // A sender that waits here is posting: it must not wait for itself to end.
    if (blocks !== undefined) await blocks.now();
    else await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function batchOf(places: readonly number[], items: readonly Outgoing[], gasFactor = 1n): Batch {
  return { places, items: places.map((place) => items[place] as Outgoing), gasFactor };
}

function part(batch: Batch, from: number, to: number): Batch {
  const { gasFactor } = batch;
  return { places: batch.places.slice(from, to), items: batch.items.slice(from, to), gasFactor };
}

function settleBatch(batch: Batch, tx: TxInfo, outcomes: Outcome[]): void {
  const events = eventsByMessage(tx.events, batch.items.length);
  batch.places.forEach((place, index) => {
    const response = tx.responses[index]?.value ?? new Uint8Array(0);
    outcomes[place] = { response, events: events[index] ?? [] };
  });
}

function eventsByMessage(events: readonly TxEvent[], count: number): TxEvent[][] {
  const lists: TxEvent[][] = Array.from({ length: count }, () => []);
  for (const each of events) {
    const index = each.attributes.find(({ key }) => key === "msg_index")?.value;
    if (index !== undefined) lists[Number(index)]?.push(each);
  }
  return lists;
}

/** What of a failed batch is sent again: all but the message that the error names. */
function narrow(batch: Batch, tx: TxInfo, outcomes: Outcome[]): Batch[] {
  const refusal = { codespace: tx.codespace, code: tx.code, log: tx.log };
  if (isOutOfGas(refusal)) return [withMoreGas(batch, refusal)];
  if (refusal.codespace === "sdk" && refusal.code === 5) {
    throw new ProviderError("insufficient_funds", `the chain refused a tx: ${refusal.log}`);
  }
  const index = failedMessage(tx.log) ?? -1;
  const place = batch.places[index];
  if (place === undefined) return halve(batch, refusal, outcomes);
  outcomes[place] = { refusal };
  const rest = [part(batch, 0, index), part(batch, index + 1, batch.places.length)];
  // Those before the refused message have been seen to work; one tx takes them all.
  const places = rest.flatMap((each) => each.places);
  const items = rest.flatMap((each) => each.items);
  return places.length === 0 ? [] : [{ places, items, gasFactor: batch.gasFactor }];
}

/** Two halves, or the outcome of the one message that is left. */
function halve(batch: Batch, refusal: Refusal, outcomes: Outcome[]): Batch[] {
  const { length } = batch.places;
  if (length === 1) {
    outcomes[batch.places[0] as number] = { refusal };
    return [];
  }
  const middle = length >> 1;
  return [part(batch, 0, middle), part(batch, middle, length)];
}

const GAS_FACTOR_MAX = 64n;

function withMoreGas(batch: Batch, refusal: Refusal): Batch {
  const gasFactor = batch.gasFactor * 2n;
  if (gasFactor > GAS_FACTOR_MAX) {
    throw new ProviderError(
      "tx_refused",
      `a tx takes far more gas than documented: ${refusal.log}`,
    );
  }
  return { ...batch, gasFactor };
}
