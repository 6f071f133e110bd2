import { setTimeout as sleep } from "node:timers/promises";
import type { DoorName } from "./doors.ts";
import {
  type Fault,
  isRequestFault,
  REQUEST_FAULTS,
  type RequestClass,
  type RequestFaultKind,
  type RequestPoint,
} from "./fault.ts";

export type RequestFault = Fault & { readonly kind: RequestFaultKind; readonly at: RequestPoint };
export type Counts = Record<RequestClass, number>;
/** Told of a request as it arrives, before the node sees it. */
export type OnRequest = (counts: Readonly<Counts>, requestClass: RequestClass) => void;

/** A request that has arrived at a door. */
export interface Visit {
  /** Its place among all requests, from 1 on. */
  readonly number: number;
  /** What is to happen to it, in the order of REQUEST_FAULTS. */
  readonly faults: readonly RequestFault[];
}

/** Faults whose answer does not come from the node. */
export type MadeKind = "unavailable" | "bad_gateway" | "garbage";

/** What a door can do with one request; `A` is an answer as that door has them. */
export interface Asking<A> {
  /** Hands the request to the node, every time that it is called. */
  ask(): Promise<A>;
  /** An earlier answer to the same question; undefined: there is none. */
  earlier(): A | undefined;
  /** Waits until what the node took is in a block. */
  untilDone(answer: A): Promise<void>;
  make(kind: MadeKind): A;
  /** The client does not get this answer. */
  drop(answer: A): void;
}

/** Counts the requests of all doors together and knows what is to happen to which. */
export class FaultDesk {
  /** Faults that have happened so far. */
  readonly applied = new Set<Fault>();
  readonly counts: Counts = { broadcast: 0, query: 0, lookup: 0, other: 0, any: 0 };
  readonly countsByDoor: Record<DoorName, number> = { rpc: 0, rest: 0, grpc: 0 };
  /** Requests that are still on their way: a node may yet do what they ask. */
  open = 0;
  readonly #faults: readonly RequestFault[];
  readonly #onRequest: OnRequest | undefined;
  readonly #held = new Set<{ readonly after: number; readonly release: () => void }>();

  /** @param faults those that do not happen to requests are passed over */
  constructor(faults: readonly Fault[], onRequest: OnRequest | undefined) {
    this.#faults = faults.filter(isRequestFault);
    this.#onRequest = onRequest;
  }

  /** Whether first answers are to be kept for later. */
  get remembers(): boolean {
    return this.#faults.some(({ kind }) => kind === "stale");
  }

  arrive(door: DoorName, requestClass: Exclude<RequestClass, "any">): Visit {
    const counts = this.counts;
    counts[requestClass] += 1;
    counts.any += 1;
    this.countsByDoor[door] += 1;
    this.#onRequest?.({ ...counts }, requestClass);
    const place = ({ kind }: RequestFault) => REQUEST_FAULTS.indexOf(kind);
    const faults = this.#faults
      .filter(({ at: { of, nth } }) => (of === requestClass || of === "any") && counts[of] === nth)
      .sort((a, b) => place(a) - place(b));
    return { number: counts.any, faults };
  }

  /** What the client is to get; faults of the answer's bytes are left to the door. */
  async answer<A>({ faults, number }: Visit, asking: Asking<A>): Promise<A | "cut"> {
    const askInVain = async () => asking.drop(await asking.ask());
    for (const fault of faults) {
      const early = fault.kind === "stale" ? asking.earlier() : undefined;
      if (fault.kind === "stale" && early === undefined) continue;
      this.applied.add(fault);
      switch (fault.kind) {
        case "delay":
          await sleep(fault.ms ?? 0);
          break;
        case "hold":
          await this.#hold(number, fault.ms ?? 0);
          break;
        case "cut_request":
          return "cut";
        case "unavailable":
          return asking.make("unavailable");
        case "stale":
          if (early !== undefined) return early;
          break;
        case "duplicate":
          await askInVain();
          break;
        case "lose_answer": {
          const lost = await asking.ask();
          await asking.untilDone(lost);
          asking.drop(lost);
          return "cut";
        }
        case "bad_gateway":
        case "garbage":
          await askInVain();
          return asking.make(fault.kind);
        case "cut_answer":
        case "truncated":
        case "drip":
          // Of the bytes.
          break;
      }
    }
    return asking.ask();
  }

  /** Waits until a request that came later has been answered. */
  async #hold(number: number, ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => held.release(), ms);
      const held = {
        after: number,
        release: () => {
          clearTimeout(timer);
          this.#held.delete(held);
          resolve();
        },
      };
      this.#held.add(held);
    });
  }

  /** The answer of a request has been given: those that wait for it go on. */
  letGo({ number }: Visit): void {
    for (const { after, release } of this.#held) if (after < number) release();
  }

  close(): void {
    for (const { release } of this.#held) release();
  }
}
