import process from "node:process";
import { describe, expect, it } from "vitest";
import type { CollectorSettings } from "../../../../src/provider/collect/collector_settings.ts";
import { openCollector } from "../../../../src/provider/collect/open_collector.ts";
import { realNow, stored } from "./moments.ts";

const isLinux = process.platform === "linux";

describe.skipIf(!isLinux)("the collectors (skipped without /proc)", () => {
  it.each<[CollectorSettings, readonly string[]]>([
    [{ kind: "cgroup2", path: "/nowhere/group" }, ["cpuMilliseconds", "memoryByteSeconds"]],
    [{ kind: "process", pid: process.pid }, ["cpuMilliseconds", "memoryByteSeconds"]],
    [{ kind: "network", interfaces: ["lo"] }, ["networkBytesIn", "networkBytesOut"]],
    [{ kind: "disk", path: import.meta.dirname }, ["storageByteSeconds"]],
    [
      { kind: "prometheus", url: "http://127.0.0.1:9/", selector: 'a="b"', exporter: "dcgm" },
      ["gpuSeconds"],
    ],
  ])("are opened by their kind and go on from their cursor: %o", async (settings, tells) => {
    const first = await openCollector(settings, undefined, realNow());
    expect(first.tells).toEqual(tells);
    expect(first.name).toContain(settings.kind);
    const one = await first.read(realNow());
    const cursor = stored(first.cursor());
    await first.close();
    const second = await openCollector(settings, cursor, realNow());
    const two = await second.read(realNow());
    expect(two.startMs).toBe(one.endMs);
    expect(two.isContinuous).toBe(false);
    for (const amount of Object.values({ ...one.metrics, ...two.metrics })) {
      expect(amount).toBeGreaterThanOrEqual(0n);
    }
  });

  it("of an unknown kind are refused", async () => {
    const settings = { kind: "sundial" } as unknown as CollectorSettings;
    await expect(openCollector(settings, undefined, realNow())).rejects.toThrow(
      /unknown kind of collector "sundial"; there are cgroup2/,
    );
  });
});
