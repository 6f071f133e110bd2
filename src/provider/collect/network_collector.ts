import { readFileSync } from "node:fs";
import process from "node:process";
import { ProviderError } from "../errors.ts";
import { bootId, type InterfaceBytes, interfaceBytes, networkNamespace } from "../proc_tree.ts";
import type { Collector, MetricName, Moment, OpenCollector, Usage } from "./collector.ts";
import type { NetworkSettings } from "./collector_settings.ts";
import { Counter } from "./counter.ts";
import { amountOf, type CursorHead, EarlierCursor, recordOf } from "./cursor.ts";
import { PidSource } from "./pid_source.ts";
import { Remainders } from "./remainder.ts";
import { SpanClock } from "./span_clock.ts";

const KIND = "network";
const ENDED = "ended";
const TELLS: readonly MetricName[] = ["networkBytesIn", "networkBytesOut"];

/**
 * Meters what network interfaces carry: of this machine by name, or of the network namespace that a
 * process is in. Bytes are what the kernel counts on an interface: packets with their headers.
 */
export const openNetworkCollector: OpenCollector<NetworkSettings> = async (
  settings,
  cursor,
  now,
) => {
  const { pid, pidFile, interfaces } = settings;
  const isHost = pid === undefined && pidFile === undefined;
  const source = isHost ? undefined : new PidSource(KIND, pid, pidFile);
  if (interfaces === undefined ? isHost : interfaces.length === 0) {
    throw new ProviderError(
      "bad_collector",
      "network: say whose traffic it is: interfaces (names of this machine's, as `ip link` shows them), or pid or pidFile of a process with a network namespace of its own",
    );
  }
  const place = `${source?.place ?? "this machine"} ${interfaces?.join(",") ?? "all"}`;
  const collector = new NetworkCollector(settings, source, place);
  collector.begin(EarlierCursor.read(cursor, KIND, place), now);
  return collector;
};

/** One interface, both ways. */
interface Tap {
  readonly received: Counter;
  readonly sent: Counter;
  /** The kernel's number of it, where that can be seen: tells it from a later one of its name. */
  readonly index: string;
}

class NetworkCollector implements Collector {
  readonly name: string;
  readonly tells = TELLS;
  readonly #settings: NetworkSettings;
  readonly #source: PidSource | undefined;
  readonly #place: string;
  readonly #bootId = bootId();
  #remainders = remaindersFrom(undefined);
  #clock: SpanClock | undefined;
  #taps = new Map<string, Tap>();
  #namespace: string | undefined;
  #faults: string[] = [];

  constructor(settings: NetworkSettings, source: PidSource | undefined, place: string) {
    this.name = `${KIND} ${place}`;
    this.#settings = settings;
    this.#source = source;
    this.#place = place;
  }

  begin(earlier: EarlierCursor | undefined, now: Moment): void {
    this.#clock = new SpanClock(now, earlier?.wallMs);
    this.#remainders = remaindersFrom(earlier);
    if (earlier === undefined) {
      this.#check();
      this.#look();
      this.#faults = [];
      return;
    }
    this.#namespace = earlier.text("namespace");
    if (earlier.bootId !== this.#bootId) {
      if (this.#namespace !== undefined) this.#namespace = ENDED;
      this.#fault("the machine was started anew: what was carried after the last look is lost");
    }
    for (const [name, tap] of Object.entries(earlier.record("interfaces"))) {
      const { received, sent, index } = recordOf(tap) ?? {};
      const isSameBoot = earlier.bootId === this.#bootId;
      const counter = (last: unknown) => new Counter(isSameBoot ? amountOf(last) : 0n);
      this.#taps.set(name, {
        ...{ received: counter(received), sent: counter(sent) },
        index: isSameBoot && typeof index === "string" ? index : "",
      });
    }
  }

  /** @throws ProviderError `bad_collector` for a process of which nothing can be told */
  #check(): void {
    const stat = this.#source?.look();
    if (stat === undefined || this.#source?.isFile === true) return;
    const fault = "reason" in stat ? stat.reason : undefined;
    const inode = "reason" in stat ? undefined : networkNamespace(stat.pid);
    const isShared = inode !== undefined && this.#isShared(inode);
    const text = isShared ? shared((stat as { pid: number }).pid) : fault;
    if (text !== undefined) throw new ProviderError("bad_collector", `network: ${text}`);
  }

  async read(now: Moment): Promise<Usage> {
    const clock = this.#clock as SpanClock;
    const { startMs, endMs, isContinuous } = clock.cut(now);
    this.#look();
    const faults = this.#faults;
    this.#faults = [];
    return { startMs, endMs, metrics: this.#remainders.take(), isContinuous, faults };
  }

  #look(): void {
    const found = this.#interfaces();
    if (found === undefined) {
      if (this.#source === undefined) this.#fault("/proc/net/dev cannot be read: traffic counts 0");
      return;
    }
    for (const [name, { received, sent }] of found) {
      const tap = this.#tapOf(name, { received, sent });
      this.#grow("received", name, tap.received, received);
      this.#grow("sent", name, tap.sent, sent);
    }
    for (const name of this.#settings.interfaces ?? this.#taps.keys()) {
      if (found.has(name)) continue;
      this.#fault(`there is no interface ${name} now: what it carries is not counted`);
      // One that was not named is not missed for good.
      if (this.#settings.interfaces === undefined) this.#taps.delete(name);
    }
  }

  #tapOf(name: string, { received, sent }: InterfaceBytes): Tap {
    const total = received + sent;
    const index = this.#source === undefined ? indexOf(name) : "";
    const known = this.#taps.get(name);
    if (known !== undefined && known.index === index) return known;
    // Made anew under its name: what it has now was carried since.
    if (known !== undefined && (known.index === "" || received < (known.received.last ?? 0n))) {
      const tap = { ...known, index };
      this.#taps.set(name, tap);
      return tap;
    }
    // One that is new here may have carried others' bytes before: it counts from now on.
    if (total > 0n) {
      this.#fault(
        `interface ${name} is new: what it had carried before (${total} bytes) is left out`,
      );
    }
    const tap = { received: new Counter(), sent: new Counter(), index };
    this.#taps.set(name, tap);
    return tap;
  }

  #grow(way: "received" | "sent", name: string, counter: Counter, total: bigint): void {
    const { last } = counter;
    const { grown, wasReset } = counter.advance(total);
    if (wasReset) {
      this.#fault(`${name} ${way} went back from ${last} to ${total}: counted from 0 again`);
    }
    const isIn = (way === "received") === (this.#settings.side !== "outside");
    this.#remainders.add(isIn ? "networkBytesIn" : "networkBytesOut", grown);
  }

  /** The interfaces that count, by name; undefined when none can be seen now. */
  #interfaces(): ReadonlyMap<string, InterfaceBytes> | undefined {
    const all = this.#source === undefined ? interfaceBytes("self") : this.#ofProcess(this.#source);
    if (all === undefined) return undefined;
    const names = this.#settings.interfaces;
    const counts = (name: string) => (names === undefined ? name !== "lo" : names.includes(name));
    return new Map([...all].filter(([name]) => counts(name)));
  }

  #ofProcess(source: PidSource): ReadonlyMap<string, InterfaceBytes> | undefined {
    const stat = source.look();
    if ("reason" in stat) return this.#lose(stat.reason, stat.isEnded);
    const inode = networkNamespace(stat.pid);
    const found = interfaceBytes(stat.pid);
    if (inode === undefined || found === undefined) {
      return this.#lose(`the network of process ${stat.pid} cannot be seen`, stat.isZombie);
    }
    if (this.#isShared(inode)) return this.#lose(shared(stat.pid), false);
    // The kernel gives the numbers of namespaces that are gone to new ones.
    const namespace = `${inode} ${stat.pid} ${stat.startTicks}`;
    if (this.#namespace !== undefined && this.#namespace !== namespace) {
      // A stranger with the number of a process that has ended is not the workload.
      if (!source.isFile) return this.#lose(`process ${stat.pid} has ended`, true);
      this.#lose("the process has ended, and another one has come", true);
    }
    this.#namespace = namespace;
    return found;
  }

  #isShared(inode: string): boolean {
    return inode === networkNamespace("self") && this.#settings.interfaces === undefined;
  }

  /** Says what is lost; once for a process that has ended. */
  #lose(reason: string, isEnded: boolean): undefined {
    if (isEnded && this.#namespace === ENDED) return undefined;
    this.#fault(`${reason}: what was carried after the last look is not known`);
    if (!isEnded) return undefined;
    this.#taps.clear();
    this.#namespace = ENDED;
    return undefined;
  }

  #fault(text: string): void {
    this.#faults.push(text);
  }

  cursor(): CursorHead & Record<string, unknown> {
    const taps = [...this.#taps].map(([name, { received, sent, index }]) => [
      name,
      { received: received.last?.toString(), sent: sent.last?.toString(), index },
    ]);
    const wallMs = (this.#clock as SpanClock).wallMs;
    return {
      ...{ version: 1, kind: KIND, place: this.#place, wallMs, bootId: this.#bootId },
      namespace: this.#namespace,
      interfaces: Object.fromEntries(taps),
      left: this.#remainders.toJson(),
    };
  }

  async close(): Promise<void> {}
}

function remaindersFrom(earlier: EarlierCursor | undefined): Remainders {
  const perWhole = { networkBytesIn: 1n, networkBytesOut: 1n };
  return new Remainders(perWhole, (metric) => earlier?.left(metric));
}

/** The number of an interface of this machine; "" when it cannot be seen. */
function indexOf(name: string): string {
  if (!/^[^/]+$/.test(name) || name.startsWith(".") || process.platform !== "linux") return "";
  try {
    return readFileSync(`/sys/class/net/${name}/ifindex`, "utf8").trim();
  } catch {
    return "";
  }
}

function shared(pid: number): string {
  return `process ${pid} shares this machine's network, so its traffic cannot be told from others'; give it a network namespace of its own, or name the interfaces that are its alone`;
}
