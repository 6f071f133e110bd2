import { DISPUTE_NOTES } from "../dispatch/money.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { SCORE_NOTE } from "./desk.ts";
import type { MetricsView } from "./metrics.ts";
import type { LiveFacts } from "./status.ts";

/** Of records in flight, at most so many are looked at. */
const SENT_ROWS = 500;

/** What a scrape shows of the outbox: none of it costs more than a look-up. */
export async function vitals(outbox: Outbox, live: LiveFacts, nowMs: number): Promise<MetricsView> {
  const [pending] = await outbox.due(Number.MAX_SAFE_INTEGER, 1, new Set());
  // What was sent and is in no block waits as well.
  const sent = await outbox.records({ state: "sent", limit: SENT_ROWS });
  const waiting = [...(pending === undefined ? [] : [pending]), ...sent];
  const oldestMs = waiting.reduce((least, { createdMs }) => Math.min(least, createdMs), nowMs);
  const [newest] = await outbox.windows({ limit: 1, isNewestFirst: true });
  const score = await outbox.note(SCORE_NOTE);
  return {
    ...{ live, counts: outbox.counts(), outboxBytes: await outbox.sizeBytes() },
    oldestPendingSeconds: Math.floor((nowMs - oldestMs) / 1000),
    lastWindowEnd: newest === undefined ? 0 : Number(newest.end),
    reconciliationScore: score === undefined ? undefined : Number(score),
    activeDisputes: (await outbox.notes(DISPUTE_NOTES)).size,
  };
}
