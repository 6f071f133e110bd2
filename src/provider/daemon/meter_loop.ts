import { createHash } from "node:crypto";
import type { Collector, MetricName, Moment } from "../collect/collector.ts";
import type { CollectorSettings } from "../collect/collector_settings.ts";
import { Pause } from "../dispatch/pause.ts";
import { ProviderError } from "../errors.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { PriceBook } from "../price_book.ts";
import { RESOURCES, type Resource, type UnitRounding } from "../units.ts";
import type { LeaseRef } from "../windows/closed_window.ts";
import type { Intake } from "./intake.ts";
import { instantSeconds, type WorkloadSettings } from "./settings.ts";
import type { SourceBook, SourceLine } from "./source_book.ts";

/** Notes with the cursors of collectors. */
const CURSORS = "cursor/";

export interface MeterLoopOptions {
  readonly intake: Intake;
  readonly outbox: Outbox;
  readonly sources: SourceBook;
  readonly clock: { now(): Moment };
  readonly open: (settings: CollectorSettings, cursor: unknown, now: Moment) => Promise<Collector>;
  readonly rounding: UnitRounding;
  readonly prices: PriceBook;
  readonly sampleSeconds: number;
}

/** Meters one workload: looks at it again and again, and tells the intake what it used. */
export class MeterLoop {
  readonly #workload: WorkloadSettings;
  readonly #options: MeterLoopOptions;
  readonly #ref: LeaseRef;
  readonly #line: SourceLine;
  #collectors: { readonly collector: Collector; readonly cursor: string }[] = [];

  constructor(workload: WorkloadSettings, options: MeterLoopOptions) {
    this.#workload = workload;
    this.#options = options;
    this.#ref = { order: workload.order, lease: workload.lease };
    this.#line = options.sources.open("workload", workload.name);
  }

  /** Until the lease ends or the signal comes; a last look is taken then. */
  async run(signal: AbortSignal): Promise<void> {
    const pause = new Pause();
    const { start, end } = this.#workload;
    const startMs = start === undefined ? 0 : Number(instantSeconds(start)) * 1000;
    const endMs = end === undefined ? Infinity : Number(instantSeconds(end)) * 1000;
    while (!signal.aborted && this.#options.clock.now().wallMs < startMs) {
      await pause.wait(Math.min(startMs - this.#options.clock.now().wallMs, 60_000), signal);
    }
    if (signal.aborted || !(await this.#begin())) return;
    try {
      const sampleMs = this.#options.sampleSeconds * 1000;
      // Of what a counter tells now, nobody knows how much was used before the end: none is billed.
      if (this.#options.clock.now().wallMs >= endMs) return await this.#end(endMs);
      for (let next = performance.now(); ; ) {
        const isOver = (await this.#look(endMs)) >= endMs;
        if (isOver) return await this.#end(endMs);
        if (signal.aborted) return;
        next = Math.max(next + sampleMs, performance.now());
        await pause.wait(next - performance.now(), signal);
      }
    } finally {
      await Promise.all(this.#collectors.map(({ collector }) => collector.close()));
    }
  }

  /** false: the lease has ended already. @throws ProviderError `bad_collector`, `bad_config` */
  async #begin(): Promise<boolean> {
    const { intake, clock, open, outbox, rounding } = this.#options;
    const { start, billFootprint, collectors, name } = this.#workload;
    const now = clock.now();
    const nowS = BigInt(Math.floor(now.wallMs / 1000));
    const startS = start === undefined ? nowS : instantSeconds(start);
    const terms = { ...this.#ref, rounding, billsFootprint: billFootprint, startS };
    if (!intake.open(terms)) {
      this.#line.ended();
      return false;
    }
    for (const settings of collectors) {
      const cursor = cursorName(name, settings);
      const left = await outbox.note(cursor);
      const known = left === undefined ? undefined : (JSON.parse(left) as unknown);
      this.#collectors.push({ collector: await open(settings, known, clock.now()), cursor });
    }
    refuseRepeats(this.#workload, this.#collectors);
    const tells = this.#collectors.flatMap(({ collector }) => collector.tells);
    const resources = resourcesOf(tells, billFootprint);
    this.#options.prices.require([{ order: this.#ref.order, resources }]);
    // From here on it is missed when it does not answer.
    this.#line.read(0);
    return true;
  }

  /** @returns the wall time of the look, in milliseconds */
  async #look(endMs: number): Promise<number> {
    const { clock, intake } = this.#options;
    const now = clock.now();
    const usages = await Promise.all(
      this.#collectors.map(async (each) => ({ ...each, usage: await each.collector.read(now) })),
    );
    const faults: string[] = [];
    for (const { collector, cursor, usage } of usages) {
      intake.add(this.#ref, usage);
      intake.cursor(cursor, collector.cursor());
      faults.push(...usage.faults.map((fault) => `${collector.name}: ${fault}`));
    }
    // At its end all windows are closed at once: what a look overshoots belongs to the last.
    const isOver = now.wallMs >= endMs;
    const untilS = BigInt(Math.floor(now.wallMs / 1000));
    const closed = isOver ? 0 : intake.close(untilS, this.#ref);
    this.#line.read(1);
    this.#line.state(faults.join("; "));
    if (closed > 0) await intake.flush();
    return now.wallMs;
  }

  async #end(endMs: number): Promise<void> {
    const { intake } = this.#options;
    intake.end(this.#ref, BigInt(endMs / 1000));
    for (const { cursor } of this.#collectors) intake.note(cursor, undefined);
    this.#line.ended();
    await intake.flush();
  }
}

const RESOURCE_OF: Readonly<Record<MetricName, Resource>> = {
  cpuMilliseconds: "cpu",
  memoryByteSeconds: "memory",
  storageByteSeconds: "storage",
  gpuSeconds: "gpu",
  networkBytesIn: "network",
  networkBytesOut: "network",
};

/** What a workload with these metrics can bill. */
export function resourcesOf(tells: readonly MetricName[], billsFootprint: boolean): Resource[] {
  const used = new Set(tells.map((name) => RESOURCE_OF[name]));
  if (billsFootprint) used.add("cpu");
  return RESOURCES.filter((resource) => used.has(resource));
}

/** A collector with other settings is another one: the cursor of this one is not for it. */
function cursorName(workload: string, settings: CollectorSettings): string {
  const text = JSON.stringify(settings, (_, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 16);
  return `${CURSORS}${workload}/${settings.kind}-${digest}`;
}

function refuseRepeats(
  { name }: WorkloadSettings,
  collectors: readonly { readonly collector: Collector }[],
): void {
  const tellers = new Map<string, string>();
  for (const { collector } of collectors) {
    for (const metric of collector.tells) {
      const first = tellers.get(metric);
      if (first !== undefined) {
        const rule = `expected one collector for ${metric}, found two: ${first} and ${collector.name}`;
        throw new ProviderError("bad_config", `workload ${name}: ${rule}`);
      }
      tellers.set(metric, collector.name);
    }
  }
}
