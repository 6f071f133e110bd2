import type { IoBytes } from "../cgroup_files.ts";
import type { ProcStat } from "../proc_tree.ts";
import type { ProcessId } from "./pid_source.ts";
import type { ProcessTable } from "./process_table.ts";
import { WaitedPool } from "./waited_pool.ts";

/** What is kept of a process from one look to the next. */
export interface Member extends ProcStat {
  readonly io: IoBytes | undefined;
}

/** What a tree of processes has used between two looks. */
export interface TreeGrowth {
  readonly cpuTicks: bigint;
  readonly readBytes: bigint;
  readonly writtenBytes: bigint;
  /** Members that have ended where nobody of the tree has waited for them. */
  readonly unseenEnds: number;
  /** Members whose bytes cannot be read. */
  readonly withoutIo: number;
  /** Members beyond the limit, which are not counted. */
  readonly beyondLimit: number;
}

/** How one process is looked at again, after the table. */
interface ProcessProbe {
  stat(pid: number): ProcStat | undefined;
  io(pid: number): IoBytes | undefined;
}

/** The state of a tree, for a cursor. */
export interface TreeState {
  /** Processes that began before were there before the workload was metered. Ticks since boot. */
  readonly sinceTicks: bigint;
  readonly members: readonly Member[];
  readonly sessions: readonly number[];
  readonly owed: { readonly cpu: bigint; readonly read: bigint; readonly written: bigint };
}

/**
 * Adds up what a process and its descendants use, from one look at the process table to the next.
 *
 * A process that ends hands its times to the parent that waits for it, so CPU time of processes
 * which live shorter than the time between two looks is not lost, and what had been counted of a
 * member while it lived is taken off what its parent was handed. A member that nobody of the tree
 * waits for (its parent ended first, or ignores SIGCHLD) takes what it used after the last look with
 * it: that is not guessed, but told in `unseenEnds`.
 */
export class ProcessTree {
  readonly #sinceTicks: bigint;
  readonly #probe: ProcessProbe;
  readonly #limit: number;
  readonly #sessions: Set<number>;
  readonly #cpu: WaitedPool;
  readonly #read: WaitedPool;
  readonly #written: WaitedPool;
  #members: Map<number, Member>;

  constructor(state: TreeState, probe: ProcessProbe, limit: number) {
    this.#sinceTicks = state.sinceTicks;
    this.#probe = probe;
    this.#limit = limit;
    this.#members = new Map(state.members.map((member) => [member.pid, member]));
    this.#sessions = new Set(state.sessions);
    this.#cpu = new WaitedPool(state.owed.cpu);
    this.#read = new WaitedPool(state.owed.read);
    this.#written = new WaitedPool(state.owed.written);
  }

  get members(): readonly Member[] {
    return [...this.#members.values()];
  }

  look(table: ProcessTable, root: ProcessId | undefined): TreeGrowth {
    const { found, beyondLimit } = this.#find(table, root);
    const now = this.#confirm(found);
    const ended = new Map([...this.#members].filter(([pid, was]) => !isSame(now.get(pid), was)));
    let unseenEnds = 0;
    for (const member of ended.values()) {
      if (nearestAlive(member, ended, now)) this.#owe(member);
      else unseenEnds += 1;
    }
    let ownTicks = 0n;
    for (const member of now.values()) ownTicks += this.#grow(member);
    const cpu = this.#cpu.settle();
    const growth = {
      cpuTicks: ownTicks + cpu.counted,
      readBytes: this.#read.settle().counted,
      writtenBytes: this.#written.settle().counted,
      unseenEnds: unseenEnds + (cpu.isUnpaid ? 1 : 0),
      withoutIo: [...now.values()].filter(({ io }) => io === undefined).length,
      beyondLimit,
    };
    this.#members = now;
    return growth;
  }

  /** The root and what descends from it, from members, or is of a session that a member began. */
  #find(table: ProcessTable, root: ProcessId | undefined): Found {
    const found = new Map<number, ProcStat>();
    let beyondLimit = 0;
    const add = (stat: ProcStat | undefined) => {
      if (stat === undefined || found.has(stat.pid)) return;
      if (found.size >= this.#limit) beyondLimit += 1;
      else found.set(stat.pid, stat);
    };
    const known = root === undefined ? [] : [root];
    for (const id of [...known, ...this.#members.values()]) {
      const stat = table.byPid.get(id.pid);
      if (isSame(stat, id)) add(stat);
    }
    for (const session of this.#sessions) {
      const all = table.ofSession(session);
      for (const stat of all) add(stat);
      if (all.length === 0) this.#sessions.delete(session);
    }
    // A map is walked on over what is added to it meanwhile.
    for (const { pid, session } of found.values()) {
      if (pid === session) this.#sessions.add(session);
      for (const child of table.childrenOf(pid)) add(child);
    }
    return { found, beyondLimit };
  }

  /**
   * Leaves out who has ended meanwhile: the parent that was read before cannot have its times yet,
   * or has them already, and a member is counted in one of the two places only.
   */
  #confirm(found: ReadonlyMap<number, ProcStat>): Map<number, Member> {
    const members = [...found.values()].map((stat) => ({ ...stat, io: this.#probe.io(stat.pid) }));
    const alive = members.filter((member) => isSame(this.#probe.stat(member.pid), member));
    return new Map(alive.map((member) => [member.pid, member]));
  }

  #owe(member: Member): void {
    this.#cpu.owe(member.ownTicks + member.waitedTicks);
    this.#read.owe(member.io?.readBytes ?? 0n);
    this.#written.owe(member.io?.writtenBytes ?? 0n);
  }

  /** The member's own CPU ticks since the last look; all else goes to the pools. */
  #grow(member: Member): bigint {
    const known = this.#members.get(member.pid);
    const was = isSame(known, member) ? known : undefined;
    // What was there before the workload was metered has used something before, too.
    if (was === undefined && member.startTicks < this.#sinceTicks) return 0n;
    this.#cpu.hand(member.waitedTicks - (was?.waitedTicks ?? 0n));
    const isFirstIo = was !== undefined && was.io === undefined;
    if (member.io !== undefined && !isFirstIo) {
      this.#read.hand(member.io.readBytes - (was?.io?.readBytes ?? 0n));
      this.#written.hand(member.io.writtenBytes - (was?.io?.writtenBytes ?? 0n));
    }
    return member.ownTicks - (was?.ownTicks ?? 0n);
  }

  state(): TreeState {
    const owed = { cpu: this.#cpu.owed, read: this.#read.owed, written: this.#written.owed };
    const sessions = [...this.#sessions];
    return { sinceTicks: this.#sinceTicks, members: this.members, sessions, owed };
  }
}

interface Found {
  readonly found: ReadonlyMap<number, ProcStat>;
  readonly beyondLimit: number;
}

function isSame(one: ProcessId | undefined, other: ProcessId): boolean {
  return one?.startTicks === other.startTicks && one.pid === other.pid;
}

/** Whether the nearest ancestor that has not ended is of the tree: then times may reach it. */
function nearestAlive(
  member: Member,
  ended: ReadonlyMap<number, Member>,
  now: ReadonlyMap<number, Member>,
): boolean {
  let { parent } = member;
  // At most so many steps: numbers that came again could go round.
  for (let steps = 0; steps <= ended.size; steps += 1) {
    if (now.has(parent)) return true;
    const above = ended.get(parent);
    if (above === undefined) return false;
    parent = above.parent;
  }
  return false;
}
