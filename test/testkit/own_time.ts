const TICK_MS = 5;

/**
 * How long something takes that mostly waits, in milliseconds of the time that this process has had:
 * a timer ticks, and ticks that come late are not made up for. So what a test says of a limit of the
 * program stays true on a machine that is busy with others.
 */
export async function ownMs(work: () => Promise<unknown>): Promise<number> {
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
  }, TICK_MS);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return ticks * TICK_MS;
}

/** Processor time that this process has used so far, for what mostly reckons, in milliseconds. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
