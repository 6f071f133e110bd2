import {
  AnomalyKind,
  AnomalySeverity,
  type Coverage,
  type UsageAnomaly,
  type UsageState,
} from "../../gen/settled/settlement/v1/state.ts";
import { sumRecent } from "./recent_records.ts";

/**
 * What about a record somebody should look at before it is settled unasked (RULES 23). Whole
 * numbers only: a rate is never computed, both sides are multiplied instead.
 */

/** Seconds: a shorter period is flagged. */
const SHORT = 60n;
/** Seconds, 25 hours: a longer period is flagged. */
const LONG = 90_000n;
/** A mean needs so many records. */
const MEAN_OF_MIN = 2;

/** Of the records that have none, which is nearly all. */
const NONE: UsageAnomaly[] = [];

/**
 * @param recent the last records of the meter before it, as its coverage has them
 * @returns in the order of their kinds
 */
export function anomaliesOf(
  record: { readonly units: bigint; readonly seconds: bigint },
  recent: Coverage | undefined,
): UsageAnomaly[] {
  const { seconds } = record;
  const variance = recent === undefined ? undefined : varianceOf(record, recent);
  if (seconds >= SHORT && seconds <= LONG && variance === undefined) return NONE;
  const found: UsageAnomaly[] = [];
  if (seconds < SHORT) {
    const severity = AnomalySeverity.ANOMALY_SEVERITY_MEDIUM;
    found.push({ kind: AnomalyKind.ANOMALY_KIND_DURATION_TOO_SHORT, severity });
  }
  if (seconds > LONG) {
    const severity = AnomalySeverity.ANOMALY_SEVERITY_HIGH;
    found.push({ kind: AnomalyKind.ANOMALY_KIND_DURATION_TOO_LONG, severity });
  }
  if (variance !== undefined) {
    found.push({ kind: AnomalyKind.ANOMALY_KIND_VARIANCE, severity: variance });
  }
  return found;
}

/**
 * How far units per second are off the mean of the last records, which is all their units over all
 * their seconds: by more than a half, three quarters, the whole of it.
 */
function varianceOf(
  { units, seconds }: { readonly units: bigint; readonly seconds: bigint },
  recent: Coverage,
): AnomalySeverity | undefined {
  const sums = sumRecent(recent);
  if (sums.count < MEAN_OF_MIN) return undefined;
  const expected = sums.units * seconds;
  const found = units * sums.seconds;
  const off = found > expected ? found - expected : expected - found;
  if (2n * off <= expected) return undefined;
  if (off > expected) return AnomalySeverity.ANOMALY_SEVERITY_CRITICAL;
  return 4n * off > 3n * expected
    ? AnomalySeverity.ANOMALY_SEVERITY_HIGH
    : AnomalySeverity.ANOMALY_SEVERITY_MEDIUM;
}

/** Whether a record has to wait for somebody: automatic settlement leaves it out. */
export function isFlagged({ anomalies, anomalyCleared, acknowledged }: UsageState): boolean {
  return anomalies.length > 0 && !anomalyCleared && !acknowledged;
}

const KINDS: readonly string[] = ["", "duration_too_short", "duration_too_long", "variance"];
const SEVERITIES: readonly string[] = ["", "medium", "high", "critical"];

/** "duration_too_long:high,variance:critical" */
export function anomalyText(anomalies: readonly UsageAnomaly[]): string {
  return anomalies.map((each) => `${KINDS[each.kind]}:${SEVERITIES[each.severity]}`).join(",");
}
