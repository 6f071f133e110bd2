import type { ProviderLog } from "../provider_log.ts";
import type { Usage } from "../collect/collector.ts";
import { ProviderError } from "../errors.ts";
import type { Outbox, OutboxChange } from "../outbox/outbox.ts";
import { decodeWindow, encodeWindow } from "../outbox/outbox_codec.ts";
import { windowKey } from "../outbox/outbox_keys.ts";
import type { OutboxRecord } from "../outbox/outbox_record.ts";
import type { PriceBook } from "../price_book.ts";
import { RESOURCES, type Resource } from "../units.ts";
import type { ClosedWindow, LeaseRef } from "../windows/closed_window.ts";
import type { LeaseTerms } from "../windows/lease_windows.ts";
import type { WindowBook } from "../windows/window_book.ts";
import { recordsOf } from "../windows/window_records.ts";
import { windowName } from "./export_row.ts";
import { UNPRICED_NOTES } from "./status.ts";

const REPEAT_MS = 1000;

export interface IntakeOptions {
  readonly book: WindowBook;
  readonly prices: PriceBook;
  readonly outbox: Outbox;
  readonly log: ProviderLog;
  readonly nowMs: () => number;
  /** Told when new records are on the disk. */
  readonly onRecords: () => void;
  /** Told when a write fails, and with "" when writing works again. */
  readonly onDisk: (fault: string) => void;
  /** Ends the wait for a disk that does not take anything. */
  readonly signal: AbortSignal;
}

/**
 * Where usage becomes windows, windows become records, and all that belongs together is written at
 * once: windows, records, the state of open windows, and how far each source was read. So a crash
 * at any moment neither loses usage nor counts it twice.
 *
 * What a source adds and where it was read to are told in one turn of the event loop: a write in
 * between sees both or neither.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #notes = new Map<string, string | undefined>();
  /** Cursors as values: they are made text once a write. */
  readonly #cursors = new Map<string, unknown>();
  #windows: ClosedWindow[] = [];
  #repriced: OutboxRecord[] = [];
  #writing: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Opens a lease's windows unless they are; false: it has ended later than this start. */
  open(terms: LeaseTerms): boolean {
    return this.#options.book.open(terms);
  }

  /** @throws ProviderError `unknown_lease`, `lease_ended`, `bad_usage`; then nothing is counted */
  add(ref: LeaseRef, usage: Usage): void {
    this.#options.book.add(ref, usage);
  }

  /** Where a source was read to: JSON. */
  cursor(name: string, value: unknown): void {
    this.#cursors.set(name, value);
  }

  /** A note that goes with the next write; undefined removes it. */
  note(name: string, text: string | undefined): void {
    this.#notes.set(name, text);
  }

  /** Says of the window of a time that something was not measured; of all leases without `ref`. */
  fault(atMs: number, text: string, ref?: LeaseRef): void {
    this.#options.book.addFault(atMs, text, ref);
  }

  /** Closes the windows of a lease that end by then. @returns how many; 0 when it is not open */
  close(untilS: bigint, ref: LeaseRef): number {
    if (this.#options.book.terms(ref) === undefined) return 0;
    const closed = this.#options.book.closeUntil(untilS, ref);
    for (const window of closed) this.#take(window);
    return closed.length;
  }

  /** Closes all windows of a lease that has ended, if it is open. */
  end(ref: LeaseRef, endS: bigint): void {
    if (this.#options.book.terms(ref) === undefined) return;
    const { windows, unbilled } = this.#options.book.end(ref, endS);
    for (const window of windows) this.#take(window);
    const left = RESOURCES.filter((resource) => unbilled[resource] > 0n);
    const facts = Object.fromEntries(left.map((name: Resource) => [name, unbilled[name]]));
    const { order, lease } = ref;
    this.#options.log.info("a lease has ended", { order, lease, end: endS, ...facts });
  }

  #take(window: ClosedWindow): void {
    this.#windows.push(window);
    const { log } = this.#options;
    const facts = { window: windowName(window), units: unitsText(window) };
    if (window.isPartial) {
      log.warn("a window is partial", { ...facts, faults: window.faults.join("; ") });
    } else log.info("a window is closed", facts);
    if (window.late.length > 0) {
      log.warn("late usage is billed with a later window", {
        ...{ window: facts.window, late: window.late.join("; ") },
      });
    }
  }

  /** Tries windows again that had no price when they were closed. */
  async priceAgain(): Promise<void> {
    for (const [name, text] of await this.#options.outbox.notes(UNPRICED_NOTES)) {
      const records = this.#priced(decodeWindow(text));
      if (records === undefined) continue;
      this.#repriced.push(...records);
      this.note(name, undefined);
    }
    await this.flush();
  }

  /**
   * Writes all that has been told. Returns when it is on the disk: while the disk refuses, it is
   * tried again and again. Calls at the same time share writes.
   * @throws the abort's reason when the signal ends the wait
   */
  flush(): Promise<void> {
    // A write that has not begun takes along what is told until it does.
    this.#queued ??= this.#writing.then(() => {
      this.#queued = undefined;
      this.#writing = this.#write();
      return this.#writing;
    });
    return this.#queued;
  }

  async #write(): Promise<void> {
    const change = this.#takeChange();
    if (change === undefined) return;
    for (;;) {
      try {
        await this.#options.outbox.write(change);
        break;
      } catch (error) {
        const { message } = error as Error;
        this.#options.onDisk(`nothing can be written: ${message}`);
        this.#options.log.error("the outbox cannot be written; tried again", { reason: message });
        await pause(REPEAT_MS, this.#options.signal);
      }
    }
    this.#options.onDisk("");
    if ((change.records?.length ?? 0) > 0) this.#options.onRecords();
  }

  #takeChange(): OutboxChange | undefined {
    const windows = this.#windows;
    const records = [...this.#repriced, ...windows.flatMap((window) => this.#recordsOf(window))];
    this.#windows = [];
    this.#repriced = [];
    const notes = new Map([...this.#notes, ...this.#options.book.takeChanges()]);
    for (const [name, value] of this.#cursors) notes.set(name, JSON.stringify(value));
    this.#notes.clear();
    this.#cursors.clear();
    if (windows.length + records.length + notes.size === 0) return undefined;
    return { windows, records, notes };
  }

  #recordsOf(window: ClosedWindow): OutboxRecord[] {
    const records = this.#priced(window);
    if (records === undefined)
      this.note(`${UNPRICED_NOTES}${windowKey(window)}`, encodeWindow(window));
    return records ?? [];
  }

  /** undefined: a price is missing. Nothing of the window is billed until it is there. */
  #priced(window: ClosedWindow): OutboxRecord[] | undefined {
    try {
      return recordsOf(window, this.#options.prices, this.#options.nowMs());
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      const facts = { window: windowName(window), reason: error.message };
      this.#options.log.error("a window waits for a price", facts);
      return undefined;
    }
  }
}

function unitsText({ units }: ClosedWindow): string {
  const parts = units.map((each) => `${each.units} ${each.resource}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}

/** @throws the signal's reason when it is aborted meanwhile */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
