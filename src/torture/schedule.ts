import { TortureError } from "./errors.ts";
import {
  type Fault,
  FAULT_KINDS,
  type FaultKind,
  isRequestFault,
  REQUEST_CLASSES,
  type RequestClass,
  type RequestPoint,
  type TimePoint,
} from "./fault.ts";
import type { Profile } from "./profiles.ts";
import { Random } from "./random.ts";

/** Which faults happen when. It can be written to a file and replayed. */
export interface Schedule {
  readonly seed: number;
  /** Name of the profile that it was drawn from. */
  readonly profile: string;
  readonly faults: readonly Fault[];
}

/** What of the faults of a profile can be done here. */
export interface Abilities {
  readonly canRestartNode: boolean;
  readonly canKillDaemon: boolean;
  readonly canSkewTime: boolean;
}

/** Requests of each class are hit up to this one. */
const REACH: Readonly<Record<RequestClass, number>> = {
  broadcast: 8,
  query: 24,
  lookup: 24,
  other: 12,
  any: 64,
};
/** World faults by time come within so many milliseconds of the start. */
const TIME_REACH_MS = 4000;

/** Draws a schedule; the same one for the same seed, profile, number of faults and abilities. */
export function drawSchedule(
  seed: number,
  profile: Profile,
  count: number,
  abilities: Abilities,
): Schedule {
  const random = new Random(seed);
  const kinds = profile.kinds.filter((kind) => isPossible(kind, abilities));
  if (profile.kinds.length > 0 && kinds.length === 0) {
    const needs = leftOutOf(profile.kinds, abilities).map((each) => each.needs);
    const detail = `profile ${profile.name} needs what is not there: ${needs.join("; ")}`;
    throw new TortureError("nothing_possible", detail);
  }
  const faults = kinds.length === 0 ? [] : Array.from({ length: count }, () => draw(kinds, random));
  return { seed, profile: profile.name, faults: distinct(faults) };
}

/** A kind of fault that cannot be done here, and what it would take. */
export interface LeftOut {
  readonly kind: FaultKind;
  readonly needs: string;
}

/** Which of the kinds that a schedule has, or could have had, do not happen here. */
export function leftOutOf(kinds: Iterable<FaultKind>, abilities: Abilities): LeftOut[] {
  return [...new Set(kinds)]
    .filter((kind) => !isPossible(kind, abilities))
    .map((kind) => ({ kind, needs: NEEDS[kind] ?? "" }));
}

const NEEDS: Readonly<Partial<Record<FaultKind, string>>> = {
  kill_node: "--spawn-node or --restart-node",
  skew_time: "the time controls of a dev chain",
};

function isPossible(kind: FaultKind, abilities: Abilities): boolean {
  if (kind === "kill_node") return abilities.canRestartNode;
  if (kind === "kill_daemon") return abilities.canKillDaemon;
  return kind !== "skew_time" || abilities.canSkewTime;
}

function draw(kinds: readonly FaultKind[], random: Random): Fault {
  const kind = random.pick(kinds);
  if (kind === "kill_node" || kind === "kill_daemon") {
    return { kind, at: worldPoint(random), ms: random.between(0, 400) };
  }
  if (kind === "skew_time") {
    return { kind, at: worldPoint(random), seconds: random.between(1, 5) };
  }
  if (kind === "stale") {
    const of = random.pick(["query", "query", "lookup", "other"] as const);
    return { kind, at: { of, nth: random.small(REACH[of]) } };
  }
  const at = requestPoint(random);
  if (kind === "delay" || kind === "drip") return { kind, at, ms: random.between(20, 600) };
  return kind === "hold" ? { kind, at, ms: random.between(200, 800) } : { kind, at };
}

/** Half of the faults meet a broadcast: that is where money is lost. */
function requestPoint(random: Random): RequestPoint {
  const of = random.pick([
    "broadcast",
    "broadcast",
    "broadcast",
    "query",
    "lookup",
    "any",
  ] as const);
  return { of, nth: random.small(REACH[of]) };
}

function worldPoint(random: Random): RequestPoint | TimePoint {
  if (random.below(4) === 0) return { afterMs: random.below(TIME_REACH_MS) };
  return { ...requestPoint(random), plusMs: random.pick([0, 0, 5, 20, 80]) };
}

/** One fault of a kind per point: a second one would change nothing. */
function distinct(faults: readonly Fault[]): Fault[] {
  const byPoint = new Map(faults.map((fault) => [JSON.stringify([fault.kind, fault.at]), fault]));
  return [...byPoint.values()];
}

/** The content of a schedule's file. */
export function scheduleText(schedule: Schedule): string {
  const { seed, profile, faults } = schedule;
  const rows = faults.map((fault) => `    ${JSON.stringify(fault)}`).join(",\n");
  const list = faults.length === 0 ? "[]" : `[\n${rows}\n  ]`;
  return `{\n  "seed": ${seed},\n  "profile": ${JSON.stringify(profile)},\n  "faults": ${list}\n}\n`;
}

/**
 * Reads the content of a schedule's file.
 * @throws TortureError `bad_schedule` naming `source`, the fault and what is wrong with it.
 */
export function parseSchedule(text: string, source: string): Schedule {
  const refuse = (detail: string) => new TortureError("bad_schedule", `${source}: ${detail}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw refuse(`not JSON: ${(error as Error).message}`);
  }
  const { seed = 0, profile = "", faults } = (json ?? {}) as Record<string, unknown>;
  if (!isCount(seed)) throw refuse(`"seed" is a whole number, not ${JSON.stringify(seed)}`);
  if (typeof profile !== "string") throw refuse(`"profile" is a text`);
  if (!Array.isArray(faults)) throw refuse(`"faults" is a list`);
  const readFault = (fault: unknown, index: number) => {
    const wrong = whatIsWrong((fault ?? {}) as Record<string, unknown>);
    if (wrong === undefined) return fault as Fault;
    throw refuse(`faults[${index}]: ${wrong}: ${JSON.stringify(fault)}`);
  };
  return { seed, profile, faults: faults.map(readFault) };
}

function whatIsWrong(fault: Record<string, unknown>): string | undefined {
  const { kind, at, ms, seconds, ...more } = fault;
  const unknown = Object.keys(more)[0];
  if (unknown !== undefined) return `unknown field "${unknown}"`;
  if (!FAULT_KINDS.some((known) => known === kind)) {
    return `"kind" is one of ${FAULT_KINDS.join(", ")}`;
  }
  for (const [name, value] of Object.entries({ ms, seconds })) {
    if (value !== undefined && !isCount(value)) return `"${name}" is a whole number`;
  }
  const { of, nth, plusMs, afterMs } = (at ?? {}) as Record<string, unknown>;
  if (isCount(afterMs) && of === undefined) {
    const isRequest = isRequestFault(fault as unknown as Fault);
    return isRequest ? `a fault of requests happens at {"of", "nth"}` : undefined;
  }
  const isPoint = REQUEST_CLASSES.some((known) => known === of) && isCount(nth) && nth > 0;
  if (!isPoint || !(plusMs === undefined || isCount(plusMs))) {
    return `"at" is {"of": ${REQUEST_CLASSES.join("|")}, "nth": from 1} or {"afterMs": number}`;
  }
  return undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
