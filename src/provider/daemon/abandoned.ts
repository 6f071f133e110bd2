import type { Outbox } from "../outbox/outbox.ts";
import type { ProviderLog } from "../provider_log.ts";
import type { WindowBook } from "../windows/window_book.ts";
import type { Intake } from "./intake.ts";
import { feedLeases } from "./ingest.ts";
import type { ProviderSettings } from "./settings.ts";

/** The note with the metering time of the last write; unix milliseconds. */
export const CLOCK_NOTE = "clock/wallMs";

/**
 * Ends leases that are open from an earlier run and that neither a workload nor a feed of the
 * settings names any more: nobody would ever close their last windows.
 */
export async function endAbandoned(parts: {
  readonly book: WindowBook;
  readonly intake: Intake;
  readonly outbox: Outbox;
  readonly settings: ProviderSettings;
  readonly log: ProviderLog;
}): Promise<void> {
  const { book, intake, outbox, settings, log } = parts;
  const name = (order: string, lease: string) => JSON.stringify([order, lease]);
  const claimed = new Set(settings.workloads.map(({ order, lease }) => name(order, lease)));
  const ends = new Map<string, bigint>();
  const feeds = new Set(settings.feeds.map((feed) => feed.name));
  for (const { feed, order, lease, endS, key } of await feedLeases(outbox)) {
    if (feeds.has(feed)) claimed.add(name(order, lease));
    else {
      ends.set(name(order, lease), endS);
      intake.note(key, undefined);
    }
  }
  const lastMs = Number((await outbox.note(CLOCK_NOTE)) ?? "0");
  for (const { order, lease } of book.leases()) {
    if (claimed.has(name(order, lease))) continue;
    const endS = ends.get(name(order, lease)) ?? BigInt(Math.floor(lastMs / 1000));
    log.warn("a lease is in the settings no more: its last window is closed", { order, lease });
    intake.end({ order, lease }, endS);
  }
  await intake.flush();
}
