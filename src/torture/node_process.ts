import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../client/client.ts";
import { CommandProcess, lastLines, runShell } from "./command_process.ts";
import type { DoorName, NodeDoors } from "./doors.ts";
import { TortureError } from "./errors.ts";
import { assertReachable } from "./reachable.ts";
import { freePorts } from "./free_port.ts";
import type { NodeControl } from "./node_control.ts";

const READY_MS = 30_000;
const POLL_MS = 25;

export interface SpawnOptions {
  /** The words that run `settled`. */
  readonly program: readonly string[];
  readonly home: string;
  /** More words for `settled start`. */
  readonly flags: readonly string[];
  readonly logFile: string;
}

type Ports = Readonly<Record<DoorName, number>>;

/** A node of this project in a process of its own. */
export class NodeProcess implements NodeControl {
  /** Of all that a daemon may use; they stay the same when it is started again. */
  readonly doors: NodeDoors;
  readonly #options: SpawnOptions;
  readonly #ports: Ports;
  #process: CommandProcess;
  #turn: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(options: SpawnOptions, ports: Ports, running: CommandProcess) {
    this.#options = options;
    this.#ports = ports;
    this.#process = running;
    const { rpc, rest, grpc } = ports;
    const http = (port: number) => `http://127.0.0.1:${port}`;
    this.doors = { rpc: http(rpc), rest: http(rest), grpc: `127.0.0.1:${grpc}` };
  }

  get url(): string {
    return this.doors.rpc;
  }

  /** Starts the node of a home and waits until it answers. */
  static async start(options: SpawnOptions): Promise<NodeProcess> {
    const [rpc = 0, rest = 0, grpc = 0] = await freePorts(3);
    const ports = { rpc, rest, grpc };
    const node = new NodeProcess(options, ports, await spawnNode(options, ports));
    await untilAnswers(node.doors, () => node.#process, options.logFile);
    return node;
  }

  /** One kill after the other: what is dead already cannot be killed. */
  killFor(ms: number): Promise<void> {
    const turn = this.#turn.then(async () => {
      if (this.#isClosed) return;
      await this.#process.kill();
      await sleep(ms);
      this.#process = await spawnNode(this.#options, this.#ports);
      await untilAnswers(this.doors, () => this.#process, this.#options.logFile);
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#turn;
    await this.#process.kill();
  }
}

function spawnNode(options: SpawnOptions, ports: Ports): Promise<CommandProcess> {
  const { program, home, flags, logFile } = options;
  // The others are nobody's business.
  const all = Object.entries({ ...ports, ledger: 0, metrics: 0 });
  const doors = all.flatMap(([door, port]) => [`--${door}-port`, String(port)]);
  const words = ["start", "--home", home, ...doors, ...flags];
  return CommandProcess.start({ words: [...program, ...words], env: {}, logFile });
}

async function untilAnswers(
  doors: NodeDoors,
  running: () => CommandProcess,
  logFile: string,
): Promise<void> {
  const over = { code: undefined as number | null | undefined };
  void running().ended.then(({ code }) => {
    over.code = code;
  });
  const end = Date.now() + READY_MS;
  while (Date.now() < end && over.code === undefined) {
    try {
      await Client.connect(doors.rpc, { timeoutMs: 2000 });
      await assertReachable(doors);
      return;
    } catch {
      await sleep(POLL_MS);
    }
  }
  const why = over.code === undefined ? "does not answer" : `ended with ${String(over.code)}`;
  throw new TortureError("node_gone", `the node ${why}:\n${await lastLines(logFile)}`);
}

/** Makes a dev chain in a folder. */
export async function makeDevHome(
  program: readonly string[],
  home: string,
  logFile: string,
): Promise<void> {
  const words = [...program, "init", "--dev", "--home", home];
  const made = await CommandProcess.start({ words, env: {}, logFile });
  const { code } = await made.ended;
  if (code === 0) return;
  throw new TortureError("node_gone", `no chain was made:\n${await lastLines(logFile)}`);
}

/** A node that a command of the user's kills and starts again. */
export function restartedBy(line: string, url: string, logFile: string): NodeControl {
  let turn: Promise<void> = Promise.resolve();
  const killFor = (ms: number) => {
    const next = turn.then(async () => {
      const env = { SETTLED_TORTURE_DOWN_MS: String(ms) };
      await runShell("--restart-node", line, { env, logFile });
      await untilReachable(url);
    });
    turn = next.catch(() => undefined);
    return next;
  };
  return { killFor };
}

async function untilReachable(url: string): Promise<void> {
  const end = Date.now() + READY_MS;
  for (;;) {
    try {
      await Client.connect(url, { timeoutMs: 2000 });
      return;
    } catch (error) {
      if (Date.now() > end) {
        const detail = `after --restart-node: ${(error as Error).message}`;
        throw new TortureError("node_gone", detail);
      }
      await sleep(POLL_MS);
    }
  }
}

/** The words that run this program again. */
export function ownProgram(): string[] {
  return [process.execPath, process.argv[1] ?? join("dist", "cli", "main.js")];
}
