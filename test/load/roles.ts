import type { ChainReport } from "../../src/cli/running_chain.ts";
import type { Times } from "./stats.ts";

/** What a process of the load is told at its start. */
export interface RoleInput {
  readonly role: RoleName;
  readonly rpc: string;
  readonly report: ChainReport;
  readonly options: LoadOptions;
}

export type RoleName = "subscribers" | "clients" | "payer" | "attacker";

export interface LoadOptions {
  readonly subscribers: number;
  readonly clients: number;
  /** Txs sent in a second. */
  readonly txRate: number;
  /** Pause of a client between an answer and its next query. */
  readonly pauseMs: number;
  /** Of each of the two phases. */
  readonly seconds: number;
}

/** What a role has seen since the phase began. */
export interface RoleFigures {
  /** Of queries, by kind; of events, from the block's time until they came. */
  readonly times: Readonly<Record<string, Times>>;
  readonly counts: Readonly<Record<string, number>>;
  /** Faults by their text; none in a run that is right. */
  readonly errors: Readonly<Record<string, number>>;
}

/** A part of the load, in a process of its own. */
export interface Role {
  /** Forgets what it has seen. */
  reset(): void;
  figures(): RoleFigures;
}

/** Counts by text, no more texts than a report can show. */
export class Counts {
  #counts: Record<string, number> = {};

  add(name: string, count = 1): void {
    const known = name in this.#counts || Object.keys(this.#counts).length < 20;
    const key = known ? name.slice(0, 120) : "others";
    this.#counts[key] = (this.#counts[key] ?? 0) + count;
  }

  reset(): void {
    this.#counts = {};
  }

  all(): Record<string, number> {
    return { ...this.#counts };
  }
}
