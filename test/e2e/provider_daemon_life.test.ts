import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Client } from "../../src/client/client.ts";
import {
  activateEscrow,
  createEscrow,
  type OrderUsage,
  usageOfOrder,
} from "../../src/client/settlement_msgs.ts";
import { signerFromMnemonic } from "../../src/client/signer.ts";
import { controlPath } from "../../src/provider/daemon/control.ts";
import { RemoteDesk } from "../../src/provider/daemon/remote_desk.ts";
import { DEFAULT_GAS_PRICE, parseGasPrice } from "../../src/provider/gas.ts";
import { TxSender } from "../../src/provider/submit.ts";
import { freePort } from "../../src/torture/free_port.ts";
import { inRoot } from "../architecture/repository.ts";
import { cli } from "../unit/cli/fake_io.ts";
import { initHome, type NodeProcess, Program, startNodeProcess } from "./node_process.ts";

const WINDOW_SECONDS = 2;
const START = Math.floor(Date.now() / 2000) * 2 - 1000;
const ORDERS = ["events", "key", "hung", "disk"];

let nodeHome: string;
let node: NodeProcess;
/** Of the daemon; every test has its own. */
let home: string;
let daemon: Program | undefined;

beforeAll(async () => {
  nodeHome = await mkdtemp(join(tmpdir(), "settled-life-node-"));
  await initHome(nodeHome);
  node = await startNodeProcess(nodeHome);
  await openEscrows();
});
afterAll(async () => {
  await node.program.end("SIGTERM");
  await rm(nodeHome, { recursive: true, force: true });
});
afterEach(async () => {
  await daemon?.end("SIGKILL");
  await rm(home, { recursive: true, force: true });
});

const mnemonicOf = (name: string) =>
  node.report.accounts.find((each) => each.name === name)?.mnemonic ?? "";

async function openEscrows(): Promise<void> {
  const client = await Client.connect(node.rpc);
  const customer = await signerFromMnemonic(mnemonicOf("customer-1"));
  const { address: recipient } = await signerFromMnemonic(mnemonicOf("provider-1"));
  const sender = customer.address;
  const messages = ORDERS.flatMap((orderId, at) => [
    createEscrow({
      ...{ sender, orderId, expiresIn: 2_592_000n },
      amount: [{ denom: "uve", amount: "50000000" }],
    }),
    activateEscrow({ sender, escrowId: `escrow-${at + 1}`, leaseId: `of-${orderId}`, recipient }),
  ]);
  const txs = new TxSender(client, customer, { gasPrice: parseGasPrice(DEFAULT_GAS_PRICE) });
  const outcomes = await txs.send(messages.map((message) => ({ message, gas: 30_000n })));
  expect(outcomes.map(({ refusal }) => refusal)).toEqual(messages.map(() => undefined));
}

/** A home with the provider's key in a file keyring, and settings for its daemon. */
async function daemonHome(settings: string, isSmall = false): Promise<void> {
  home = await mkdtemp(join(tmpdir(), "settled-life-"));
  const words = ["keys", "add", "me", "--recover", "--keyring-backend", "file", "--home", home];
  const env = { SETTLED_KEYRING_PASSWORD: PASSWORD };
  const stdin = `${mnemonicOf("provider-1")}\n`;
  const { exit, stderr } = await cli(words, { env, stdin });
  expect(exit, stderr).toBe(0);
  await mkdir(join(home, "provider"), { recursive: true });
  if (isSmall) mount(join(home, "provider"));
  await writeFile(join(home, "password"), `${PASSWORD}\n`);
  const common = `interval_seconds: ${WINDOW_SECONDS}
write_seconds: 1
late_seconds: 1
nodes: ["${node.rpc}"]
prices: {default: {cpu: 1500uve, memory: 1uve, storage: 1uve, network: 1uve}}
log: {format: json}
metrics: {port: 0}
`;
  await writeFile(join(home, "provider/provider.yaml"), common + settings);
}

const PASSWORD = "correct horse battery staple";
const KEY = "key: {name: me, keyring: file, password_file: ../password}\n";

async function start(...flags: string[]): Promise<Program> {
  return startWith({}, ...flags);
}

async function startWith(env: Record<string, string>, ...flags: string[]): Promise<Program> {
  const words = ["provider", "start", "--home", home, ...flags];
  const program = new Program([inRoot("dist/cli/main.js"), ...words], { env });
  daemon = program;
  return program;
}

const ready = (program: Program) =>
  program.until("banner", () => (program.stdout.includes("provider") ? true : undefined));

const status = () => new RemoteDesk(controlPath(home)).status();

const usage = async (order: string): Promise<OrderUsage[]> =>
  usageOfOrder(await Client.connect(node.rpc), order);

const unitsOf = (records: readonly OrderUsage[]) =>
  records.reduce((sum, { usageUnits }) => sum + usageUnits, 0n);

/** A row of so many CPU-hours, in the n-th window. */
function row(order: string, at: number, hours: number) {
  const start = START + at * WINDOW_SECONDS;
  const zero = { storage_byte_seconds: 0, gpu_seconds: 0, network_bytes_in: 0 };
  return {
    ...{ order, lease: `of-${order}`, start, end: start + WINDOW_SECONDS },
    ...{ cpu_milliseconds: hours * 3_600_000, memory_byte_seconds: 0, ...zero },
    network_bytes_out: 0,
  };
}

const line = (...of: Parameters<typeof row>) => `${JSON.stringify(row(...of))}\n`;

describe("usage that is posted as CloudEvents", () => {
  it("is billed once, though the daemon is killed between and clients post again", async () => {
    const port = await freePort();
    await daemonHome(`${KEY}feeds:\n  - {kind: cloudevents, name: posted, port: ${port}}\n`);
    await ready(await start());
    const post = async (id: number) => {
      const event = {
        ...{ specversion: "1.0", type: "settled.usage.v1", source: "/m", id: `${id}` },
        data: row("events", id, id + 1),
      };
      const headers = { "content-type": "application/cloudevents+json" };
      const answer = await fetch(`http://127.0.0.1:${port}/`, {
        ...{ method: "POST", headers, body: JSON.stringify(event) },
        signal: AbortSignal.timeout(5000),
      });
      expect(answer.status).toBe(200);
      return (await answer.json()) as { accepted: number; duplicates: number };
    };
    let unanswered = 0;
    /** As clients do: until somebody says that it is kept. */
    const posted = async (id: number) => {
      for (;;) {
        try {
          return await post(id);
        } catch {
          unanswered += 1;
          await sleep(20);
        }
      }
    };
    const count = 36;
    for (let id = 0; id < count; id += 1) {
      // The answer is lost with the daemon, at a moment of its own each time.
      const isKilled = id % 9 === 4;
      const first = isKilled ? post(id).catch(() => undefined) : posted(id);
      if (isKilled) {
        await sleep(id / 4);
        await daemon?.end("SIGKILL");
        await start();
      }
      await first;
      await posted(id);
      if (id % 5 === 0) expect(await posted(id)).toMatchObject({ accepted: 0, duplicates: 1 });
    }
    expect(unanswered).toBeGreaterThan(3);
    const total = BigInt((count * (count + 1)) / 2);
    await daemon?.until("all of it on the chain", async () =>
      unitsOf(await usage("events")) >= total ? true : undefined,
    );
    const counts = await daemon?.until("all of it known", async () => {
      const now = (await status()).counts;
      return now.pending + now.sent === 0 ? now : undefined;
    });
    expect(counts?.refused).toBe(0);
    const records = await usage("events");
    expect(unitsOf(records)).toBe(total);
    expect(records.length).toBeGreaterThan(count / 2);
    expect((await daemon?.end("SIGTERM"))?.code).toBe(0);
  });
});

describe("the key in a file keyring", () => {
  it("is opened by a password file, or by the environment, and by no other password", async () => {
    const feeds = "feeds:\n  - {kind: ndjson, name: f, file: ../usage.ndjson, follow: false}\n";
    await daemonHome(`${KEY}${feeds}`);
    await writeFile(join(home, "usage.ndjson"), line("key", 0, 3));
    const first = await start("--until", "included");
    expect((await first.exited).code, first.output).toBe(0);
    expect(unitsOf(await usage("key"))).toBe(3n);

    await writeFile(join(home, "password"), "another password\n");
    const wrong = await start("--until", "included");
    expect((await wrong.exited).code).not.toBe(0);
    expect(wrong.stderr).toMatch(/password/);

    await daemonHome(`key: {name: me, keyring: file}\n${feeds}`);
    await writeFile(join(home, "usage.ndjson"), line("key", 5, 4));
    const none = await start("--until", "included");
    expect((await none.exited).code).not.toBe(0);
    expect(none.stderr).toMatch(/needs a password/);
    const env = { SETTLED_KEYRING_PASSWORD: PASSWORD };
    const second = await startWith(env, "--until", "included");
    expect((await second.exited).code, second.output).toBe(0);
    expect(unitsOf(await usage("key"))).toBe(7n);
    for (const each of [first, wrong, none, second]) {
      expect(each.output).not.toContain(PASSWORD);
      expect(each.output).not.toContain(mnemonicOf("provider-1"));
    }
  });
});

describe("a source that hangs", () => {
  it("is named on SIGTERM, and does not keep the process", async () => {
    const sockets: Socket[] = [];
    const exporter = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
    await once(exporter, "listening");
    const { port } = exporter.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/metrics`;
    const collector = `{kind: prometheus, exporter: cadvisor, url: "${url}", selector: 'pod="a"', timeout_ms: 600000}`;
    await daemonHome(`${KEY}drain_seconds: 2
workloads:
  - {name: stuck, order: hung, lease: of-hung, collectors: [${collector}]}
`);
    const program = await start();
    await ready(program);
    await program.until("scrape", () => (sockets.length > 0 ? true : undefined));
    const startedMs = performance.now();
    const { code } = await program.end("SIGTERM");
    const ms = performance.now() - startedMs;
    for (const socket of sockets) socket.destroy();
    exporter.close();
    expect(code, program.output).toBe(0);
    // Half of two seconds for sources, then what is on its way to disk and nodes.
    expect(ms).toBeLessThan(10_000);
    expect(program.stderr).toMatch(/workload stuck.*does not stop/);
  });
});

let mountedAt = "";

/** A file system of a few megabytes. */
function mount(place: string): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", place], { stdio: "ignore" });
  mountedAt = place;
}

const canMount = (() => {
  try {
    execFileSync("unshare", ["--mount", "true"], { stdio: "ignore" });
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
})();

describe.skipIf(!canMount)("a full disk (skipped where none can be mounted)", () => {
  afterEach(() => {
    if (mountedAt !== "") execFileSync("umount", ["-l", mountedAt]);
    mountedAt = "";
  });

  it("is waited for by what meters and by what sends; nothing is lost or doubled", async () => {
    const feeds = "feeds:\n  - {kind: ndjson, name: f, file: ../usage.ndjson}\n";
    await daemonHome(`${KEY}batch: {age_ms: 3000}\nretry: {max_ms: 1000}\n${feeds}`, true);
    const file = join(home, "usage.ndjson");
    const ballast = join(home, "provider/ballast");
    const fill = () => writeFile(ballast, new Uint8Array(8_000_000)).catch(() => undefined);
    await writeFile(file, line("disk", 0, 1) + line("disk", 1, 2));
    const program = await start();
    await ready(program);
    await program.until("first record", async () =>
      (await status()).counts.included > 0 ? true : undefined,
    );
    // A record is on the disk and waits for its tx, and then there is no room for it.
    await appendFile(file, line("disk", 2, 3) + line("disk", 3, 4));
    await program.until("a record that waits for its tx", async () =>
      (await status()).counts.pending > 0 ? true : undefined,
    );
    await fill();
    await appendFile(file, line("disk", 4, 5));
    const full =
      /the outbox [^"]*\/provider\/outbox cannot be written: [^"]*no space left on device/i;
    await program.until("complaint", () => (full.test(program.stderr) ? true : undefined));
    await program.until("ill health", async () => {
      const { daemon: live } = await status();
      const reasons = live?.unhealthy.join("; ") ?? "";
      return full.test(reasons) ? true : undefined;
    });
    await rm(ballast);
    await program.until("all so far", async () =>
      unitsOf(await usage("disk")) >= 10n ? true : undefined,
    );

    // Killed while the disk is full, and started when there is room again.
    await fill();
    await appendFile(file, line("disk", 5, 6));
    await sleep(500);
    await program.end("SIGKILL");
    const refused = await start();
    expect((await refused.exited).code).not.toBe(0);
    expect(refused.stderr).toMatch(/provider\/.*no space left on device/i);
    await rm(ballast);
    const next = await start();
    await next.until("the rest", async () =>
      unitsOf(await usage("disk")) >= 21n ? true : undefined,
    );
    expect((await next.end("SIGTERM")).code).toBe(0);
    const records = await usage("disk");
    expect(records.map(({ usageUnits }) => usageUnits)).toEqual([1n, 2n, 3n, 4n, 5n, 6n]);
  });
});
