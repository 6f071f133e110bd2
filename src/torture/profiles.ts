import type { FaultKind } from "./fault.ts";

/** What a profile's schedules are drawn from. */
export interface Profile {
  readonly name: string;
  /** For `--list-profiles` and the guide. */
  readonly says: string;
  /** A kind that stands there twice is drawn twice as often. */
  readonly kinds: readonly FaultKind[];
}

const ANSWERS: readonly FaultKind[] = ["lose_answer", "lose_answer", "cut_answer", "bad_gateway"];
const NETWORK: readonly FaultKind[] = [
  ...(["delay", "hold", "cut_request", "unavailable", "duplicate"] as const),
  ...(["garbage", "truncated", "drip"] as const),
];
const RESTARTS: readonly FaultKind[] = ["kill_node", "kill_daemon"];

export const PROFILES: readonly Profile[] = [
  { name: "calm", says: "no fault at all: the daemon and the figures must agree", kinds: [] },
  {
    name: "answers",
    says: "what the node did is done, and the daemon is not told: lost and cut answers, HTTP 502",
    kinds: ANSWERS,
  },
  {
    name: "network",
    says: "answers, and delays, reordering, duplicates, cuts, HTTP 503, garbage, slow answers",
    kinds: [...ANSWERS, ...NETWORK],
  },
  {
    name: "restarts",
    says: "the daemon and the node are killed with SIGKILL and started again",
    kinds: RESTARTS,
  },
  {
    name: "time",
    says: "the chain's time stands still, then jumps; old answers, as of a node that lags; delays",
    kinds: ["skew_time", "stale", "stale", "delay"],
  },
  {
    name: "everything",
    says: "all of the above at once",
    kinds: [...ANSWERS, ...NETWORK, ...RESTARTS, ...RESTARTS, "skew_time", "stale"],
  },
];

export function profileNamed(name: string): Profile | undefined {
  return PROFILES.find((profile) => profile.name === name);
}
