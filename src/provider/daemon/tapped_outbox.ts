import type { Outbox, OutboxChange } from "../outbox/outbox.ts";

/** The same outbox; `written` is told of every change that is on the disk. */
export function tapOutbox(outbox: Outbox, written: (change: OutboxChange) => void): Outbox {
  return {
    write: async (change) => {
      await outbox.write(change);
      written(change);
    },
    record: (key) => outbox.record(key),
    records: (query) => outbox.records(query),
    due: (nowMs, limit, except) => outbox.due(nowMs, limit, except),
    counts: () => outbox.counts(),
    byUsageId: (usageId) => outbox.byUsageId(usageId),
    sentTxs: () => outbox.sentTxs(),
    windows: (query) => outbox.windows(query),
    note: (name) => outbox.note(name),
    notes: (prefix) => outbox.notes(prefix),
    sizeBytes: () => outbox.sizeBytes(),
    close: () => outbox.close(),
  };
}
