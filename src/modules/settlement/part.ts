import type { UsageState } from "../../gen/settled/settlement/v1/state.ts";
import { UINT64_MAX } from "../../lib/int.ts";
import { compareKeys, KeyMap } from "../../lib/key_map.ts";
import { isWorth } from "./allocate.ts";
import type { Purse } from "./means.ts";

/** Records of one denom, in recording order. */
interface Held {
  taken: UsageState[];
  /** The first that the balance did not cover. */
  stoppedAt: UsageState | undefined;
}

/** Records of a part, in recording order. */
export interface PartRecords {
  /** With the first of each denom that the balance does not cover. */
  readonly selected: readonly UsageState[];
  /** Eligible ones that make way: what their denom came to is below the minimum. */
  readonly passedOver: readonly UsageState[];
  /** Denoms that the balance does not cover to their last record. */
  readonly spent: readonly string[];
}

interface Limits {
  /** Records that are taken at most. */
  readonly limit: number;
  /** Undefined for a final settlement, which takes what is not covered too. */
  readonly purse: Purse | undefined;
  /** Denoms of which an earlier record was not covered. */
  readonly spent: readonly string[];
  /** Of a denom, in its base units; a final settlement has none. */
  readonly minimum: bigint;
  /** Called for each record that is passed over. */
  readonly onPassed: () => void;
}

/**
 * What one settlement takes, while it is filled in recording order. Records of a denom below the
 * minimum would be left out in the end, so when it is full they make way for what may be settled
 * (RULES 27): they wait, and their denom begins anew with what comes next.
 */
export class Part {
  readonly #limits: Limits;
  readonly #held = new KeyMap<Held>();
  readonly #passedOver: UsageState[] = [];
  /** What it was when records first made way. */
  #first: readonly UsageState[] | undefined;
  #count = 0;
  #units = 0n;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Whether records made way: they may be a later part's. */
  get hasPassedOver(): boolean {
    return this.#first !== undefined;
  }

  isSpent(denom: string): boolean {
    const { purse, spent } = this.#limits;
    return purse?.isSpent(denom) === true || spent.includes(denom);
  }

  /** Adds a record of a denom that is not spent; false when there is no room for it. */
  add(usage: UsageState): boolean {
    if (!this.#hasRoom(usage)) {
      this.#makeWay();
      if (!this.#hasRoom(usage)) return false;
    }
    const held = this.#heldOf(usage.denom);
    const { purse } = this.#limits;
    if (purse === undefined || purse.covers(usage)) {
      held.taken.push(usage);
      this.#count += 1;
      this.#units += usage.units;
    } else held.stoppedAt = usage;
    return true;
  }

  /** Its records when nothing more is added. */
  records(): PartRecords {
    const denoms = this.#held.sortedKeys();
    const here = denoms.filter((denom) => this.isSpent(denom));
    const spent = [...this.#limits.spent, ...here].sort(compareKeys);
    const selected = this.#selected();
    // Nothing to settle: the first part says why as well as any other.
    if (this.#first !== undefined && !denoms.some((denom) => this.#isWorth(denom))) {
      const passedOver = inOrder([...this.#passedOver, ...selected]);
      return { selected: this.#first, passedOver, spent };
    }
    return { selected, passedOver: inOrder(this.#passedOver), spent };
  }

  /** The units of a settlement are one 64-bit field. */
  #hasRoom({ units }: UsageState): boolean {
    return this.#count < this.#limits.limit && this.#units + units <= UINT64_MAX;
  }

  #makeWay(): void {
    if (this.#limits.purse === undefined) return;
    for (const [denom, { taken }] of this.#held.sortedEntries()) {
      if (taken.length === 0 || this.#isWorth(denom)) continue;
      this.#first ??= this.#selected();
      this.#limits.purse.giveBack(denom);
      for (const usage of taken) {
        this.#limits.onPassed();
        this.#passedOver.push(usage);
        this.#units -= usage.units;
      }
      this.#count -= taken.length;
      // What it stopped at was not covered after these, and stays so though they make way.
      this.#held.set(denom, { taken: [], stoppedAt: undefined });
    }
  }

  #isWorth(denom: string): boolean {
    const { purse, minimum } = this.#limits;
    return purse === undefined || isWorth(purse.takenOf(denom), minimum);
  }

  #heldOf(denom: string): Held {
    const before = this.#held.get(denom);
    if (before !== undefined) return before;
    const held = { taken: [], stoppedAt: undefined };
    this.#held.set(denom, held);
    return held;
  }

  #selected(): UsageState[] {
    const all = this.#held.sortedValues().flatMap(({ taken, stoppedAt }) => {
      return stoppedAt === undefined ? taken : [...taken, stoppedAt];
    });
    return inOrder(all);
  }
}

function inOrder(usage: readonly UsageState[]): UsageState[] {
  return [...usage].sort((a, b) => (a.seq < b.seq ? -1 : 1));
}
