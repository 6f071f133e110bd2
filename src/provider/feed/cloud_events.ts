import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fromUtf8 } from "../../lib/bytes.ts";
import { ProviderError } from "../errors.ts";
import { EventError, type EventFault, readEvents, refusal } from "./cloud_event.ts";
import { EventQueue } from "./event_queue.ts";
import type { Feed, FeedBatch, FeedRow, RowFilter } from "./feed.ts";
import type { RowMemory } from "./row_memory.ts";

export interface CloudEventsSettings {
  /** Default 127.0.0.1. One that others can reach needs a token. */
  readonly host?: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Default "/". */
  readonly path?: string;
  /** Type of the events that are taken; default "settled.usage.v1". */
  readonly type?: string;
  /** What clients send as `authorization: Bearer`. */
  readonly token?: string;
  /** Of a body; default 1 MiB. */
  readonly bodyBytes?: number;
  /** In a batch; default 1000. */
  readonly eventsMax?: number;
  /** How long a client waits for its events to be on the disk; default 10,000. */
  readonly answerMs?: number;
}

export interface CloudEventsOptions extends RowFilter {
  readonly memory: RowMemory;
}

/** A feed that others send to. */
export interface CloudEventsFeed extends Feed {
  /** "http://127.0.0.1:26671/" */
  readonly url: string;
}

export const EVENT_TYPE = "settled.usage.v1";
const BODY_BYTES = 1_048_576;
const EVENTS_MAX = 1000;
const ANSWER_MS = 10_000;
const CONNECTIONS_MAX = 256;
const REQUEST_MS = 10_000;
const HEADER_BYTES = 16_384;
/** Seconds after which a client that was turned away may come again. */
const RETRY_SECONDS = "2";

/**
 * Listens for CloudEvents. A request is answered 200 when all its rows are on the disk: the number
 * of events taken and of those known before. An event is known by source and id; one of the same
 * name and other contents is refused (409), like any that cannot be read (400), and then nothing of
 * its request is taken. 503: try again; what was taken after all is known then.
 * @throws ProviderError `bad_feed` for an open address without a token, `port_in_use`
 */
export async function openCloudEventsFeed(
  settings: CloudEventsSettings,
  options: CloudEventsOptions,
): Promise<CloudEventsFeed> {
  const { host = "127.0.0.1", port, token } = settings;
  const isLocal = host === "localhost" || host === "::1" || host.startsWith("127.");
  if (!isLocal && token === undefined) {
    const rule = "others can reach it and could send usage: set a token, or listen on 127.0.0.1";
    throw new ProviderError("bad_feed", `cloudevents on ${host}: ${rule}`);
  }
  const server = createServer({
    requestTimeout: REQUEST_MS,
    headersTimeout: REQUEST_MS,
    maxHeaderSize: HEADER_BYTES,
    connectionsCheckingInterval: 1000,
  });
  server.maxConnections = CONNECTIONS_MAX;
  const queue = new EventQueue(options.memory);
  const door = new Door(settings, options, queue);
  server.on("request", (request, response) => void door.answer(request, response));
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  const authority = address.family === "IPv6" ? `[${address.address}]` : address.address;
  const url = `http://${authority}:${address.port}${settings.path ?? "/"}`;
  return {
    name: `cloudevents ${url}`,
    url,
    batches: (signal: AbortSignal): AsyncIterable<FeedBatch> => queue.batches(signal),
    close: () => close(server, queue),
  };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === "EADDRINUSE";
      const detail = isTaken ? "is in use: choose another port" : error.message;
      const code = isTaken ? "port_in_use" : "bad_feed";
      reject(new ProviderError(code, `cloudevents on ${host}:${port}: ${detail}`));
    });
    server.listen({ host, port }, resolve);
  });
  server.removeAllListeners("error");
  // A connection that could not be accepted, for want of file handles, must not end the process.
  server.on("error", () => undefined);
}

async function close(server: Server, queue: EventQueue): Promise<void> {
  queue.close();
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  // Answers that are on their way have a moment.
  const late = setTimeout(() => server.closeAllConnections(), 200);
  server.closeIdleConnections();
  await closed;
  clearTimeout(late);
}

/** What a client gets. */
class Door {
  readonly #settings: CloudEventsSettings;
  readonly #options: CloudEventsOptions;
  readonly #queue: EventQueue;
  readonly #token: Buffer | undefined;
  // One request at a time looks for its rows and marks them: two of the same must not both be new.
  #turn: Promise<unknown> = Promise.resolve();

  constructor(settings: CloudEventsSettings, options: CloudEventsOptions, queue: EventQueue) {
    this.#settings = settings;
    this.#options = options;
    this.#queue = queue;
    this.#token = settings.token === undefined ? undefined : digest(settings.token);
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      this.#check(request);
      const body = await bodyOf(request, this.#settings.bodyBytes ?? BODY_BYTES);
      const { type = EVENT_TYPE, eventsMax = EVENTS_MAX } = this.#settings;
      const rows = readEvents(request.headers, body, { type, eventsMax });
      this.#checkRows(rows);
      const taken = this.#turn.then(() => this.#take(rows));
      this.#turn = taken.catch(() => undefined);
      const { accepted, duplicates, isOnDisk } = await taken;
      await inTime(isOnDisk, this.#settings.answerMs ?? ANSWER_MS);
      send(response, 200, { accepted, duplicates });
    } catch (error) {
      refuse(request, response, error);
    }
  }

  #check({ method, url, headers }: IncomingMessage): void {
    const { path = "/" } = this.#settings;
    const asked = (url ?? "").split("?")[0];
    if (asked !== path) throw new EventError(404, `events are taken at ${path}`);
    if (method !== "POST") throw new EventError(405, "events are sent by POST");
    if (this.#token === undefined) return;
    const sent = /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1] ?? "";
    if (!timingSafeEqual(digest(sent), this.#token)) {
      throw new EventError(401, "the header authorization: Bearer has not the right token");
    }
  }

  #checkRows(rows: readonly FeedRow[]): void {
    const { memory, check } = this.#options;
    const faults: EventFault[] = [];
    rows.forEach((row, event) => {
      const days = Math.floor(memory.keepMs / 86_400_000);
      const reason = memory.isTooOld(row)
        ? `"end" is more than ${days} days ago: whether it was taken before is not known any more`
        : check?.(row);
      if (reason !== undefined) faults.push({ event, ...nameOf(row), reason });
    });
    if (faults.length > 0) throw refusal(400, "no event was taken", faults);
  }

  /** Takes what is new of a request, or nothing. */
  async #take(
    rows: readonly FeedRow[],
  ): Promise<{ accepted: number; duplicates: number; isOnDisk: Promise<unknown> }> {
    const { memory } = this.#options;
    const fresh = new Map<string, FeedRow>();
    const waits: Promise<void>[] = [];
    const faults: EventFault[] = [];
    for (const [event, row] of rows.entries()) {
      const twin = fresh.get(row.id);
      const recalled = twin === undefined ? await memory.recall(row) : memory.compare(twin, row);
      if (recalled === "new") fresh.set(row.id, row);
      else if (recalled === "different") {
        const reason = "another event of this source and id was taken, with other contents";
        faults.push({ event, ...nameOf(row), reason });
      } else if (twin === undefined) {
        // The first one may not be on the disk yet: its fate is this one's too.
        const wait = this.#queue.waitFor(row.id);
        if (wait !== undefined) waits.push(wait);
      }
    }
    if (faults.length > 0) throw refusal(409, "no event was taken", faults);
    const accepted = fresh.size;
    if (accepted > 0) waits.push(this.#queue.push([...fresh.values()]));
    const isOnDisk = Promise.all(waits);
    // Awaited by the caller, but not at once.
    isOnDisk.catch(() => undefined);
    return { accepted, duplicates: rows.length - accepted, isOnDisk };
  }
}

function nameOf({ id }: FeedRow): { id: string } {
  return { id: (JSON.parse(id) as string[]).join(" ") };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

async function bodyOf(request: IncomingMessage, bytesMax: number): Promise<string> {
  const tooLarge = new EventError(413, `a body has at most ${bytesMax} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) throw tooLarge;
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > bytesMax) throw tooLarge;
    parts.push(part);
  }
  const text = fromUtf8(Buffer.concat(parts));
  if (text === undefined) throw new EventError(400, "the body is not UTF-8");
  return text;
}

async function inTime(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const reason = `the events were not on the disk within ${ms} ms: send them again`;
    timer = setTimeout(() => reject(new EventError(503, reason)), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  // What is left of a body that is too long is not read to its end.
  if (!request.complete) response.setHeader("connection", "close");
  if (error instanceof EventError) {
    if (error.status === 401) response.setHeader("www-authenticate", "Bearer");
    if (error.status === 405) response.setHeader("allow", "POST");
    if (error.status === 503) response.setHeader("retry-after", RETRY_SECONDS);
    const { status, message, faults } = error;
    send(response, status, faults.length === 0 ? { error: message } : { error: message, faults });
  } else {
    response.setHeader("retry-after", RETRY_SECONDS);
    send(response, 503, { error: (error as Error).message });
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json" }).end(`${text}\n`);
}
