import { DISPUTE_NOTES } from "../dispatch/money.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { SCORE_NOTE } from "./desk.ts";
import type { MetricsView } from "./metrics.ts";
import type { LiveFacts } from "./status.ts";

/** What a scrape shows of the outbox: none of it costs more than a look-up. */
export async function vitals(outbox: Outbox, live: LiveFacts, nowMs: number): Promise<MetricsView> {
  const [pending] = await outbox.due(Number.MAX_SAFE_INTEGER, 1, new Set());
  const [newest] = await outbox.windows({ limit: 1, isNewestFirst: true });
  const score = await outbox.note(SCORE_NOTE);
  return {
    ...{ live, counts: outbox.counts(), outboxBytes: await outbox.sizeBytes() },
    oldestPendingSeconds:
      pending === undefined ? 0 : Math.max(0, Math.floor((nowMs - pending.createdMs) / 1000)),
    lastWindowEnd: newest === undefined ? 0 : Number(newest.end),
    reconciliationScore: score === undefined ? undefined : Number(score),
    activeDisputes: (await outbox.notes(DISPUTE_NOTES)).size,
  };
}
