// A workload that counts itself, for test/e2e/real_workload.test.ts: CPU time by getrusage at the end
// of each process, bytes written and sent, memory touched, each with the time at which it was.
// Every process prints one line of JSON at its end; the first one prints one line per state.
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  fsync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const SELF = fileURLToPath(import.meta.url);
const MIB = 1 << 20;
const [mode, ...args] = process.argv.slice(2);

const modes = { all, burn, nest, leave, orphan, hold };
await modes[mode](...args);

/** CPU time of this process so far, in microseconds. */
function ownMicroseconds() {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  return userCPUTime + systemCPUTime;
}

/** CPU time of all processes that this one has waited for, as the kernel has it, in microseconds. */
function endedMicroseconds() {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const [user, system] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(13, 15);
  return (Number(user) + Number(system)) * 10_000;
}

/** Ends at once: what follows the count is the kernel's taking down of the process. */
function finish(counts) {
  const children = counts.childMicroseconds ?? 0;
  const cpuMicroseconds = ownMicroseconds() + children;
  writeSync(1, `${JSON.stringify({ ...counts, cpuMicroseconds })}\n`);
  process.reallyExit(0);
}

function spin(milliseconds) {
  const end = ownMicroseconds() + Number(milliseconds) * 1000;
  while (ownMicroseconds() < end);
}

function start(...words) {
  return spawn(process.execPath, [SELF, ...words], { stdio: ["ignore", "pipe", "inherit"] });
}

/** Runs a child to its end and gives what it counted. */
async function run(...words) {
  const child = start(...words);
  let text = "";
  child.stdout.on("data", (part) => {
    text += part;
  });
  await once(child, "close");
  return JSON.parse(text);
}

function burn(milliseconds) {
  spin(milliseconds);
  finish({});
}

/** A child that has a child of its own, which ends first. */
async function nest(milliseconds) {
  const { cpuMicroseconds } = await run("burn", milliseconds);
  spin(milliseconds);
  finish({ childMicroseconds: cpuMicroseconds });
}

/** Leaves a process behind, whose parent is then another one. */
async function leave(milliseconds, folder, signs) {
  const options = { stdio: "ignore", detached: true };
  const child = spawn(process.execPath, [SELF, "orphan", milliseconds, folder, signs], options);
  child.unref();
  await once(child, "spawn");
  // A look at the tree sees it before it is left.
  while (!existsSync(join(signs, "seen"))) await sleep(20);
  finish({});
}

async function orphan(milliseconds, folder, signs) {
  const file = join(folder, "orphan.json");
  const parent = process.ppid;
  writeFileSync(join(signs, "leaving"), "");
  while (process.ppid === parent) await sleep(20);
  spin(milliseconds);
  writeFileSync(file, JSON.stringify({ pid: process.pid, cpuMicroseconds: ownMicroseconds() }));
  await sleep(240_000);
}

/** Touches memory step by step and holds it until it is ended. */
async function hold(steps) {
  const base = process.memoryUsage.rss();
  console.log(JSON.stringify({ state: "base", atMs: Date.now(), bytes: base }));
  const held = [];
  await once(process.stdin, "data");
  for (let step = 0; step < Number(steps); step += 1) {
    held.push(Buffer.allocUnsafeSlow(16 * MIB).fill(step + 1));
    console.log(JSON.stringify({ state: "touched", atMs: Date.now(), bytes: 16 * MIB }));
    await sleep(15);
  }
  console.log(JSON.stringify({ state: "held" }));
  await sleep(240_000, held);
}

/** Writes files and keeps them. Bytes are held from their writing on, and safe a little later. */
async function write(folder, steps) {
  const log = [];
  for (let step = 0; step < steps; step += 1) {
    const file = openSync(join(folder, `part-${step}`), "w");
    writeSync(file, Buffer.alloc(2 * MIB, step + 1));
    log.push({ atMs: Date.now(), bytes: 2 * MIB });
    await new Promise((resolve) => fsync(file, resolve));
    closeSync(file);
    await sleep(40);
  }
  return log;
}

/** Sends packets to itself over the loopback; large ones, of which the headers are a small part. */
async function send(packets) {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  const packet = Buffer.alloc(32_768, 7);
  let sent = 0;
  for (let left = packets; left > 0; left -= 1) {
    await new Promise((resolve) => socket.send(packet, port, "127.0.0.1", resolve));
    sent += packet.length;
  }
  socket.close();
  return sent;
}

/** The first process: waits for the meter, runs everything at once, and stays for a last look. */
async function all(folder, signs) {
  console.log(JSON.stringify({ state: "ready" }));
  await once(process.stdin, "data");
  const [before, endedBefore] = [ownMicroseconds(), endedMicroseconds()];
  const [writes, sent, ...others] = await Promise.all([
    ...[write(folder, 12), send(1536)],
    ...[run("burn", "700"), run("nest", "500"), run("leave", "200", folder, signs)],
  ]);
  // Shorter than the time between two looks.
  for (let turn = 0; turn < 2; turn += 1) others.push(await run("burn", "50"));
  const ended = others.reduce((sum, it) => sum + it.cpuMicroseconds, 0);
  const cpuMicroseconds = ended + ownMicroseconds() - before;
  const takingDownMicroseconds = Math.max(0, endedMicroseconds() - endedBefore - ended);
  const counts = { cpuMicroseconds, takingDownMicroseconds, writes, sent };
  console.log(JSON.stringify({ state: "done", ...counts }));
  await sleep(240_000);
}
