import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Bytes read from and written to storage, over all devices. */
export interface IoBytes {
  readonly readBytes: bigint;
  readonly writtenBytes: bigint;
}

/**
 * The files of a cgroup (v2), as the kernel writes them: exact, and undefined for a file that is not
 * there or does not say what it should. See Documentation/admin-guide/cgroup-v2.rst of the kernel.
 */
export class CgroupFiles {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Tells the group from a later one of the same path; undefined when there is none. */
  identity(): string | undefined {
    const stat = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    return stat?.isDirectory() === true ? `${stat.dev}:${stat.ino}` : undefined;
  }

  /** CPU time of all that ran in the group, what has ended too. */
  cpuMicroseconds(): bigint | undefined {
    return whole(/^usage_usec ([0-9]+)$/m.exec(this.#text("cpu.stat") ?? "")?.[1]);
  }

  memoryBytes(): bigint | undefined {
    return this.#number("memory.current");
  }

  /** The most that the group has held at once. */
  memoryPeakBytes(): bigint | undefined {
    return this.#number("memory.peak");
  }

  /** Tasks of the group: processes and their threads. */
  tasks(): bigint | undefined {
    return this.#number("pids.current");
  }

  io(): IoBytes | undefined {
    const text = this.#text("io.stat");
    if (text === undefined) return undefined;
    let readBytes = 0n;
    let writtenBytes = 0n;
    // A group that has read and written nothing has an empty file.
    for (const [, name, bytes = "0"] of text.matchAll(/ ([rw])bytes=([0-9]+)/g)) {
      if (name === "r") readBytes += BigInt(bytes);
      else writtenBytes += BigInt(bytes);
    }
    return { readBytes, writtenBytes };
  }

  #number(file: string): bigint | undefined {
    return whole(/^([0-9]+)\n?$/.exec(this.#text(file) ?? "")?.[1]);
  }

  #text(file: string): string | undefined {
    try {
      return readFileSync(join(this.path, file), "utf8");
    } catch {
      return undefined;
    }
  }
}

function whole(digits: string | undefined): bigint | undefined {
  return digits === undefined ? undefined : BigInt(digits);
}
