/** The two clocks of a machine, in milliseconds. */
export interface OnwardSource {
  /** Unix time, which people and time servers may set. */
  wallMs(): number;
  /** Never set. */
  steadyMs(): number;
}

const MACHINE: OnwardSource = { wallMs: () => Date.now(), steadyMs: () => performance.now() };

/**
 * Unix milliseconds that neither go back nor stand still: after the wall clock was set back, they
 * go on by the steady one until the wall clock has passed them. So a wait that was reckoned before
 * ends after as long as was meant.
 */
export function onwardClock(source: OnwardSource = MACHINE): () => number {
  let last = { now: source.wallMs(), steadyMs: source.steadyMs() };
  return () => {
    const steadyMs = source.steadyMs();
    const gone = Math.max(0, steadyMs - last.steadyMs);
    last = { now: Math.max(source.wallMs(), last.now + gone), steadyMs };
    return Math.floor(last.now);
  };
}
