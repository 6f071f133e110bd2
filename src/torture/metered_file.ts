import { mulFloor, type Dec } from "../types/dec.ts";
import { ProviderError } from "../provider/errors.ts";
import { linesOf } from "../provider/lines.ts";
import { readMetrics } from "../provider/metrics_ndjson.ts";
import { DEFAULT_PRICES_FILE, PriceBook } from "../provider/price_book.ts";
import { type ResourceUnits, UnitCounter, type UnitRounding } from "../provider/units.ts";
import { type MeteredWindow, noCounts } from "../provider/window.ts";
import { WindowBook } from "../provider/windows/window_book.ts";
import type { Charge } from "./charge.ts";
import { TortureError } from "./errors.ts";

export interface MeteredFile {
  /** NDJSON, as `settled provider replay --format metrics` takes it. */
  readonly file: string;
  /** undefined: the one that comes with the project. */
  readonly pricesFile: string | undefined;
  readonly rounding: UnitRounding;
  /** Length of the windows that rows are shared out over; undefined: every row is a window. */
  readonly windowSeconds: bigint | undefined;
  /** Unix time of the file's zero, in seconds. */
  readonly epoch: bigint;
}

/** Units of one lease in a period, in unix seconds. */
interface Billed {
  readonly order: string;
  readonly lease: string;
  readonly start: bigint;
  readonly end: bigint;
  /** `since`: where the period of the resource begins, when that is before the window. */
  readonly units: readonly (ResourceUnits & { readonly since?: bigint })[];
}

/**
 * What a usage file comes to, by the documented rules of windows and rounding.
 * @throws TortureError `bad_metered`, `bad_prices` when the file or the prices cannot be read.
 */
export async function chargesOfMetrics(metered: MeteredFile): Promise<Charge[]> {
  const pricesFile = metered.pricesFile ?? DEFAULT_PRICES_FILE;
  const prices = await PriceBook.read(pricesFile).catch(
    retold("bad_prices", "--prices", pricesFile),
  );
  return charged(metered, prices).catch(retold("bad_metered", "--metered", metered.file));
}

/** Says which flag's file it is. */
function retold(code: string, flag: string, file: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof ProviderError)) throw error;
    const { message } = error;
    const place = message.includes(file) ? flag : `${flag} ${file}`;
    throw new TortureError(code, `${place}: ${message}`);
  };
}

async function charged(
  { file, rounding, windowSeconds, epoch }: MeteredFile,
  prices: PriceBook,
): Promise<Charge[]> {
  const rows = readMetrics(linesOf(file), { limit: undefined }, noCounts());
  const absolute = async function* () {
    for await (const row of rows) {
      yield { ...row, start: row.start + epoch, end: row.end + epoch };
    }
  };
  const windows =
    windowSeconds === undefined
      ? rowByRow(absolute(), rounding)
      : aligned(absolute(), rounding, windowSeconds);
  const charges: Charge[] = [];
  for await (const { order, lease, start, end, units } of windows) {
    for (const { resource: type, units: count, since = start } of units) {
      const { denom, unitPrice } = prices.priceOf(order, type);
      const cost = mulFloor(unitPrice as Dec, count);
      charges.push({ order, lease, type, start: since, end, units: count, denom, cost });
    }
  }
  return charges;
}

async function* rowByRow(
  rows: AsyncIterable<MeteredWindow>,
  rounding: UnitRounding,
): AsyncGenerator<Billed> {
  const counters = new Map<string, UnitCounter>();
  for await (const { order, lease, start, end, metrics } of rows) {
    const name = JSON.stringify([order, lease]);
    const counter = counters.get(name) ?? new UnitCounter(rounding);
    counters.set(name, counter);
    yield { order, lease, start, end, units: counter.add(metrics) };
  }
}

/** Windows as a daemon has them that reads the whole file: each lease ends with its last row. */
async function* aligned(
  rows: AsyncIterable<MeteredWindow>,
  rounding: UnitRounding,
  intervalSeconds: bigint,
): AsyncGenerator<Billed> {
  const book = new WindowBook({ intervalSeconds });
  const ends = new Map<string, { order: string; lease: string; end: bigint }>();
  for await (const { order, lease, start, end, metrics } of rows) {
    const ref = { order, lease };
    book.open({ ...ref, rounding, billsFootprint: true, startS: start });
    const span = { startMs: Number(start) * 1000, endMs: Number(end) * 1000 };
    book.add(ref, { ...span, metrics, isContinuous: true, faults: [] });
    const name = JSON.stringify(ref);
    const known = ends.get(name);
    ends.set(name, { ...ref, end: known !== undefined && known.end > end ? known.end : end });
  }
  for (const { order, lease, end } of ends.values()) {
    yield* book.end({ order, lease }, end).windows;
  }
}
