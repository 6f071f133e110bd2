import { describe, expect, it } from "vitest";
import { MeterClock, stepBetween } from "../../../../src/provider/windows/meter_clock.ts";

class Clocks {
  wall = 1_000_000;
  steady = 50;
  wallMs = () => this.wall;
  steadyMs = () => this.steady;

  pass(ms: number, steppedBy = 0): void {
    this.wall += ms + steppedBy;
    this.steady += ms;
  }
}

describe("the clock of metering", () => {
  it("follows both clocks, and tells no step while they go together", () => {
    const clocks = new Clocks();
    const clock = new MeterClock(clocks);
    expect(clock.now()).toEqual({ wallMs: 1_000_000, steadyMs: 50 });
    clocks.pass(3_600_000, 900);
    expect(clock.now()).toEqual({ wallMs: 4_600_900, steadyMs: 3_600_050 });
    expect(clock.takeSteps()).toEqual([]);
  });

  it("stands still after a step back until it is passed, and says so once", () => {
    const clocks = new Clocks();
    const clock = new MeterClock(clocks);
    clock.now();
    clocks.pass(1000, -10_000);
    expect(clock.now().wallMs).toBe(1_000_000);
    expect(clock.standsStillMs).toBe(9000);
    clocks.pass(8000);
    expect(clock.now()).toEqual({ wallMs: 1_000_000, steadyMs: 9050 });
    clocks.pass(2000);
    expect(clock.now().wallMs).toBe(1_001_000);
    expect(clock.standsStillMs).toBe(0);
    expect(clock.takeSteps()).toEqual([
      {
        byMs: -10_000,
        wallMs: 991_000,
        text: "the clock was set back by 10.0 s; metering time stands still for 9.0 s",
      },
    ]);
    expect(clock.takeSteps()).toEqual([]);
  });

  it("notices a step back that is smaller than the time since the last look", () => {
    const clocks = new Clocks();
    const clock = new MeterClock(clocks);
    clock.now();
    clocks.pass(10_000, -5000);
    expect(clock.now().wallMs).toBe(1_005_000);
    expect(clock.takeSteps().map(({ text }) => text)).toEqual(["the clock was set back by 5.0 s"]);
  });

  it("follows a step ahead at once: a suspended machine looks the same", () => {
    const clocks = new Clocks();
    const clock = new MeterClock(clocks);
    const before = clock.now();
    clocks.pass(1000, 7_200_000);
    const after = clock.now();
    expect(after.wallMs).toBe(8_201_000);
    expect(stepBetween(before, after)).toBe(7_200_000);
    expect(clock.takeSteps().map(({ text }) => text)).toEqual([
      "the clock went 7200.0 s ahead: it was set, or the machine was suspended",
    ]);
  });

  it("does not go back over a restart", () => {
    const clock = new MeterClock(new Clocks(), 1_030_000);
    expect(clock.now().wallMs).toBe(1_030_000);
    expect(clock.takeSteps().map(({ byMs }) => byMs)).toEqual([-30_000]);
    expect(new MeterClock().now().wallMs).toBeGreaterThan(1_700_000_000_000);
  });

  it("takes a steady clock that began anew for a step of the whole time between", () => {
    const before = { wallMs: 1000, steadyMs: 900_000 };
    expect(stepBetween(before, { wallMs: 61_000, steadyMs: 10 })).toBe(60_000);
  });
});
