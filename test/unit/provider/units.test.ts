import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Metrics,
  NO_METRICS,
  RAW_PER_UNIT,
  RESOURCES,
  rawUsage,
  UnitCounter,
  unitsOfWindow,
} from "../../../src/provider/units.ts";

const INT64_MAX = 2n ** 63n - 1n;

function units(metrics: Partial<Metrics>): string {
  const billed = unitsOfWindow({ ...NO_METRICS, ...metrics });
  return billed.map(({ resource, units }) => `${resource} ${units}`).join(", ");
}

describe("units of a window", () => {
  it("R-003-03 a window is reported per resource, in one fixed order", () => {
    const all = {
      networkBytesOut: 2n ** 30n,
      gpuSeconds: 3600n,
      storageByteSeconds: RAW_PER_UNIT.storage,
      memoryByteSeconds: RAW_PER_UNIT.memory,
      cpuMilliseconds: 3_600_000n,
    };
    expect(units(all)).toBe("cpu 1, memory 1, storage 1, gpu 1, network 1");
  });

  it("R-003-04 cpu: CPU-hours, floor of milliseconds / (1000 × 3600)", () => {
    expect(units({ cpuMilliseconds: 7_200_000n })).toBe("cpu 2");
    expect(units({ cpuMilliseconds: 7_199_999n })).toBe("cpu 1");
    expect(units({ cpuMilliseconds: 3_600_000n })).toBe("cpu 1");
    expect(units({ cpuMilliseconds: 3_599_999n, gpuSeconds: 3600n })).toBe("gpu 1");
    expect(units({ cpuMilliseconds: INT64_MAX })).toBe("cpu 2562047788015");
  });

  it("R-003-05 memory: GB-hours, floor of byte-seconds / (1024^3 × 3600)", () => {
    expect(units({ memoryByteSeconds: 3_865_470_566_400n })).toBe("memory 1");
    expect(units({ memoryByteSeconds: 38_654_705_664_005n })).toBe("memory 10");
    expect(units({ memoryByteSeconds: 3_865_470_566_399n, gpuSeconds: 3600n })).toBe("gpu 1");
    expect(units({ memoryByteSeconds: INT64_MAX })).toBe("memory 2386092");
  });

  it("R-003-06 storage: GB-hours, like memory", () => {
    expect(units({ storageByteSeconds: 7_730_941_132_800n })).toBe("storage 2");
    expect(units({ storageByteSeconds: INT64_MAX })).toBe("storage 2386092");
  });

  it("R-003-07 gpu: GPU-hours, floor of seconds / 3600", () => {
    expect(units({ gpuSeconds: 10_800n })).toBe("gpu 3");
    expect(units({ gpuSeconds: 7199n })).toBe("gpu 1");
    expect(units({ gpuSeconds: 3599n, cpuMilliseconds: 3_600_000n })).toBe("cpu 1");
  });

  it("R-003-08 network: GB both ways, summed before the division, and never wrapping", () => {
    const half = 536_870_912n;
    expect(units({ networkBytesIn: half, networkBytesOut: half })).toBe("network 1");
    expect(units({ networkBytesIn: 2n ** 30n - 1n, networkBytesOut: 1n })).toBe("network 1");
    // A sum in 64 signed bits would wrap to a negative number here and bill nothing (D-16 upstream).
    expect(units({ networkBytesIn: INT64_MAX, networkBytesOut: 1n })).toBe("network 8589934592");
    expect(units({ networkBytesIn: INT64_MAX, networkBytesOut: INT64_MAX })).toBe(
      "network 17179869183",
    );
  });

  it("R-003-09 all units zero: one report of one cpu unit, and only then", () => {
    expect(units({})).toBe("cpu 1");
    expect(units({ cpuMilliseconds: 3_599_999n })).toBe("cpu 1");
    expect(units({ networkBytesIn: 2n ** 30n - 1n })).toBe("cpu 1");
    expect(units({ gpuSeconds: 3600n })).toBe("gpu 1");
    expect(units({ cpuMilliseconds: 3_599_999n, gpuSeconds: 3600n })).toBe("gpu 1");
  });

  it("R-003-10 a resource without a unit is not reported beside one that has some", () => {
    expect(units({ cpuMilliseconds: 7_200_000n, memoryByteSeconds: 0n })).toBe("cpu 2");
    expect(units({ cpuMilliseconds: 7_200_000n, memoryByteSeconds: 5n })).toBe("cpu 2");
  });
});

describe("rounding over several windows", () => {
  const halfHour = { ...NO_METRICS, cpuMilliseconds: 1_800_000n };

  it("R-003-11 / RULES 37 / D-13 floor bills the footprint of every window, carry one unit for both", () => {
    const floor = new UnitCounter("floor");
    expect([floor.add(halfHour), floor.add(halfHour)].map((billed) => billed[0]?.units)).toEqual([
      1n,
      1n,
    ]);
    const carry = new UnitCounter("carry");
    expect(carry.add(halfHour)).toEqual([]);
    expect(carry.add(halfHour)).toEqual([{ resource: "cpu", units: 1n }]);
  });

  it("R-003-11 / RULES 37 carry bills the footprint only for a window whose raw metrics are all zero", () => {
    const carry = new UnitCounter("carry");
    expect(carry.add(halfHour)).toEqual([]);
    expect(carry.add(NO_METRICS)).toEqual([{ resource: "cpu", units: 1n }]);
    expect(carry.add(halfHour)).toEqual([{ resource: "cpu", units: 1n }]);
    expect(carry.add({ ...NO_METRICS, networkBytesOut: 1n })).toEqual([]);
  });

  it("R-003-11 / RULES 37 carry drops the remainder at the lease's end and says what it was", () => {
    const carry = new UnitCounter("carry");
    carry.add({ ...halfHour, networkBytesIn: 7n });
    expect(carry.close()).toEqual({
      cpu: 1_800_000n,
      memory: 0n,
      storage: 0n,
      gpu: 0n,
      network: 7n,
    });
    expect(carry.add(halfHour)).toEqual([]);
  });

  const metric = fc.bigInt({ min: 0n, max: INT64_MAX });
  const anyMetrics = fc.record({
    cpuMilliseconds: metric,
    memoryByteSeconds: metric,
    storageByteSeconds: metric,
    gpuSeconds: metric,
    networkBytesIn: metric,
    networkBytesOut: metric,
  });
  const small = fc.bigInt({ min: 0n, max: 8_000_000n });
  const smallMetrics = fc.record({
    cpuMilliseconds: small,
    memoryByteSeconds: small.map((value) => value * 1_000_000n),
    storageByteSeconds: small.map((value) => value * 1_000_000n),
    gpuSeconds: fc.bigInt({ min: 0n, max: 9000n }),
    networkBytesIn: small.map((value) => value * 200n),
    networkBytesOut: small.map((value) => value * 200n),
  });

  it("floor is the integer quotient of every resource by itself", () => {
    fc.assert(
      fc.property(anyMetrics, (metrics) => {
        const raw = rawUsage(metrics);
        const expected = RESOURCES.map((resource) => ({
          resource,
          units:
            (raw[resource] - (raw[resource] % RAW_PER_UNIT[resource])) / RAW_PER_UNIT[resource],
        })).filter((each) => each.units > 0n);
        expect(unitsOfWindow(metrics)).toEqual(
          expected.length > 0 ? expected : [{ resource: "cpu", units: 1n }],
        );
      }),
    );
  });

  it("R-003-11 / RULES 37 carry conserves: units × divisor + remainder = raw, but for footprints", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(smallMetrics, fc.constant(NO_METRICS))), (windows) => {
        const counter = new UnitCounter("carry");
        const billed = { cpu: 0n, memory: 0n, storage: 0n, gpu: 0n, network: 0n };
        const used = { ...billed };
        for (const metrics of windows) {
          const raw = rawUsage(metrics);
          const idle = RESOURCES.every((resource) => raw[resource] === 0n);
          for (const resource of RESOURCES) used[resource] += raw[resource];
          const added = counter.add(metrics);
          if (idle) expect(added).toEqual([{ resource: "cpu", units: 1n }]);
          else for (const each of added) billed[each.resource] += each.units;
        }
        const rest = counter.close();
        for (const resource of RESOURCES) {
          expect(billed[resource] * RAW_PER_UNIT[resource] + rest[resource]).toBe(used[resource]);
          expect(rest[resource] < RAW_PER_UNIT[resource]).toBe(true);
        }
      }),
    );
  });
});
