import { toSafeNumber } from "../../lib/int.ts";
import type { Usage } from "../collect/collector.ts";
import { ProviderError } from "../errors.ts";
import { NO_METRICS, rawUsage, type Resource } from "../units.ts";
import type { ClosedWindow, LeaseRef } from "./closed_window.ts";
import { type EndedLease, leaseNoteName, readLeaseNote, writeLeaseNote } from "./lease_note.ts";
import { type LeaseTerms, LeaseWindows } from "./lease_windows.ts";
import { NOTHING_WATCHED } from "./watch.ts";

/** Twelve digits of seconds: the years 1970 to 33658; beyond, a time is a mistake. */
const SECONDS_MAX = 999_999_999_999n;
/** Windows that one call closes: after days away, or a clock that was set years ahead. */
const CLOSED_MAX = 20_000;

/**
 * The windows of all leases: [start, end), aligned to the interval from the unix epoch, but for the
 * first one's start and the last one's end, which are the lease's. Windows of a lease touch.
 *
 * It lives in memory. Whoever changes it writes what `takeChanges` gives in the same
 * `outbox.write` as the closed windows and the cursor of the source; after a crash `restore` brings
 * back what was written last, and the source's cursor fits it.
 */
export class WindowBook {
  readonly #intervalMs: number;
  readonly #leases = new Map<string, LeaseWindows>();
  readonly #ended = new Map<string, EndedLease>();
  readonly #changed = new Set<string>();

  /** @throws ProviderError `bad_interval` for one that is not above 0. */
  constructor({ intervalSeconds }: { readonly intervalSeconds: bigint }) {
    if (intervalSeconds <= 0n || intervalSeconds > SECONDS_MAX) {
      const rule = "the interval of windows must be a number of seconds above 0";
      throw new ProviderError("bad_interval", `${rule}, found ${intervalSeconds}`);
    }
    this.#intervalMs = toSafeNumber(intervalSeconds) * 1000;
  }

  /**
   * Begins the windows of a lease. One that is open already keeps the terms that it began with.
   * Returns whether it is open: one that has ended begins anew only at its end or later.
   */
  open(terms: LeaseTerms): boolean {
    const key = leaseNoteName(terms);
    if (this.#leases.has(key)) return true;
    const ended = this.#ended.get(key);
    if (ended !== undefined && terms.startS < ended.endS) return false;
    const nextMs = milliseconds(terms.startS);
    const fresh = { nextMs, remainders: rawUsage(NO_METRICS), billed: {}, open: new Map() };
    const { order, lease, rounding, billsFootprint, startS } = terms;
    const own = { order, lease, rounding, billsFootprint, startS };
    const state = { terms: own, ...fresh, watch: NOTHING_WATCHED };
    this.#leases.set(key, new LeaseWindows(this.#intervalMs, state));
    this.#ended.delete(key);
    this.#changed.add(key);
    return true;
  }

  /** Terms of an open lease; undefined when it is not open. */
  terms(ref: LeaseRef): LeaseTerms | undefined {
    return this.#leases.get(leaseNoteName(ref))?.terms;
  }

  /** Terms of all open leases, in the order in which they were opened. */
  leases(): LeaseTerms[] {
    return [...this.#leases.values()].map(({ terms }) => terms);
  }

  /** Where the first open window of a lease begins, unix seconds; undefined when it is not open. */
  openSince(ref: LeaseRef): bigint | undefined {
    const windows = this.#leases.get(leaseNoteName(ref));
    return windows === undefined ? undefined : BigInt(windows.nextMs / 1000);
  }

  /**
   * Counts what a source told. A continuous span is shared out over its windows by time; any other
   * belongs whole to the window of its end. What belongs to a closed window goes into the next one
   * to close, which names it.
   * @throws ProviderError `unknown_lease`, `lease_ended`, `bad_usage`; then nothing is counted.
   */
  add(ref: LeaseRef, usage: Usage): void {
    const key = leaseNoteName(ref);
    const windows = this.#get(ref, key);
    checkUsage(ref, usage);
    windows.add(usage);
    this.#changed.add(key);
  }

  /**
   * Says of the window of a time (unix milliseconds), or of the first open one, that something of it
   * was not measured; of all open leases without `ref`.
   */
  addFault(atMs: number, fault: string, ref?: LeaseRef): void {
    const all = ref === undefined ? [...this.#leases.keys()] : [leaseNoteName(ref)];
    for (const key of all) {
      const windows = this.#leases.get(key);
      if (windows === undefined) continue;
      windows.addFault(atMs, fault);
      this.#changed.add(key);
    }
  }

  /**
   * Closes the windows that end at `untilS` or before, of one lease or of all, oldest first by
   * lease. Every source must have told its usage up to there: what comes later is late. At most
   * 20,000 at a time; the next call goes on with the rest.
   */
  closeUntil(untilS: bigint, ref?: LeaseRef): ClosedWindow[] {
    const untilMs = milliseconds(untilS);
    if (ref !== undefined) {
      const key = leaseNoteName(ref);
      return this.#close(key, this.#get(ref, key), untilMs, CLOSED_MAX);
    }
    const closed: ClosedWindow[] = [];
    for (const [key, windows] of this.#leases) {
      const left = CLOSED_MAX - closed.length;
      if (left === 0) break;
      for (const window of this.#close(key, windows, untilMs, left)) closed.push(window);
    }
    return closed;
  }

  #close(key: string, windows: LeaseWindows, untilMs: number, limit: number): ClosedWindow[] {
    if (windows.nextEndMs > untilMs) return [];
    this.#changed.add(key);
    return windows.closeUntil(untilMs, limit);
  }

  /**
   * Closes all windows of a lease, the last one at `endS`, or where the last one closed ended when
   * that is later. `unbilled`: what is left of units and is dropped, in raw units.
   * @throws ProviderError `unknown_lease`, `lease_ended`
   */
  end(
    ref: LeaseRef,
    endS: bigint,
  ): { windows: ClosedWindow[]; unbilled: Record<Resource, bigint> } {
    const key = leaseNoteName(ref);
    const lease = this.#get(ref, key);
    const ended = lease.end(milliseconds(endS));
    this.#leases.delete(key);
    this.#ended.set(key, { ...ref, endS: BigInt(lease.nextMs / 1000) });
    this.#changed.add(key);
    return ended;
  }

  /** Drops what is known of a lease that has ended: from then on it may begin at any time. */
  forget(ref: LeaseRef): void {
    const key = leaseNoteName(ref);
    if (this.#ended.delete(key)) this.#changed.add(key);
  }

  /**
   * Drops what is known of leases that ended before a time: rows of theirs that come later still
   * are metered anew, and the chain, which has their periods, refuses them.
   * @returns how many
   */
  forgetEnded(beforeS: bigint): number {
    const old = [...this.#ended.values()].filter(({ endS }) => endS < beforeS);
    for (const ref of old) this.forget(ref);
    return old.length;
  }

  /** Notes of the leases that changed since this was asked last; undefined: remove the note. */
  takeChanges(): Map<string, string | undefined> {
    const changes = new Map<string, string | undefined>();
    for (const key of this.#changed) {
      const state = this.#leases.get(key)?.state() ?? this.#ended.get(key);
      changes.set(key, state === undefined ? undefined : writeLeaseNote(state));
    }
    this.#changed.clear();
    return changes;
  }

  /**
   * Takes over what was written before: all notes whose name begins with `LEASE_NOTES`.
   * @throws ProviderError `bad_note`
   */
  restore(notes: ReadonlyMap<string, string>): void {
    for (const [key, text] of notes) {
      const state = readLeaseNote(key, text);
      if ("endS" in state) this.#ended.set(key, state);
      else this.#leases.set(key, new LeaseWindows(this.#intervalMs, state));
    }
  }

  #get(ref: LeaseRef, key: string): LeaseWindows {
    const windows = this.#leases.get(key);
    if (windows !== undefined) return windows;
    const ended = this.#ended.get(key);
    const name = `lease ${ref.lease} of order ${ref.order}`;
    if (ended === undefined) {
      throw new ProviderError("unknown_lease", `${name} is not open: open it before it is metered`);
    }
    throw new ProviderError(
      "lease_ended",
      `${name} ended at ${ended.endS}: nothing is added to it`,
    );
  }
}

function checkUsage(ref: LeaseRef, { startMs, endMs, metrics }: Usage): void {
  const refuse = (detail: string) => {
    const name = `usage of lease ${ref.lease} of order ${ref.order}`;
    return new ProviderError("bad_usage", `${name}: ${detail}`);
  };
  const isTime = (ms: number) =>
    Number.isSafeInteger(ms) && ms >= 0 && ms <= Number(SECONDS_MAX) * 1000;
  if (!isTime(startMs) || !isTime(endMs) || endMs < startMs) {
    throw refuse(`a span of unix milliseconds expected, found ${startMs} to ${endMs}`);
  }
  for (const [name, amount] of Object.entries(metrics)) {
    if (amount < 0n) throw refuse(`${name} is negative: ${amount}`);
  }
}

function milliseconds(seconds: bigint): number {
  if (seconds < 0n || seconds > SECONDS_MAX) {
    throw new ProviderError("bad_time", `unix seconds expected, found ${seconds}`);
  }
  return toSafeNumber(seconds) * 1000;
}
