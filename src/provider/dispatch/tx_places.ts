import type { Client } from "../../client/client.ts";
import type { NodePool } from "./node_pool.ts";
import type { TxPlace } from "./tx_maker.ts";

/** Where the next tx of an account goes: its sequence, and the last block that may take it. */
export class TxPlaces {
  readonly #pool: NodePool;
  readonly #address: string;
  readonly #timeoutBlocks: bigint;
  #accountNumber = 0n;
  /** undefined: read from the chain once nothing is in flight. */
  #sequence: bigint | undefined;

  constructor(pool: NodePool, address: string, timeoutBlocks: bigint) {
    this.#pool = pool;
    this.#address = address;
    this.#timeoutBlocks = timeoutBlocks;
  }

  get sequence(): bigint | undefined {
    return this.#sequence;
  }

  /** The sequence of the next tx; undefined: the chain has to be asked. */
  set sequence(sequence: bigint | undefined) {
    this.#sequence = sequence;
  }

  /**
   * @param mustAsk whether the height of before may be an old one
   * @param call of a node
   * @returns undefined: the account does not exist on the chain
   */
  async next(
    mustAsk: boolean,
    call: <T>(work: (client: Client) => Promise<T>) => Promise<T>,
  ): Promise<TxPlace | undefined> {
    const pool = this.#pool;
    const status =
      mustAsk || pool.height === 0n ? await call((client) => pool.statusOf(client)) : undefined;
    if (this.#sequence === undefined) {
      const account = await call((client) => client.account(this.#address));
      if (account === undefined) return undefined;
      this.#accountNumber = account.accountNumber;
      this.#sequence = account.sequence;
    }
    const height = status === undefined ? pool.height : status.latestHeight;
    return {
      chainId: pool.chainId ?? "",
      accountNumber: this.#accountNumber,
      sequence: this.#sequence,
      timeoutHeight: height + this.#timeoutBlocks,
    };
  }
}
