import { readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClassicLevel } from "classic-level";
import { ProviderError } from "../errors.ts";

export type Level = ClassicLevel<string, string>;

/** What a LevelDB writes when it is opened, besides its log once more. */
const OPENING_BYTES = 65_536;
const PROBE = "room";

/**
 * The LevelDB of an outbox, opened anew after a write that failed. A full disk leaves half a write
 * at the end of LevelDB's log; it would take further writes and say so, and at the next start all of
 * them would be gone, because the log is read up to the half one only.
 */
export class OutboxLevel {
  readonly #level: Level;
  readonly #folder: string;
  #isTorn = false;
  #reads = 0;
  /** While it is being opened anew. */
  #closed: Promise<void> | undefined;
  #onLastRead: (() => void) | undefined;

  constructor(level: Level, folder: string) {
    this.#level = level;
    this.#folder = folder;
  }

  /** @throws ProviderError `outbox_disk`; whatever the work throws */
  async read<T>(work: (level: Level) => Promise<T>): Promise<T> {
    while (this.#closed !== undefined) await this.#closed;
    this.#reads += 1;
    try {
      return await work(this.#level);
    } catch (error) {
      throw this.#diskError("read", error);
    } finally {
      this.#reads -= 1;
      if (this.#reads === 0) this.#onLastRead?.();
    }
  }

  /**
   * Before a write, by the one writer that there is.
   * @returns whether it was opened anew: what of the failed write counts is read again
   * @throws ProviderError `outbox_disk`
   */
  async mend(): Promise<boolean> {
    if (!this.#isTorn) return false;
    try {
      await this.#openAnew();
      return true;
    } catch (error) {
      throw this.#diskError("written", error);
    }
  }

  /** @throws ProviderError `outbox_disk`: whether it counts is known when it was mended */
  async write(work: (level: Level) => Promise<void>): Promise<void> {
    try {
      await work(this.#level);
    } catch (error) {
      this.#isTorn = true;
      throw this.#diskError("written", error);
    }
  }

  async close(): Promise<void> {
    await this.#level.close();
  }

  async #openAnew(): Promise<void> {
    await this.#requireRoom();
    let reopened: () => void = () => undefined;
    this.#closed = new Promise((resolve) => {
      reopened = resolve;
    });
    try {
      if (this.#reads > 0) {
        await new Promise<void>((resolve) => {
          this.#onLastRead = resolve;
        });
      }
      await this.#level.close();
      await this.#level.open();
      this.#isTorn = false;
    } finally {
      this.#onLastRead = undefined;
      this.#closed = undefined;
      reopened();
    }
  }

  /** A LevelDB that is closed and cannot be opened could not even be read. */
  async #requireRoom(): Promise<void> {
    const db = join(this.#folder, "db");
    let bytes = OPENING_BYTES;
    for (const name of await readdir(db)) {
      if (name.endsWith(".log")) bytes += (await stat(join(db, name))).size;
    }
    const probe = join(this.#folder, PROBE);
    try {
      await writeFile(probe, new Uint8Array(bytes), { flush: true });
    } finally {
      await rm(probe, { force: true });
    }
  }

  #diskError(verb: "read" | "written", error: unknown): unknown {
    const { code = "", message } = ((error as Error).cause ?? error) as Error & { code?: string };
    const isOfDisk = code.startsWith("LEVEL_") || /^E[A-Z]+$/.test(code);
    if (!isOfDisk) return error;
    const what = "make room or mend the disk, and the daemon goes on where it was";
    const text = `the outbox ${this.#folder} cannot be ${verb}: ${message}: ${what}`;
    return new ProviderError("outbox_disk", text);
  }
}
