import { statfs } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { ProviderError } from "../errors.ts";
import { bootId } from "../proc_tree.ts";
import type { Collector, MetricName, Moment, OpenCollector, Usage } from "./collector.ts";
import type { DiskSettings } from "./collector_settings.ts";
import { type CursorHead, EarlierCursor } from "./cursor.ts";
import { scanFolder } from "./folder_scan.ts";
import { AREA_PER_SECOND, Gauge } from "./gauge.ts";
import { Remainders } from "./remainder.ts";
import { SpanClock } from "./span_clock.ts";

const KIND = "disk";
const SCAN_SECONDS = 10;
const ENTRIES_MAX = 1_000_000;
const PER_WHOLE = { storageByteSeconds: AREA_PER_SECOND };

/** Meters what is held on disk: a folder, or the file system that a path is on. */
export const openDiskCollector: OpenCollector<DiskSettings> = async (settings, cursor, now) => {
  const { path, scanSeconds = SCAN_SECONDS, maxEntries = ENTRIES_MAX } = settings;
  if (!isAbsolute(path)) {
    const found = JSON.stringify(path);
    throw new ProviderError("bad_collector", `disk: the path must be absolute, and is ${found}`);
  }
  if (!(scanSeconds >= 0) || !(maxEntries > 0)) {
    throw new ProviderError(
      "bad_collector",
      `disk: scanSeconds must be 0 or more and maxEntries 1 or more, and they are ${scanSeconds} and ${maxEntries}`,
    );
  }
  const place = `${settings.measure ?? "folder"} ${path}`;
  const collector = new DiskCollector(
    settings,
    place,
    EarlierCursor.read(cursor, KIND, place),
    now,
  );
  await collector.begin(now);
  return collector;
};

class DiskCollector implements Collector {
  readonly name: string;
  readonly tells: readonly MetricName[] = ["storageByteSeconds"];
  readonly #settings: DiskSettings;
  readonly #place: string;
  readonly #clock: SpanClock;
  readonly #held = new Gauge();
  readonly #remainders: Remainders;
  #scannedMs = 0;
  // Of the last scan: what it could not see is not seen until the next one either.
  #scanFaults: readonly string[] = [];
  #faults: string[] = [];

  constructor(
    settings: DiskSettings,
    place: string,
    earlier: EarlierCursor | undefined,
    now: Moment,
  ) {
    this.name = `${KIND} ${place}`;
    this.#settings = settings;
    this.#place = place;
    this.#clock = new SpanClock(now, earlier?.wallMs);
    this.#remainders = new Remainders(PER_WHOLE, (metric) => earlier?.left(metric));
    if (earlier !== undefined) this.#faults.push(this.#clock.awayText("storage"));
  }

  async begin({ steadyMs }: Moment): Promise<void> {
    this.#held.look(await this.#scan(steadyMs), steadyMs);
  }

  async read(now: Moment): Promise<Usage> {
    const { startMs, endMs, isContinuous } = this.#clock.cut(now);
    const { steadyMs } = now;
    const isDue = steadyMs - this.#scannedMs >= (this.#settings.scanSeconds ?? SCAN_SECONDS) * 1000;
    const area = isDue
      ? this.#held.look(await this.#scan(steadyMs), steadyMs)
      : this.#held.hold(steadyMs);
    this.#remainders.add("storageByteSeconds", area ?? 0n);
    const faults = [...this.#faults, ...this.#scanFaults];
    this.#faults = [];
    return { startMs, endMs, metrics: this.#remainders.take(), isContinuous, faults };
  }

  /** Bytes held now; undefined when nothing at all can be seen. */
  async #scan(steadyMs: number): Promise<bigint | undefined> {
    this.#scannedMs = steadyMs;
    const {
      path,
      measure = "folder",
      count = "allocated",
      maxEntries = ENTRIES_MAX,
    } = this.#settings;
    try {
      if (measure === "filesystem") {
        const { bsize, blocks, bfree } = await statfs(path, { bigint: true });
        this.#scanFaults = [];
        return bsize * (blocks - bfree);
      }
      const { bytes, faults } = await scanFolder(path, count, maxEntries);
      this.#scanFaults = faults;
      return bytes;
    } catch (error) {
      const { code = "unknown error" } = error as NodeJS.ErrnoException;
      this.#scanFaults = [`cannot be read (${code}): storage counts 0`];
      return undefined;
    }
  }

  cursor(): CursorHead & Record<string, unknown> {
    const { wallMs } = this.#clock;
    return {
      ...{ version: 1, kind: KIND, place: this.#place, wallMs, bootId: bootId() },
      left: this.#remainders.toJson(),
    };
  }

  async close(): Promise<void> {}
}
