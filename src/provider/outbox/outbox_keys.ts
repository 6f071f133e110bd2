import type { ClosedWindow, LeaseRef } from "../windows/closed_window.ts";
import { RECORD_STATES, type RecordState } from "./outbox_record.ts";

/**
 * The keys of the outbox's LevelDB, one letter per kind:
 * - `m/version`, `m/counts`: the format, and how many records are in each state
 * - `r/<natural key>`: a record
 * - `s/<state>/<natural key>`: records by state
 * - `q/<period start>/<natural key>`: pending records that may be sent at once
 * - `w/<not before>/<natural key>`: pending records that wait for a time
 * - `u/<usage id>`: the natural key of a record that is on the chain
 * - `t/<hash>`: a tx in flight
 * - `o/<order>/<lease>/<start>`: a window
 * - `v/<end>/<order>/<lease>/<start>`: windows by time
 * - `n/<name>`: a note
 */
export const VERSION_KEY = "m/version";
export const COUNTS_KEY = "m/counts";

const SECONDS_DIGITS = 11;
const MS_DIGITS = 15;

export const recordKey = (key: string): string => `r/${key}`;
export const stateKey = (state: RecordState, key: string): string => `${statePrefix(state)}${key}`;
export const usageKey = (usageId: string): string => `u/${usageId}`;
export const sentKey = (hash: string): string => `t/${hash}`;
export const noteKey = (name: string): string => `n/${name}`;

/** States by their place in the list: one is only ever added at its end. */
export function statePrefix(state: RecordState): string {
  return `s/${RECORD_STATES.indexOf(state)}/`;
}

/** Where a pending record stands in the queue. */
export function queueKey(key: string, notBeforeMs: number): string {
  if (notBeforeMs > 0) return `w/${milliseconds(notBeforeMs)}/${key}`;
  return `q/${periodStartOf(key)}/${key}`;
}

/** The end of all waiting ones whose time has come, exclusive. */
export function waitingUntil(nowMs: number): string {
  return `w/${milliseconds(nowMs + 1)}`;
}

/** The natural key at the end of a key of the queue. */
export function naturalKeyOfQueue(key: string): string {
  return key.slice(key.indexOf("/", 2) + 1);
}

/** The padded seconds of a natural key: order, lease, start, end, type. */
export function periodStartOf(key: string): string {
  return key.split("/")[2] ?? "";
}

/** What the keys of an order's records and windows begin with, after the letter. */
export function orderPrefix(orderId: string): string {
  return `${encodeURIComponent(orderId)}/`;
}

/** A window of a lease. */
export function windowKey(window: LeaseRef & { readonly start: bigint }): string {
  const lease = encodeURIComponent(window.lease);
  return `${orderPrefix(window.order)}${lease}/${seconds(window.start)}`;
}

/** Where a page of windows ended: `after` of the next one, whichever way they are read. */
export function windowCursor(window: ClosedWindow): string {
  return `${seconds(window.end)}/${windowKey(window)}`;
}

/** The first key after all that begin with this prefix, whose last character is no "\uffff". */
export function endOf(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

export function seconds(time: bigint): string {
  return time.toString().padStart(SECONDS_DIGITS, "0");
}

function milliseconds(time: number): string {
  return Math.trunc(time).toString().padStart(MS_DIGITS, "0");
}
