import type { LiveFacts } from "./status.ts";

export interface HealthAnswer {
  readonly status: 200 | 503;
  readonly body: {
    readonly status: "ok" | "unhealthy";
    readonly chain_id: string;
    /** Why it is unhealthy; each says what to do. */
    readonly reasons: readonly string[];
  };
}

export interface HealthLimits {
  /** Seconds without any answer of any node. */
  readonly nodeSilentSeconds: number;
  /** Base units of the denom of gas. */
  readonly fundsLeast: bigint;
  /** Seconds that a step of the wall clock is told. */
  readonly clockStepSeconds: number;
  /** Seconds without a look at a workload. */
  readonly lookSeconds: number;
  /** Seconds for which the fate of a tx may be open. */
  readonly openTxSeconds: number;
}

export interface HealthInput extends Omit<LiveFacts, "unhealthy"> {
  readonly nowMs: number;
  /** Unix milliseconds of the last step of the wall clock; undefined: none. */
  readonly clockSteppedMs: number | undefined;
  /** Unix milliseconds at which the oldest tx was sent whose fate is open; undefined: there is none. */
  readonly oldestSentMs: number | undefined;
  /** Why writing to the disk fails now; "" when it works. */
  readonly diskFault: string;
  /** Why sending or following blocks does not go on. */
  readonly broken: readonly string[];
}

/** Why the daemon does not do its work, one sentence each; empty when it does. */
export function unhealthyReasons(input: HealthInput, limits: HealthLimits): string[] {
  const reasons: string[] = [];
  const { nodes, sources, funds, nowMs, startedMs, clockSteppedMs } = input;
  const answered = Math.max(startedMs, ...nodes.map(({ answeredMs }) => answeredMs ?? 0));
  const silent = Math.floor((nowMs - answered) / 1000);
  if (silent > limits.nodeSilentSeconds) {
    reasons.push(`no node has answered for ${silent} s: ${nodes.map(({ url }) => url).join(", ")}`);
  }
  for (const { kind, name, fault, readMs, isEnded } of sources) {
    if (fault !== "") reasons.push(`${kind} ${name}: ${fault}`);
    // A feed may have nothing to tell; a meter always has.
    const unseen = Math.floor((nowMs - (readMs ?? nowMs)) / 1000);
    if (kind === "workload" && !isEnded && unseen > limits.lookSeconds) {
      reasons.push(`workload ${name}: its meter has not answered for ${unseen} s`);
    }
  }
  const open = Math.floor((nowMs - (input.oldestSentMs ?? nowMs)) / 1000);
  if (open > limits.openTxSeconds) {
    reasons.push(`a tx was sent ${open} s ago and is in no block: does the chain make blocks?`);
  }
  if (funds !== undefined && BigInt(funds.amount) < limits.fundsLeast) {
    const rule = `less than health.funds_least ${limits.fundsLeast}${funds.denom}`;
    reasons.push(`the key has ${funds.amount}${funds.denom} for gas, ${rule}: send it some`);
  }
  if (clockSteppedMs !== undefined && nowMs - clockSteppedMs < limits.clockStepSeconds * 1000) {
    const when = new Date(clockSteppedMs).toISOString();
    reasons.push(`the wall clock was set at ${when}: check the time of this machine`);
  }
  if (input.diskFault !== "") reasons.push(`the disk: ${input.diskFault}`);
  return [...reasons, ...input.broken];
}

export function healthAnswer(chainId: string, reasons: readonly string[]): HealthAnswer {
  const isOk = reasons.length === 0;
  const body = { status: isOk ? "ok" : "unhealthy", chain_id: chainId, reasons } as const;
  return { status: isOk ? 200 : 503, body };
}
