import type { BigIntStats } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";

/** Of `st_blocks`, whatever the size of the file system's own blocks; see stat(2). */
const BLOCK_BYTES = 512n;
const FAULTS_MAX = 5;
/** Looked at side by side: no more than Node's threads do at once. */
const BATCH = 16;

interface FolderScan {
  /** Of all that could be looked at. */
  readonly bytes: bigint;
  /** What could not, in words; the first few and how many more. */
  readonly faults: readonly string[];
}

/**
 * Bytes of a folder and all below it, itself included, as du(1) has them: on its own file system,
 * symbolic links not followed, a file with several names counted once.
 * @param maxEntries how many entries are looked at; beyond that the scan is cut short, and says so
 * @throws the system's error when the path itself cannot be read
 */
export async function scanFolder(
  path: string,
  count: "allocated" | "apparent",
  maxEntries: number,
): Promise<FolderScan> {
  const top = await lstat(path, { bigint: true });
  const scan = new Scan(top.dev, count, maxEntries);
  scan.add(path, top);
  if (top.isDirectory()) await scan.walk(path);
  return scan.result();
}

class Scan {
  readonly #device: bigint;
  readonly #count: "allocated" | "apparent";
  readonly #seen = new Set<bigint>();
  readonly #folders: string[] = [];
  readonly #faults: string[] = [];
  #unread = 0;
  #isCut = false;
  #entriesLeft: number;
  #bytes = 0n;

  constructor(device: bigint, count: "allocated" | "apparent", maxEntries: number) {
    this.#device = device;
    this.#count = count;
    this.#entriesLeft = maxEntries;
  }

  add(path: string, stat: BigIntStats): void {
    if (stat.dev !== this.#device) return;
    if (stat.isDirectory()) this.#folders.push(path);
    else if (stat.nlink > 1n) {
      if (this.#seen.has(stat.ino)) return;
      this.#seen.add(stat.ino);
    }
    this.#bytes += this.#count === "allocated" ? stat.blocks * BLOCK_BYTES : stat.size;
  }

  async walk(top: string): Promise<void> {
    for (let folder = this.#folders.pop(); folder !== undefined; folder = this.#folders.pop()) {
      try {
        await this.#walkOne(folder);
      } catch (error) {
        if (folder === top) throw error;
        this.#miss(folder, error);
      }
      if (this.#entriesLeft > 0) continue;
      if (this.#isCut || this.#folders.length > 0) {
        this.#fault("more entries than maxEntries: the rest counts 0");
      }
      return;
    }
  }

  async #walkOne(folder: string): Promise<void> {
    let batch: string[] = [];
    for await (const { name } of await opendir(folder)) {
      if (this.#entriesLeft <= 0) {
        this.#isCut = true;
        break;
      }
      this.#entriesLeft -= 1;
      batch.push(join(folder, name));
      if (batch.length < BATCH) continue;
      await this.#look(batch);
      batch = [];
    }
    await this.#look(batch);
  }

  async #look(paths: readonly string[]): Promise<void> {
    const stats = await Promise.all(
      paths.map(async (path) => {
        try {
          return await lstat(path, { bigint: true });
        } catch (error) {
          this.#miss(path, error);
          return undefined;
        }
      }),
    );
    for (const [at, stat] of stats.entries()) {
      if (stat !== undefined) this.add(paths[at] as string, stat);
    }
  }

  /** An entry that has gone while the folder was walked holds nothing any more. */
  #miss(path: string, error: unknown): void {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") this.#fault(`${path} cannot be read (${code}): it counts 0`);
  }

  #fault(text: string): void {
    if (this.#faults.length < FAULTS_MAX) this.#faults.push(text);
    else this.#unread += 1;
  }

  result(): FolderScan {
    const more = this.#unread === 0 ? [] : [`and ${this.#unread} more that cannot be read`];
    return { bytes: this.#bytes, faults: [...this.#faults, ...more] };
  }
}
