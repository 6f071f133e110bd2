import type { Client } from "../../client/client.ts";
import { QueryError } from "../../client/errors.ts";
import type { Signer } from "../../client/signer.ts";
import { buildSimulationTx } from "../../client/tx_builder.ts";
import type { OutboxRecord } from "../outbox/outbox_record.ts";
import { expectedSequence, failedMessage, type Refusal } from "../tx_facts.ts";
import { isOfRecord } from "./refusal_table.ts";
import type { Load } from "./tx_maker.ts";

/** After a failure so many loads are asked for before they are sent. */
const WARY_LOADS = 20;
/** Orders that are remembered as good ones. */
const TRUSTED_MAX = 100_000;
/** A block may come between the account's sequence and the question. */
const TRIES = 4;

/**
 * What a tx would come to is asked of a node, for nothing, where it may well fail: a tx that fails in
 * a block is paid for. Asked for are records that were tried before, those of an order of which the
 * chain has taken none yet, and whatever comes soon after a failure. All else is sent at once: to
 * ask for every tx would make the node do all work twice.
 */
export class Rehearsal {
  readonly #trusted = new Set<string>();
  #waryLoads = 0;

  isDue(records: readonly OutboxRecord[]): boolean {
    if (this.#waryLoads > 0) return true;
    return records.some(({ attempts, orderId }) => attempts > 0 || !this.#trusted.has(orderId));
  }

  /** The chain took these, or would. */
  trust(records: readonly OutboxRecord[]): void {
    if (this.#trusted.size > TRUSTED_MAX) this.#trusted.clear();
    for (const { orderId } of records) this.#trusted.add(orderId);
  }

  /** The chain refused a record. @param orderId of one whose records are all refused */
  doubt(orderId: string | undefined): void {
    this.#waryLoads = WARY_LOADS;
    if (orderId !== undefined) this.#trusted.delete(orderId);
  }

  /**
   * Why the chain would refuse a record of the load; undefined: it would take them all, or the node
   * cannot tell, and then the tx itself will.
   * @param sequence of the next tx, which the node may not have come to yet
   */
  async ask(
    client: Client,
    load: Load,
    signer: Signer,
    sequence: bigint,
  ): Promise<Refusal | undefined> {
    let expected = sequence;
    for (let tries = 0; tries < TRIES; tries += 1) {
      const refusal = await simulated(client, load, signer, expected);
      if (refusal === undefined) {
        if (this.#waryLoads > 0) this.#waryLoads -= 1;
        this.trust(load.records);
        return undefined;
      }
      const other = refusal.code === 32 ? expectedSequence(refusal.log) : undefined;
      if (other === undefined) return namesRecord(refusal, load) ? refusal : undefined;
      expected = other;
    }
    return undefined;
  }
}

async function simulated(
  client: Client,
  { items }: Load,
  { publicKey }: Signer,
  sequence: bigint,
): Promise<Refusal | undefined> {
  const messages = items.map(({ message }) => message);
  try {
    const tx = buildSimulationTx({ messages, publicKey, sequence });
    const { codespace, code, log } = await client.simulateEffects(tx);
    return code === 0 ? undefined : { codespace, code, log };
  } catch (error) {
    // A node that does not know the question, or does not take it for so large a tx.
    if (!(error instanceof QueryError)) throw error;
    return { codespace: error.codespace, code: error.code, log: error.message };
  }
}

/** Anything else is for the tx itself to find out: it is checked before it is paid for. */
function namesRecord(refusal: Refusal, { records }: Load): boolean {
  const at = failedMessage(refusal.log);
  return at !== undefined && at < records.length && isOfRecord(refusal);
}
