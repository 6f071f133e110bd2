import type { ChainFigures } from "./blocks.ts";
import type { RoleFigures, RoleName } from "./roles.ts";

/** What one phase of the load came to. */
export interface Phase {
  readonly name: string;
  readonly figures: Partial<Record<RoleName, RoleFigures>>;
  readonly chain: ChainFigures;
  /** The most resident memory of the node. */
  readonly rssMib: number;
  readonly seconds: number;
}

/** What nobody's query may take longer than, of 99 in 100, beside the worst client. */
const P99_MAX_MS = 100;
/** How much slower than usual blocks may come then. */
const INTERVAL_MAX_X = 2;

type Row = readonly [name: string, value: (phase: Phase) => number | undefined];

const ROWS: readonly Row[] = [
  ["txs in blocks per second", ({ chain }) => chain.txs / chain.seconds],
  ["blocks per second", ({ chain }) => chain.blocks / chain.seconds],
  ["block interval mean, ms", ({ chain }) => chain.meanIntervalMs],
  ["block interval p99, ms", ({ chain }) => chain.intervalMs.p99],
  ["events per second", (phase) => perSecond(phase, "subscribers", "events")],
  ["event MB per second", (phase) => perSecond(phase, "subscribers", "event bytes") / 1e6],
  ["event after block time p50, ms", (phase) => time(phase, "subscribers", "event")?.p50],
  ["event after block time p99, ms", (phase) => time(phase, "subscribers", "event")?.p99],
  ["queries per second", (phase) => perSecond(phase, "clients", "queries")],
  ["query p50, ms", (phase) => time(phase, "clients", "query")?.p50],
  ["query p99, ms", (phase) => time(phase, "clients", "query")?.p99],
  ["broadcast of a batch p99, ms", (phase) => time(phase, "payer", "broadcast")?.p99],
  ["attacks per second", (phase) => perSecond(phase, "attacker", "attacks")],
  [
    "attack answers, MB per second",
    (phase) => perSecond(phase, "attacker", "attack answer bytes") / 1e6,
  ],
  ["resident memory of the node, MiB", ({ rssMib }) => rssMib],
];

/** The figures of the phases side by side, and p99 of each kind of query. */
export function tableOf(phases: readonly Phase[]): string {
  const kinds = Object.keys(phases[0]?.figures.clients?.times ?? {}).filter(
    (kind) => kind !== "query",
  );
  const rows: Row[] = [
    ...ROWS,
    ...kinds.map((kind): Row => [`${kind} p99, ms`, (phase) => time(phase, "clients", kind)?.p99]),
  ];
  const head = ["", ...phases.map(({ name }) => name)];
  const lines = rows.map(([name, value]) => [name, ...phases.map((phase) => shown(value(phase)))]);
  return [head, head.map(() => "---"), ...lines]
    .map(
      (cells) =>
        `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(34) : cell.padStart(14))).join(" | ")} |`,
    )
    .join("\n");
}

/** Every limit that was not kept, as a sentence. */
export function problemsOf(usual: Phase, hostile: Phase): string[] {
  const problems: string[] = [];
  for (const phase of [usual, hostile]) {
    for (const [role, figures] of Object.entries(phase.figures)) {
      for (const [text, count] of Object.entries(figures?.errors ?? {})) {
        problems.push(`${phase.name}, ${role}: ${count} × ${text}`);
      }
    }
  }
  const p99 = time(hostile, "clients", "query")?.p99 ?? Number.POSITIVE_INFINITY;
  if (p99 > P99_MAX_MS) problems.push(`p99 of queries is ${shown(p99)} ms, above ${P99_MAX_MS}`);
  const ratio = hostile.chain.meanIntervalMs / usual.chain.meanIntervalMs;
  if (!(ratio <= INTERVAL_MAX_X)) {
    problems.push(`blocks come ${ratio.toFixed(2)} × slower, above ${INTERVAL_MAX_X}`);
  }
  return problems;
}

function time({ figures }: Phase, role: RoleName, kind: string) {
  return figures[role]?.times[kind];
}

function perSecond({ figures, seconds }: Phase, role: RoleName, name: string): number {
  return (figures[role]?.counts[name] ?? 0) / seconds;
}

function shown(value: number | undefined): string {
  if (value === undefined) return "";
  return value >= 100 ? Math.round(value).toString() : value.toFixed(1);
}
