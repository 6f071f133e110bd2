import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { UnitRounding } from "../provider/units.ts";
import type { Charge } from "./charge.ts";
import { runShell, shellOutput } from "./command_process.ts";
import { doorVariables, type NodeDoors, withDoors } from "./doors.ts";
import { TortureError } from "./errors.ts";
import { chargesOfExport } from "./export_file.ts";
import { chargesOfMetrics } from "./metered_file.ts";
import type { NodeControl } from "./node_control.ts";
import { makeDevHome, NodeProcess, restartedBy } from "./node_process.ts";
import type { Stage } from "./trial.ts";

/** Where the figures come from that the chain's are held against. */
export type Metered =
  | {
      readonly kind: "metrics";
      readonly file: string;
      /** undefined: the one that comes with the project. */
      readonly pricesFile: string | undefined;
      readonly rounding: UnitRounding;
      readonly windowSeconds: bigint | undefined;
      readonly epoch: bigint;
    }
  | { readonly kind: "export"; readonly file: string }
  | { readonly kind: "export_command"; readonly line: string };

/**
 * What every try is made of. `{dir}`, `{try}` and the places of the doors are replaced in all texts:
 * in the daemon's command by the proxy's addresses, elsewhere by the node's own.
 */
export interface StageSettings {
  /** Addresses of the node that is there, or "spawn": one of our own for every try. */
  readonly node: NodeDoors | "spawn";
  /** The words that run `settled`, for nodes of our own. */
  readonly program: readonly string[];
  /** Home that nodes of our own start with a copy of; undefined: a new dev chain. */
  readonly nodeHome: string | undefined;
  readonly restartNode: string | undefined;
  /** Line of shell that readies a try. */
  readonly reset: string | undefined;
  readonly command: readonly string[];
  readonly metered: Metered;
  readonly orders: readonly string[];
}

/** Folders of tries, and the stages in them. */
export class Stages {
  readonly #settings: StageSettings;
  readonly #folder: string;
  #isKept = false;

  private constructor(settings: StageSettings, folder: string) {
    this.#settings = settings;
    this.#folder = folder;
  }

  static async open(settings: StageSettings): Promise<Stages> {
    return new Stages(settings, await mkdtemp(join(tmpdir(), "settled-torture-")));
  }

  /** The folder of a try that failed, with its logs; undefined: nothing is kept. */
  get kept(): string | undefined {
    return this.#isKept ? this.#folder : undefined;
  }

  /** @throws TortureError */
  async prepare(number: number): Promise<Stage> {
    const { node, command, orders, reset } = this.#settings;
    const dir = join(this.#folder, `try-${number}`);
    await mkdir(dir);
    const { spawned, doors } =
      node === "spawn" ? await this.#spawn(dir) : { spawned: undefined, doors: node };
    try {
      const fill = (text: string) =>
        text.replaceAll("{dir}", dir).replaceAll("{try}", String(number));
      const direct = (text: string) => withDoors(fill(text), doors);
      const env = { SETTLED_TORTURE_DIR: dir, SETTLED_TORTURE_TRY: String(number) };
      if (reset !== undefined) {
        const reach = { ...env, ...doorVariables(doors) };
        await runShell("--reset", direct(reset), { env: reach, logFile: join(dir, "reset.log") });
      }
      const metered = () => readMetered(this.#settings.metered, direct);
      // A daemon's own export is there when it has run; a file that it is fed with is there now.
      const known = this.#settings.metered.kind === "metrics" ? await metered() : [];
      return {
        ...{ doors, env, dir, metered },
        node: spawned ?? this.#restarted(doors.rpc, dir, direct),
        command: command.map(fill),
        orders: [...new Set([...orders.map(fill), ...known.map(({ order }) => order)])],
        close: async (isFine) => {
          await spawned?.close();
          if (isFine) await rm(dir, { recursive: true, force: true });
          else this.#isKept = true;
        },
      };
    } catch (error) {
      await spawned?.close();
      this.#isKept = true;
      throw error;
    }
  }

  async #spawn(dir: string): Promise<{ spawned: NodeProcess; doors: NodeDoors }> {
    const { program, nodeHome } = this.#settings;
    const home = join(dir, "node");
    const logFile = join(dir, "node.log");
    if (nodeHome === undefined) await makeDevHome(program, home, logFile);
    else await cp(nodeHome, home, { recursive: true });
    const spawned = await NodeProcess.start({ program, home, flags: [], logFile });
    return { spawned, doors: spawned.doors };
  }

  #restarted(url: string, dir: string, fill: (text: string) => string): NodeControl | undefined {
    const { restartNode } = this.#settings;
    if (restartNode === undefined) return undefined;
    return restartedBy(fill(restartNode), url, join(dir, "node.log"));
  }

  async close(): Promise<void> {
    if (!this.#isKept) await rm(this.#folder, { recursive: true, force: true });
  }
}

async function readMetered(
  metered: Metered,
  fill: (text: string) => string,
): Promise<readonly Charge[]> {
  if (metered.kind === "metrics") {
    const { file, pricesFile, rounding, windowSeconds, epoch } = metered;
    const files = {
      file: fill(file),
      pricesFile: pricesFile === undefined ? undefined : fill(pricesFile),
    };
    return chargesOfMetrics({ ...files, rounding, windowSeconds, epoch });
  }
  if (metered.kind === "export") {
    const file = fill(metered.file);
    const text = await readFile(file, "utf8").catch((error: unknown) => {
      const { code, message } = error as NodeJS.ErrnoException;
      const why =
        code === "ENOENT" ? "there is no such file: the daemon has not written it" : message;
      throw new TortureError("bad_export", `--export ${file}: ${why}`);
    });
    return chargesOfExport(text, file);
  }
  const line = fill(metered.line);
  return chargesOfExport(await shellOutput("--export-command", line), line);
}
