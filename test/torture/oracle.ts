// What usage comes to and what is left of it, computed here anew from RULES 33 and 37 and the
// documented params: nothing of src/provider, so that a mistake there is not made here as well.

export const TYPES = ["cpu", "memory", "storage", "gpu", "network"] as const;

export type UsageType = (typeof TYPES)[number];

/** A row of a usage file. Times in unix seconds. */
export interface Row {
  readonly order: string;
  readonly lease: string;
  readonly start: bigint;
  readonly end: bigint;
  readonly cpuMs: bigint;
  readonly memory: bigint;
  readonly storage: bigint;
  readonly gpu: bigint;
  readonly netIn: bigint;
  readonly netOut: bigint;
}

/** Atomics are 10^-18 of the denom. */
export interface Price {
  readonly denom: string;
  readonly atomics: bigint;
}

export interface Terms {
  readonly interval: bigint;
  readonly rounding: "floor" | "carry";
  readonly prices: Readonly<Record<UsageType, Price>>;
}

export interface Bill {
  readonly order: string;
  readonly lease: string;
  readonly type: UsageType;
  readonly start: bigint;
  readonly end: bigint;
  readonly units: bigint;
  readonly denom: string;
  readonly atomics: bigint;
  readonly cost: bigint;
}

const GIB = 2n ** 30n;
const PER_UNIT: Record<UsageType, bigint> = {
  cpu: 3_600_000n,
  memory: GIB * 3600n,
  storage: GIB * 3600n,
  gpu: 3600n,
  network: GIB,
};

/** Usage of one aligned window of a lease. */
interface Window {
  readonly start: bigint;
  readonly end: bigint;
  readonly raw: Record<UsageType, bigint>;
  watched: bigint;
}

/** Records that the chain must have for rows of leases that end with their last row. */
export function billsOf(rows: readonly Row[], terms: Terms): Bill[] {
  const leases = new Map<string, Row[]>();
  for (const row of rows) {
    const key = `${row.order}\n${row.lease}`;
    leases.set(key, [...(leases.get(key) ?? []), row]);
  }
  return [...leases.values()].flatMap((own) => billsOfLease(own, terms));
}

function billsOfLease(rows: readonly Row[], terms: Terms): Bill[] {
  const [first] = rows;
  if (first === undefined) return [];
  const end = rows.reduce((last, row) => (row.end > last ? row.end : last), first.end);
  const windows = windowsOf(first.start, end, terms.interval);
  for (const row of rows) share(row, windows);
  const kept: Record<UsageType, bigint> = {
    cpu: 0n,
    memory: 0n,
    storage: 0n,
    gpu: 0n,
    network: 0n,
  };
  const billed = new Map<UsageType, bigint>();
  return windows.flatMap((window) => {
    const units = unitsOf(window, terms.rounding, kept);
    return TYPES.flatMap((type): Bill[] => {
      if (units[type] === 0n) return [];
      const { denom, atomics } = terms.prices[type];
      const cost = (units[type] * atomics) / 10n ** 18n;
      const { order, lease } = first;
      // What was carried came together since the last record: its period says so.
      const since = terms.rounding === "carry" ? billed.get(type) : undefined;
      billed.set(type, window.end);
      const period = { start: since ?? window.start, end: window.end };
      return [{ order, lease, type, ...period, units: units[type], denom, atomics, cost }];
    });
  });
}

function windowsOf(start: bigint, end: bigint, interval: bigint): Window[] {
  const windows: Window[] = [];
  for (let at = start; at < end; ) {
    const aligned = (at / interval + 1n) * interval;
    const next = aligned < end ? aligned : end;
    const raw = { cpu: 0n, memory: 0n, storage: 0n, gpu: 0n, network: 0n };
    windows.push({ start: at, end: next, raw, watched: 0n });
    at = next;
  }
  return windows;
}

/** A row's amounts by time: each window gets its share, floored, and the last one what is left. */
function share(row: Row, windows: readonly Window[]): void {
  const hit = windows.filter(({ start, end }) => start < row.end && end > row.start);
  const part = ({ start, end }: Window) =>
    (end < row.end ? end : row.end) - (start > row.start ? start : row.start);
  for (const window of hit) window.watched += part(window);
  const give = (type: UsageType, amount: bigint) => {
    let left = amount;
    hit.forEach((window, index) => {
      const floored = (amount * part(window)) / (row.end - row.start);
      const mine = index === hit.length - 1 ? left : floored;
      window.raw[type] += mine;
      left -= mine;
    });
  };
  give("cpu", row.cpuMs);
  give("memory", row.memory);
  give("storage", row.storage);
  give("gpu", row.gpu);
  give("network", row.netIn);
  give("network", row.netOut);
}

function unitsOf(
  window: Window,
  rounding: Terms["rounding"],
  kept: Record<UsageType, bigint>,
): Record<UsageType, bigint> {
  const units = { cpu: 0n, memory: 0n, storage: 0n, gpu: 0n, network: 0n };
  for (const type of TYPES) {
    const due = window.raw[type] + (rounding === "carry" ? kept[type] : 0n);
    units[type] = due / PER_UNIT[type];
    kept[type] = due % PER_UNIT[type];
  }
  const isWatched = window.watched === window.end - window.start;
  const isIdle = TYPES.every((type) => window.raw[type] === 0n);
  const hasUnits = TYPES.some((type) => units[type] > 0n);
  // One CPU unit for a window that leaves no other trace; under carry only an idle one is without.
  if (!hasUnits && isWatched && (rounding === "floor" || isIdle)) units.cpu = 1n;
  return units;
}

/** The file that the rows are fed from; decimal texts, so that nothing is rounded. */
export function ndjsonOf(rows: readonly Row[]): string {
  const line = (row: Row) => ({
    ...{ order: row.order, lease: row.lease, start: Number(row.start), end: Number(row.end) },
    cpu_milliseconds: row.cpuMs.toString(),
    memory_byte_seconds: row.memory.toString(),
    storage_byte_seconds: row.storage.toString(),
    gpu_seconds: row.gpu.toString(),
    network_bytes_in: row.netIn.toString(),
    network_bytes_out: row.netOut.toString(),
  });
  return rows.map((row) => `${JSON.stringify(line(row))}\n`).join("");
}

const BOND_DENOM = "uve";
const RATE: Record<UsageType, bigint> = {
  ...{ cpu: 10_000n, memory: 10_000n, storage: 10_000n, gpu: 12_000n, network: 9000n },
};
const DAY = 86_400n;

/**
 * What a provider gets for the bills of one order that are settled at once: the total less 5 % and
 * 1 %, each floored, and rewards of 10 %, in the bond denom.
 * @param nowS unix time at which the records are submitted, far from a day after any period's end
 */
export function netOf(
  bills: readonly { readonly bill: Bill; readonly isAcknowledged: boolean }[],
  nowS: bigint,
): { net: Map<string, bigint>; rewards: bigint } {
  const totals = new Map<string, bigint>();
  let rewards = 0n;
  for (const { bill, isAcknowledged } of bills) {
    totals.set(bill.denom, (totals.get(bill.denom) ?? 0n) + bill.cost);
    if (bill.denom !== BOND_DENOM) continue;
    const sla = nowS > bill.end + DAY ? 8000n : 10_000n;
    const ack = isAcknowledged ? 10_000n : 9000n;
    rewards += (bill.cost * 1000n * RATE[bill.type] * sla * ack) / 10n ** 16n;
  }
  const net = [...totals].map(([denom, total]): [string, bigint] => [
    denom,
    total - (total * 5n) / 100n - total / 100n,
  ]);
  return { net: new Map(net), rewards };
}
