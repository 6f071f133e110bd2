import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { afterEach, describe, expect, it } from "vitest";
import { openNetworkCollector } from "../../../../src/provider/collect/network_collector.ts";
import { canUnshare } from "../../../testkit/own_network.ts";
import { at, stored } from "./moments.ts";

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

/** Sends UDP packets of 1000 bytes to itself over the loopback of a network of its own. */
const SENDER = `const socket = require("node:dgram").createSocket("udp4");
  socket.bind(0, "127.0.0.1", () => console.log("ready"));
  process.stdin.on("data", async (text) => {
    for (let left = Number(text); left > 0; left -= 1) {
      const { port } = socket.address();
      await new Promise((done) => socket.send(Buffer.alloc(1000), port, "127.0.0.1", done));
    }
    console.log("sent");
  });`;
/** A packet with its IP and UDP headers, which is what the kernel counts on the loopback. */
const PACKET_BYTES = 1000 + 20 + 8;

async function startSender() {
  const args = ["-rn", "sh", "-c", 'ip link set lo up && exec "$0" -e "$1"'];
  const child = spawn("unshare", [...args, process.execPath, SENDER], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  started.push(child);
  await once(child.stdout, "data");
  const send = async (packets: number) => {
    child.stdin.write(`${packets}\n`);
    await once(child.stdout, "data");
  };
  return { pid: child.pid as number, child, send };
}

describe.skipIf(!canUnshare())("a network of its own (skipped where none may be made)", () => {
  it("is metered to the byte, also across a restart of the meter", async () => {
    const { pid, send } = await startSender();
    const settings = { kind: "network", pid, interfaces: ["lo"] } as const;
    const collector = await openNetworkCollector(settings, undefined, at(0));
    await send(100);
    const bytes = (packets: number) => BigInt(packets * PACKET_BYTES);
    const both = (packets: number) => ({
      ...{ networkBytesIn: bytes(packets), networkBytesOut: bytes(packets) },
    });
    expect(await collector.read(at(1000))).toMatchObject({ metrics: both(100), faults: [] });
    await send(7);
    const after = await openNetworkCollector(settings, stored(collector.cursor()), at(60_000));
    const usage = await after.read(at(61_000));
    expect(usage).toMatchObject({ metrics: both(7), faults: [], isContinuous: false });
    expect(usage.startMs).toBe(at(1000).wallMs);
  });

  it("leaves loopback out unless it is named", async () => {
    const { pid, send } = await startSender();
    const collector = await openNetworkCollector({ kind: "network", pid }, undefined, at(0));
    await send(10);
    const { metrics } = await collector.read(at(1000));
    expect(metrics).toEqual({ networkBytesIn: 0n, networkBytesOut: 0n });
  });

  it("says once that it is gone with its process, and bills nothing after", async () => {
    const { pid, child } = await startSender();
    const settings = { kind: "network", pid, interfaces: ["lo"] } as const;
    const collector = await openNetworkCollector(settings, undefined, at(0));
    child.kill("SIGKILL");
    await once(child, "exit");
    expect((await collector.read(at(1000))).faults.join()).toMatch(/has ended.*not known/);
    const later = await collector.read(at(2000));
    expect(later).toMatchObject({ metrics: { networkBytesIn: 0n }, faults: [] });
  });
});

describe.skipIf(!existsSync("/proc/net/dev"))("an interface of this machine", () => {
  it("is metered from its counters as /proc/net/dev has them", async () => {
    const settings = { kind: "network", interfaces: ["lo"], side: "outside" } as const;
    const collector = await openNetworkCollector(settings, undefined, at(0));
    const text = readFileSync("/proc/net/dev", "utf8");
    const received = BigInt(/^ *lo: *([0-9]+)/m.exec(text)?.[1] as string);
    const cursor = stored(collector.cursor()) as { interfaces: { lo: object } };
    const lo = { ...cursor.interfaces.lo, received: `${received - 1000n}` };
    const after = await openNetworkCollector(settings, { ...cursor, interfaces: { lo } }, at(1000));
    const { metrics, faults } = await after.read(at(2000));
    // What it received, the workload behind it has sent. Others use the loopback meanwhile.
    expect(Number(metrics.networkBytesOut)).toBeGreaterThanOrEqual(1000);
    expect(Number(metrics.networkBytesOut)).toBeLessThan(1e9);
    expect(faults).toEqual([]);
  });

  it("counts from 0 when its counters went back, and says so", async () => {
    const settings = { kind: "network", interfaces: ["lo"] } as const;
    const collector = await openNetworkCollector(settings, undefined, at(0));
    const cursor = stored(collector.cursor()) as { interfaces: { lo: object } };
    const lo = { ...cursor.interfaces.lo, received: `${2n ** 80n}` };
    const after = await openNetworkCollector(settings, { ...cursor, interfaces: { lo } }, at(1000));
    const { faults, metrics } = await after.read(at(2000));
    expect(faults.join()).toMatch(/lo received went back/);
    expect(metrics.networkBytesIn).toBeLessThan(2n ** 80n);
  });

  it("that is not there counts nothing, and says so at every look", async () => {
    const settings = { kind: "network", interfaces: ["nosuch0"] } as const;
    const collector = await openNetworkCollector(settings, undefined, at(0));
    const usage = await collector.read(at(1000));
    expect(usage.metrics).toEqual({ networkBytesIn: 0n, networkBytesOut: 0n });
    expect(usage.faults.join()).toMatch(/no interface nosuch0/);
  });

  it("refuses to bill this machine's traffic as one process's", async () => {
    const open = (settings: object) =>
      openNetworkCollector({ kind: "network", ...settings }, undefined, at(0));
    await expect(open({ pid: process.pid })).rejects.toThrow(/shares this machine's network/);
    await expect(open({})).rejects.toThrow(/say whose traffic/);
    await expect(open({ pid: 4_194_305 })).rejects.toThrow(/has ended/);
  });
});
