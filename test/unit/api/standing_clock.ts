import { vi } from "vitest";

/**
 * Stands in for performance.now until vi.restoreAllMocks: its time goes on by what a test says that
 * work takes, and by nothing else that the machine does.
 */
export class StandingClock {
  /** Milliseconds. */
  ms = performance.now();

  constructor() {
    vi.spyOn(performance, "now").mockImplementation(() => this.ms);
  }
}
