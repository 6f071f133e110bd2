import { vi } from "vitest";

/**
 * Stands in for performance.now until vi.restoreAllMocks: its time goes on by what a test says that
 * work takes, and by nothing else that the machine does.
 */
export class StandingClock {
  /** Milliseconds, whole ones: with a fraction, adding 999 and then 1 can be less than adding 1000. */
  ms = Math.floor(performance.now());

  constructor() {
    vi.spyOn(performance, "now").mockImplementation(() => this.ms);
  }
}
