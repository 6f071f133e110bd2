import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Feed, FeedBatch } from "../../../../src/provider/feed/feed.ts";
import { openOutbox } from "../../../../src/provider/outbox/level_outbox.ts";
import type { Outbox } from "../../../../src/provider/outbox/outbox.ts";

/** Fields of a row that is as it should be. */
export function fields(over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    order: "order-1",
    lease: "lease-1",
    start: 3600,
    end: 7200,
    cpu_milliseconds: 5,
    memory_byte_seconds: 0,
    storage_byte_seconds: 0,
    gpu_seconds: 0,
    network_bytes_in: 0,
    network_bytes_out: 0,
    ...over,
  };
}

/** A line of NDJSON whose cpu milliseconds are a number that tells it from others. */
export function line(number: number, over: Record<string, unknown> = {}): string {
  return `${JSON.stringify(fields({ cpu_milliseconds: number, ...over }))}\n`;
}

/** A folder of its own, gone after the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "settled-feed-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A real outbox in a folder, closed after the test. */
export async function outboxIn(path: string): Promise<Outbox> {
  const outbox = await openOutbox(path);
  onTestFinished(() => outbox.close());
  return outbox;
}

/** What a reader has seen of a feed. */
export interface Seen {
  /** Cpu milliseconds of the rows. */
  readonly numbers: number[];
  readonly faults: string[];
  cursor: unknown;
  isEnd: boolean;
  duplicates: number;
}

export function nothingSeen(cursor: unknown = undefined): Seen {
  return { numbers: [], faults: [], cursor, isEnd: false, duplicates: 0 };
}

export function see(seen: Seen, batch: FeedBatch): void {
  for (const { metrics } of batch.rows) seen.numbers.push(Number(metrics.cpuMilliseconds));
  for (const { place, reason } of batch.faults) seen.faults.push(`${place}: ${reason}`);
  // As it comes back from the disk.
  seen.cursor = JSON.parse(JSON.stringify(batch.cursor));
  seen.isEnd = batch.isEnd;
  seen.duplicates += batch.duplicates;
}

/** Reads until the end of the feed, or until `enough` says so; closes the feed. */
export async function readAll(
  feed: Feed,
  seen: Seen = nothingSeen(),
  enough: (seen: Seen) => boolean = () => false,
): Promise<Seen> {
  const stop = new AbortController();
  for await (const batch of feed.batches(stop.signal)) {
    see(seen, batch);
    batch.settled();
    if (enough(seen)) stop.abort();
  }
  await feed.close();
  return seen;
}
