import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  type CloudEventsFeed,
  type CloudEventsOptions,
  type CloudEventsSettings,
  openCloudEventsFeed,
} from "../../../../src/provider/feed/cloud_events.ts";
import { RowMemory } from "../../../../src/provider/feed/row_memory.ts";
import type { Outbox } from "../../../../src/provider/outbox/outbox.ts";
import { fields, folder, outboxIn } from "./rows.ts";

const STRUCTURED = "application/cloudevents+json";
const BATCH = "application/cloudevents-batch+json";
const NOW_MS = 8_000_000;
const DAY_MS = 86_400_000;

type Json = Record<string, unknown>;

function event(id: string, over: Json = {}, data: Json = {}): Json {
  const { lease: _, ...rest } = fields(data);
  return {
    ...{ specversion: "1.0", type: "settled.usage.v1", source: "/meters/a", id },
    ...{ subject: "lease-1", time: "2026-01-01T00:00:00.5Z", data: rest, ...over },
  };
}

interface Answer {
  readonly status: number;
  readonly body: { accepted?: number; duplicates?: number; error?: string; faults?: Json[] };
}

/** A feed whose batches go into a real outbox, like those of the daemon. */
class Station {
  readonly feed: CloudEventsFeed;
  readonly outbox: Outbox;
  /** Cpu milliseconds of the rows written. */
  readonly written: number[] = [];
  /** Runs before each write. */
  gate: () => Promise<void> = async () => undefined;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(feed: CloudEventsFeed, outbox: Outbox) {
    this.feed = feed;
    this.outbox = outbox;
    this.#done = this.#run();
  }

  async #run(): Promise<void> {
    for await (const batch of this.feed.batches(this.#stop.signal)) {
      try {
        await this.gate();
        await this.outbox.write({ notes: batch.notes });
        this.written.push(...batch.rows.map(({ metrics }) => Number(metrics.cpuMilliseconds)));
        batch.settled();
      } catch (error) {
        batch.settled(error as Error);
      }
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await this.feed.close();
  }

  async send(body: unknown, type = STRUCTURED, headers: Record<string, string> = {}) {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const init = { method: "POST", body: text, headers: { "content-type": type, ...headers } };
    return this.fetch(init);
  }

  async fetch(init: RequestInit, path = ""): Promise<Answer> {
    const response = await fetch(this.feed.url + path, init);
    return { status: response.status, body: (await response.json()) as Answer["body"] };
  }
}

async function open(
  settings: Partial<CloudEventsSettings> = {},
  {
    nowMs = NOW_MS,
    outbox,
    ...options
  }: Partial<CloudEventsOptions> & {
    nowMs?: number;
    outbox?: Outbox;
  } = {},
): Promise<Station> {
  const reader = outbox ?? (await outboxIn(join(folder(), "outbox")));
  const memory = new RowMemory({ reader, feed: "events", nowMs: () => nowMs });
  const feed = await openCloudEventsFeed({ port: 0, ...settings }, { memory, ...options });
  const station = new Station(feed, reader);
  onTestFinished(() => station.close());
  return station;
}

const ok = (accepted: number, duplicates = 0) => ({
  ...{ status: 200, body: { accepted, duplicates } },
});

describe("usage as CloudEvents", () => {
  it("is taken structured, as a batch, and binary", async () => {
    const station = await open();
    expect(await station.send(event("1", {}, { cpu_milliseconds: 1 }))).toEqual(ok(1));
    const batch = [
      event("2", {}, { cpu_milliseconds: 2, start: "1970-01-01T01:00:00Z" }),
      event("3", { subject: undefined }, { cpu_milliseconds: "3" }),
    ];
    (batch[1] as Json)["data"] = fields({ cpu_milliseconds: "3" });
    expect(await station.send(batch, `${BATCH}; charset=utf-8`)).toEqual(ok(2));
    const { data, time: _, ...attributes } = event("vier%204", {}, { cpu_milliseconds: 4 });
    const headers = Object.entries(attributes).map(([name, value]) => [`ce-${name}`, `${value}`]);
    expect(await station.send(data, "application/json", Object.fromEntries(headers))).toEqual(
      ok(1),
    );
    expect(await station.send([], BATCH)).toEqual(ok(0));
    expect(station.written).toEqual([1, 2, 3, 4]);
    // Percent-encoded or not: it is the same id.
    expect(await station.send(event("vier 4", {}, { cpu_milliseconds: 4 }))).toEqual(ok(0, 1));
  });

  it("reads integers that a number cannot hold exactly", async () => {
    let bytes = 0n;
    const check = ({ metrics }: { metrics: { networkBytesIn: bigint } }) => {
      bytes = metrics.networkBytesIn;
      return undefined;
    };
    const text = JSON.stringify(event("1")).replace(
      '"network_bytes_in":0',
      '"network_bytes_in":9223372036854775807',
    );
    const exact = await open({}, { check });
    expect(await exact.send(text)).toEqual(ok(1));
    expect(bytes).toBe(9_223_372_036_854_775_807n);
  });

  it("is answered only when it is on the disk", async () => {
    const station = await open();
    const isOpen: (() => void)[] = [];
    station.gate = () => new Promise((resolve) => isOpen.push(resolve));
    const answered: string[] = [];
    const note = (name: string) => (answer: Answer) => {
      answered.push(name);
      return answer;
    };
    const first = station.send(event("1")).then(note("first"));
    await expect.poll(() => isOpen.length).toBe(1);
    // A repeat of what is on its way waits for the same.
    const again = station.send([event("1"), event("1")], BATCH).then(note("again"));
    await sleep(100);
    expect(answered).toEqual([]);
    expect(await station.outbox.notes("event/")).toEqual(new Map());
    isOpen[0]?.();
    expect(await first).toEqual(ok(1));
    expect(await again).toEqual(ok(0, 2));
    expect(station.written).toHaveLength(1);
    expect((await station.outbox.notes("event/")).size).toBe(1);
  });

  it("is counted once: by source and id, over restarts, and told", async () => {
    const outbox = await outboxIn(join(folder(), "outbox"));
    const before = await open({}, { outbox });
    expect(await before.send(event("1"))).toEqual(ok(1));
    await before.close();
    const after = await open({}, { outbox, nowMs: NOW_MS + 6 * DAY_MS });
    expect(await after.send([event("1"), event("2"), event("2")], BATCH)).toEqual(ok(1, 2));
    expect(await after.send(event("1", { source: "/meters/b" }))).toEqual(ok(1));
    const other = await after.send([event("3"), event("1", {}, { gpu_seconds: 1 })], BATCH);
    expect(other.status).toBe(409);
    expect(other.body.error).toBe(
      "event 1 (id /meters/a 1): another event of this source and id was taken, with other contents; no event was taken",
    );
    expect(after.written).toHaveLength(2);
    expect(await after.send(event("3"))).toEqual(ok(1));
  });

  it("is refused when it is so old that nobody knows whether it was taken", async () => {
    const outbox = await outboxIn(join(folder(), "outbox"));
    await (await open({}, { outbox })).send(event("1"));
    const late = 7200_000 + 7 * DAY_MS;
    const same = await open({}, { outbox, nowMs: late });
    expect(await same.send(event("1"))).toEqual(ok(0, 1));
    const after = await open({}, { outbox, nowMs: late + 1 });
    const { status, body } = await after.send(event("1"));
    expect([status, body.error]).toEqual([
      400,
      'event 0 (id /meters/a 1): "end" is more than 7 days ago: whether it was taken before is not known any more; no event was taken',
    ]);
  });

  it("forgets ids when their time has passed, shelf by shelf", async () => {
    const outbox = await outboxIn(join(folder(), "outbox"));
    const memory = (nowMs: number) =>
      new RowMemory({ reader: outbox, feed: "", nowMs: () => nowMs });
    const rows = Array.from({ length: 500 }, (_, index) => ({
      ...{ order: "o", lease: "l", id: `${index}`, startS: 0n, endS: 1n, place: "" },
      metrics: {
        ...{ cpuMilliseconds: 0n, memoryByteSeconds: 0n, storageByteSeconds: 0n },
        ...{ gpuSeconds: 0n, networkBytesIn: 0n, networkBytesOut: 0n },
      },
    }));
    const marks = (from: number, to: number, nowMs: number) =>
      new Map(rows.slice(from, to).map((row) => memory(nowMs).mark(row)));
    await outbox.write({ notes: marks(0, 300, 1000) });
    await outbox.write({ notes: marks(300, 500, 1000 + DAY_MS) });
    const later = memory(1001 + 7 * DAY_MS);
    let removed = 0;
    for (let shelf = 0; shelf < 256; shelf += 1) {
      const old = await later.old();
      removed += old.size;
      await outbox.write({ notes: old });
    }
    expect(removed).toBe(300);
    expect((await outbox.notes("event/")).size).toBe(200);
  });
});

describe("a disk that does not take events", () => {
  it("is told by 503, and what is sent again is taken then", async () => {
    const station = await open();
    station.gate = () => Promise.reject(new Error("no space left"));
    const { status, body } = await station.send(event("1"));
    expect([status, body.error]).toEqual([
      ...[503, "the events could not be written: no space left"],
    ]);
    station.gate = async () => undefined;
    expect(await station.send(event("1"))).toEqual(ok(1));
  });

  it("is not waited for without end; what was written after all is known then", async () => {
    const station = await open({ answerMs: 50 });
    station.gate = () => sleep(150);
    const first = await station.send(event("1"));
    expect([first.status, first.body.error]).toEqual([
      ...[503, "the events were not on the disk within 50 ms: send them again"],
    ]);
    await expect.poll(() => station.written.length).toBe(1);
    expect(await station.send(event("1"))).toEqual(ok(0, 1));
  });

  it("answers those who wait when the daemon stops", async () => {
    const outbox = await outboxIn(join(folder(), "outbox"));
    const memory = new RowMemory({ reader: outbox, feed: "", nowMs: () => NOW_MS });
    const feed = await openCloudEventsFeed({ port: 0 }, { memory });
    const sent = fetch(feed.url, {
      ...{ method: "POST", body: JSON.stringify(event("1")) },
      headers: { "content-type": STRUCTURED },
    });
    await sleep(100);
    await feed.close();
    const response = await sent;
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("2");
  });
});

describe("a request that is refused", () => {
  const bad: [string, number, unknown, RegExp][] = [
    ["no JSON", 400, "{", /^the body is not JSON$/],
    ["a list", 400, [], /^event 0: "event" is not a JSON object/],
    ["another version", 400, event("1", { specversion: "0.3" }), /"specversion" must be "1.0"/],
    ["another type", 400, event("1", { type: "x" }), /\(id 1\): "type" must be "settled.usage.v1"/],
    ["no id", 400, event("", {}), /"id" must be a text that is not empty/],
    ["no source", 400, event("1", { source: undefined }), /"source" is missing/],
    ["a bad time", 400, event("1", { time: "now" }), /"time" is not a time of RFC 3339/],
    ["no data", 400, event("1", { data: undefined }), /"data" must be an object/],
    ["binary data", 400, event("1", { data_base64: "AA==" }), /"data_base64" is not taken/],
    [
      "another format",
      400,
      event("1", { datacontenttype: "text/xml" }),
      /must be application\/json/,
    ],
    [
      "another lease",
      400,
      event("1", { data: fields({ lease: "2" }) }),
      /differs from that of the/,
    ],
    ["no lease", 400, event("1", { subject: undefined }), /"lease" is missing/],
    ["an unknown field", 400, event("1", {}, { ram: 1 }), /"ram" is not a field of usage/],
    ["a metric less", 400, event("1", {}, { gpu_seconds: undefined }), /"gpu_seconds" is missing/],
    ["milliseconds", 400, event("1", {}, { end: 1_767_225_600_000 }), /seconds.*not milliseconds/],
    ["half a second", 400, event("1", {}, { end: "1970-01-01T02:00:00.5Z" }), /whole second/],
    ["a long body", 413, event("1", { source: "x".repeat(5000) }), /at most 4096 bytes/],
  ];
  it.each(bad)("for %s: %d, and says why", async (_what, status, body, message) => {
    const station = await open({ bodyBytes: 4096 });
    const answer = await station.send(body);
    expect(answer.status).toBe(status);
    expect(answer.body.error).toMatch(message);
    expect(station.written).toEqual([]);
  });

  it("names every event of a batch that cannot be taken, and takes none", async () => {
    const check = ({ order }: { order: string }) => (order === "x" ? "unknown order x" : undefined);
    const station = await open({ eventsMax: 3 }, { check });
    const batch = [event("1"), event("2", { type: "y" }), 7];
    const { status, body } = await station.send(batch, BATCH);
    expect(status).toBe(400);
    expect(body.faults?.map(({ event: at, field }) => [at, field])).toEqual([
      [1, "type"],
      [2, "event"],
    ]);
    const unknown = await station.send([event("1"), event("2", {}, { order: "x" })], BATCH);
    expect(unknown.body.error).toMatch(/^event 1 .* unknown order x; no event was taken$/);
    const many = await station.send([1, 2, 3, 4], BATCH);
    expect([many.status, many.body.error]).toEqual([413, "at most 3 events in a batch, found 4"]);
    expect(station.written).toEqual([]);
  });

  it("by method, path, content type and token", async () => {
    const station = await open({ path: "/usage", token: "secret" });
    const authorization = "Bearer secret";
    expect((await station.send(event("1"))).status).toBe(401);
    expect((await station.send(event("1"), STRUCTURED, { authorization: "Bearer x" })).status).toBe(
      401,
    );
    expect((await station.fetch({ method: "GET" })).status).toBe(405);
    expect((await station.fetch({ method: "POST" }, "/x")).status).toBe(404);
    const plain = await station.send(event("1"), "application/json", { authorization });
    expect([plain.status, plain.body.error]).toEqual([
      415,
      'expected application/cloudevents+json, application/cloudevents-batch+json or ce- headers, found content type "application/json"',
    ]);
    expect(await station.send(event("1"), STRUCTURED, { authorization })).toEqual(ok(1));
  });

  it("an address that others can reach needs a token; a port has one listener", async () => {
    await expect(open({ host: "0.0.0.0" })).rejects.toThrow(/0\.0\.0\.0: others can reach it/);
    const station = await open();
    const port = Number(new URL(station.feed.url).port);
    await expect(open({ port })).rejects.toThrow(/is in use: choose another port/);
  });
});
