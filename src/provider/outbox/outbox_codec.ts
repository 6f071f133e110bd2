import { RESOURCES, type Resource } from "../units.ts";
import type { ClosedWindow } from "../windows/closed_window.ts";
import type { SentTx } from "./outbox.ts";
import { type OutboxRecord, RECORD_STATES, type RecordState } from "./outbox_record.ts";

/**
 * Values of the outbox as compact JSON: lists without names, integers of 64 bits and more as
 * decimal texts. What the key says is not repeated.
 */

type RecordJson = [
  units: string,
  denom: string,
  unitPrice: string,
  cost: string,
  state: number,
  attempts: number,
  notBeforeMs: number,
  txHash: string,
  usageId: string,
  createdMs: number,
  changedMs: number,
  codespace?: string,
  code?: number,
  log?: string,
];

export function encodeRecord(record: OutboxRecord): string {
  const { usageUnits, denom, unitPrice, cost, reason } = record;
  const json: RecordJson = [
    ...([usageUnits.toString(), denom, unitPrice.toString(), cost.toString()] as const),
    RECORD_STATES.indexOf(record.state),
    ...([record.attempts, record.notBeforeMs, record.txHash, record.usageId] as const),
    ...([record.createdMs, record.changedMs] as const),
  ];
  if (reason !== undefined) json.push(reason.codespace, reason.code, reason.log);
  return JSON.stringify(json);
}

/** @param key its natural key */
export function decodeRecord(key: string, value: string): OutboxRecord {
  const json = JSON.parse(value) as RecordJson;
  const [orderId, leaseId, start, end, usageType] = key.split("/") as [
    ...[string, string, string, string, string],
  ];
  const [units, denom, unitPrice, cost, state, attempts, notBeforeMs, txHash, usageId] = json;
  const [createdMs, changedMs, codespace, code = 0, log = ""] = json.slice(9) as [
    ...[number, number, string?, number?, string?],
  ];
  return {
    ...{ orderId: decodeURIComponent(orderId), leaseId: decodeURIComponent(leaseId), usageType },
    ...{ periodStart: BigInt(start), periodEnd: BigInt(end), usageUnits: BigInt(units), denom },
    ...{ unitPrice: BigInt(unitPrice), cost: BigInt(cost) },
    state: RECORD_STATES[state] as RecordState,
    ...{ attempts, notBeforeMs, txHash, usageId },
    reason: codespace === undefined ? undefined : { codespace, code, log },
    ...{ createdMs, changedMs },
  };
}

/** What the indexes of a record are made from. */
export interface IndexFacts {
  readonly state: RecordState;
  readonly notBeforeMs: number;
  readonly usageId: string;
}

export function indexFacts(value: string): IndexFacts {
  const json = JSON.parse(value) as RecordJson;
  return { state: RECORD_STATES[json[4]] as RecordState, notBeforeMs: json[6], usageId: json[8] };
}

export function encodeSent(tx: SentTx): string {
  const { hash, keys, sentMs } = tx;
  const [sequence, timeoutHeight] = [tx.sequence.toString(), tx.timeoutHeight.toString()];
  return JSON.stringify({ hash, sequence, timeoutHeight, sentMs, keys, bytes: base64(tx.bytes) });
}

export function decodeSent(value: string): SentTx {
  const json = JSON.parse(value) as Record<"hash" | "sequence" | "timeoutHeight" | "bytes", string>;
  const { keys, sentMs } = json as unknown as { keys: string[]; sentMs: number };
  return {
    hash: json.hash,
    bytes: new Uint8Array(Buffer.from(json.bytes, "base64")),
    sequence: BigInt(json.sequence),
    keys,
    timeoutHeight: BigInt(json.timeoutHeight),
    sentMs,
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

const METRICS = [
  ...(["cpuMilliseconds", "memoryByteSeconds", "storageByteSeconds"] as const),
  ...(["gpuSeconds", "networkBytesIn", "networkBytesOut"] as const),
];

type UnitsJson = [resource: number, units: string, since?: string];

type WindowJson = [
  order: string,
  lease: string,
  start: string,
  end: string,
  metrics: string[],
  units: UnitsJson[],
  carried: string[],
  isPartial: number,
  faults: readonly string[],
  late: readonly string[],
];

export function encodeWindow(window: ClosedWindow): string {
  const json: WindowJson = [
    ...([window.order, window.lease, window.start.toString(), window.end.toString()] as const),
    METRICS.map((name) => window.metrics[name].toString()),
    window.units.map(({ resource, units, since }): UnitsJson => {
      const [at, count] = [RESOURCES.indexOf(resource), units.toString()];
      return since === window.start ? [at, count] : [at, count, since.toString()];
    }),
    RESOURCES.map((resource) => window.carried[resource].toString()),
    ...([window.isPartial ? 1 : 0, window.faults, window.late] as const),
  ];
  return JSON.stringify(json);
}

export function decodeWindow(value: string): ClosedWindow {
  const json = JSON.parse(value) as WindowJson;
  const [order, lease, start, end, metrics, units, carried, isPartial, faults, late] = json;
  const amounts = (names: readonly string[], texts: readonly string[]) =>
    Object.fromEntries(names.map((name, at) => [name, BigInt(texts[at] ?? "0")])) as unknown;
  return {
    ...{ order, lease, start: BigInt(start), end: BigInt(end) },
    metrics: amounts(METRICS, metrics) as ClosedWindow["metrics"],
    units: units.map(([at, text, since = start]) => ({
      resource: RESOURCES[at] as Resource,
      ...{ units: BigInt(text), since: BigInt(since) },
    })),
    carried: amounts(RESOURCES, carried) as ClosedWindow["carried"],
    ...{ isPartial: isPartial === 1, faults, late },
  };
}
