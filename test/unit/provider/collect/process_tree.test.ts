import { describe, expect, it } from "vitest";
import type { ProcStat } from "../../../../src/provider/proc_tree.ts";
import { ProcessTable } from "../../../../src/provider/collect/process_table.ts";
import { ProcessTree, type TreeGrowth } from "../../../../src/provider/collect/process_tree.ts";

/** pid, parent, own ticks, waited ticks; further fields where a test needs them. */
type Row = readonly [
  pid: number,
  parent: number,
  own: number,
  waited: number,
  more?: Partial<ProcStat>,
];

function stat([pid, parent, own, waited, more]: Row): ProcStat {
  const times = { ownTicks: BigInt(own), waitedTicks: BigInt(waited) };
  return { pid, parent, session: 1, startTicks: BigInt(pid), isZombie: false, ...times, ...more };
}

const OWED = { cpu: 0n, read: 0n, written: 0n };
const ROOT = { pid: 10, startTicks: 10n };

/**
 * A tree of which the process table is given look by look. Races between reading the table and a
 * process's end cannot be had at will from a real one.
 */
function treeOf(first: readonly Row[], limit = 100) {
  let later: ReadonlyMap<number, ProcStat> = new Map();
  const probe = { stat: (pid: number) => later.get(pid), io: () => undefined };
  const state = { sinceTicks: 100n, members: [], sessions: [], owed: OWED };
  const tree = new ProcessTree(state, probe, limit);
  const look = (rows: readonly Row[], gone: readonly number[] = []): TreeGrowth => {
    const stats = new Map(rows.map((row) => [row[0], stat(row)]));
    later = new Map([...stats].filter(([pid]) => !gone.includes(pid)));
    return tree.look(new ProcessTable(stats), ROOT);
  };
  look(first);
  return { tree, look };
}

describe("the CPU time of a process tree", () => {
  it("is what all members have used since the look before, others left out", () => {
    const { look } = treeOf([[10, 1, 5, 7]]);
    const { cpuTicks } = look([
      ...([
        [10, 1, 8, 7],
        [101, 10, 4, 0],
        [102, 101, 2, 1],
      ] as const),
      [50, 1, 1000, 1000],
    ]);
    expect(cpuTicks).toBe(3n + 4n + 3n);
  });

  it("has children whole that nobody saw", () => {
    const { look } = treeOf([[10, 1, 5, 0]]);
    expect(look([[10, 1, 5, 250]])).toMatchObject({ cpuTicks: 250n, unseenEnds: 0 });
  });

  it("does not count twice what a child had been seen to use", () => {
    const { look } = treeOf([[10, 1, 0, 0]]);
    expect(
      look([
        [10, 1, 0, 0],
        [101, 10, 40, 0],
        [102, 101, 5, 0],
      ]).cpuTicks,
    ).toBe(45n);
    // 102 ended at 6, then 101 at 50: the root was handed 56.
    expect(look([[10, 1, 0, 56]])).toMatchObject({ cpuTicks: 11n, unseenEnds: 0 });
  });

  it("finds the times of a child that ended between the reading of its parent and of itself", () => {
    const { look } = treeOf([[10, 1, 0, 0]]);
    look([
      [10, 1, 0, 0],
      [101, 10, 40, 0],
    ]);
    // The parent was read before it waited: 40 are owed until the next look.
    expect(look([[10, 1, 1, 0]])).toMatchObject({ cpuTicks: 1n, unseenEnds: 0 });
    expect(look([[10, 1, 1, 44]])).toMatchObject({ cpuTicks: 4n, unseenEnds: 0 });
  });

  it("counts a child that was handed on already in one place only", () => {
    const { look } = treeOf([[10, 1, 0, 0]]);
    look([
      [10, 1, 0, 0],
      [101, 10, 40, 0],
    ]);
    // Read at 44, ended, and then its parent was read: the table has it twice.
    expect(
      look(
        [
          [10, 1, 0, 44],
          [101, 10, 44, 0],
        ],
        [101],
      ).cpuTicks,
    ).toBe(4n);
    expect(look([[10, 1, 0, 44]]).cpuTicks).toBe(0n);
  });

  it("keeps processes that were left behind, and says when one ends unseen", () => {
    const { look } = treeOf([
      [10, 1, 0, 0],
      [20, 10, 0, 0],
      [21, 20, 3, 0],
    ]);
    expect(
      look([
        [10, 1, 0, 2],
        [21, 1, 9, 0],
      ]),
    ).toMatchObject({ cpuTicks: 8n, unseenEnds: 0 });
    expect(look([[10, 1, 0, 5]])).toMatchObject({ cpuTicks: 3n, unseenEnds: 1 });
  });

  it("gives a subreaper what it waited for, and no more", () => {
    const { look } = treeOf([
      [10, 1, 0, 0],
      [20, 10, 0, 0],
      [21, 20, 100, 0],
    ]);
    // 20 and 21 ended between the looks; 21 was waited for by the root.
    expect(look([[10, 1, 0, 105]]).cpuTicks).toBe(5n);
  });

  it("says so when a parent takes no notice of its children's ends", () => {
    const { look } = treeOf([
      [10, 1, 0, 0],
      [20, 10, 50, 0],
    ]);
    expect(look([[10, 1, 0, 0]]).unseenEnds).toBe(0);
    expect(look([[10, 1, 0, 0]])).toMatchObject({ cpuTicks: 0n, unseenEnds: 1 });
    // Nothing is held back for it any more.
    expect(look([[10, 1, 0, 9]])).toMatchObject({ cpuTicks: 9n, unseenEnds: 0 });
  });

  it("tells a process from a later one with its number", () => {
    const { look } = treeOf([
      [10, 1, 0, 0],
      [20, 10, 500, 0],
    ]);
    const again = look([
      [10, 1, 0, 510],
      [20, 10, 7, 0, { startTicks: 300n }],
    ]);
    expect(again.cpuTicks).toBe(10n + 7n);
    const stranger = look([
      [10, 1, 0, 517],
      [20, 1, 900, 0, { startTicks: 400n }],
    ]);
    expect(stranger.cpuTicks).toBe(0n);
  });

  it("knows a daemon that nobody saw begin by the session of its tree", () => {
    const { look } = treeOf([[10, 1, 0, 0, { session: 10 }]]);
    expect(
      look([
        [10, 1, 0, 0, { session: 10 }],
        [150, 1, 6, 0, { session: 10 }],
      ]).cpuTicks,
    ).toBe(6n);
  });

  it("does not count what a process had used before it was metered", () => {
    const { look } = treeOf([[10, 1, 0, 0]]);
    const old = { startTicks: 60n };
    expect(
      look([
        [10, 1, 0, 0],
        [60, 10, 999, 5, old],
      ]).cpuTicks,
    ).toBe(0n);
    expect(
      look([
        [10, 1, 0, 0],
        [60, 10, 1000, 5, old],
      ]).cpuTicks,
    ).toBe(1n);
  });

  it("is bounded, and says how many are left out", () => {
    const rows: Row[] = [10, 101, 102, 103, 104].map((pid) => [pid, pid === 10 ? 1 : 10, 1, 0]);
    const { look } = treeOf([], 3);
    expect(look(rows).beyondLimit).toBe(2);
  });
});
