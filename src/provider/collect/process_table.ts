import { type ProcStat, scanProcesses } from "../proc_tree.ts";
import type { Moment } from "./collector.ts";

/** All processes of the machine at one time, by who began whom. */
export class ProcessTable {
  readonly byPid: ReadonlyMap<number, ProcStat>;
  readonly #children: Map<number, ProcStat[]>;
  readonly #sessions: Map<number, ProcStat[]>;

  constructor(byPid: ReadonlyMap<number, ProcStat>) {
    this.byPid = byPid;
    const all = [...byPid.values()];
    this.#children = groupBy(all, ({ parent }) => parent);
    this.#sessions = groupBy(all, ({ session }) => session);
  }

  childrenOf(pid: number): readonly ProcStat[] {
    return this.#children.get(pid) ?? [];
  }

  /** Processes of a session, which keep it when their parent leaves them behind. */
  ofSession(session: number): readonly ProcStat[] {
    return this.#sessions.get(session) ?? [];
  }
}

function groupBy(all: readonly ProcStat[], keyOf: (stat: ProcStat) => number) {
  const groups = new Map<number, ProcStat[]>();
  for (const stat of all) {
    const group = groups.get(keyOf(stat));
    if (group === undefined) groups.set(keyOf(stat), [stat]);
    else group.push(stat);
  }
  return groups;
}

/** A table is not kept for longer, whatever the moment says; milliseconds. */
const KEEP_MS = 100;

let last: { steadyMs: number; scannedMs: number; table: ProcessTable } | undefined;

/** The table of a moment: collectors that are read at the same moment look at /proc once. */
export function processTableAt({ steadyMs }: Moment): ProcessTable {
  const scannedMs = performance.now();
  if (last?.steadyMs !== steadyMs || scannedMs - last.scannedMs > KEEP_MS) {
    last = { steadyMs, scannedMs, table: new ProcessTable(scanProcesses()) };
  }
  return last.table;
}
