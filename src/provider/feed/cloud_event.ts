import type { IncomingHttpHeaders } from "node:http";
import { parseTime } from "../../types/time.ts";
import { parseExactJson } from "../exact_json.ts";
import type { FeedRow } from "./feed.ts";
import { FieldError, readFeedRow, readText } from "./feed_row.ts";

/** Of source, id and subject, in bytes of UTF-8. */
const ATTRIBUTE_BYTES_MAX = 256;

/** A request that is refused: HTTP status, and what is wrong with which event. */
export class EventError extends Error {
  readonly status: number;
  readonly faults: readonly EventFault[];

  constructor(status: number, message: string, faults: readonly EventFault[] = []) {
    super(message);
    this.name = "EventError";
    this.status = status;
    this.faults = faults;
  }
}

export interface EventFault {
  /** Place in the batch, from 0. */
  readonly event: number;
  readonly id?: string;
  readonly field?: string;
  readonly reason: string;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Usage of the CloudEvents 1.0 in a request: structured (`application/cloudevents+json`), a batch
 * (`application/cloudevents-batch+json`), or binary (attributes in `ce-` headers, data as JSON).
 * All of it or nothing.
 * @param type of the events that are taken
 * @throws EventError 400 naming event and field, 413, 415
 */
export function readEvents(
  headers: IncomingHttpHeaders,
  body: string,
  { type, eventsMax }: { readonly type: string; readonly eventsMax: number },
): FeedRow[] {
  const events = eventsOf(headers, body);
  if (events.length > eventsMax) {
    throw new EventError(413, `at most ${eventsMax} events in a batch, found ${events.length}`);
  }
  const faults: EventFault[] = [];
  const rows: FeedRow[] = [];
  events.forEach((event, index) => {
    const object = asObject(event);
    const id = typeof object?.["id"] === "string" ? { id: object["id"].slice(0, 100) } : {};
    try {
      if (object === undefined) throw new FieldError("event", "is not a JSON object");
      rows.push(rowOf(object, type));
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      faults.push({ event: index, ...id, field: error.field, reason: error.message });
    }
  });
  if (faults.length > 0) throw refusal(400, "no event was taken", faults);
  return rows;
}

/** Names the first fault in the message and gives a bounded list of all. */
export function refusal(status: number, what: string, faults: readonly EventFault[]): EventError {
  const [first] = faults as [EventFault];
  const name = first.id === undefined ? "" : ` (id ${first.id})`;
  const message = `event ${first.event}${name}: ${first.reason}; ${what}`;
  return new EventError(status, message, faults.slice(0, 20));
}

function eventsOf(headers: IncomingHttpHeaders, body: string): unknown[] {
  const media = (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (media === "application/cloudevents-batch+json") {
    const batch = jsonOf(body);
    if (!Array.isArray(batch)) throw new EventError(400, "a batch is a JSON array of events");
    return batch;
  }
  if (media === "application/cloudevents+json") return [jsonOf(body)];
  if (headers["ce-specversion"] === undefined) {
    const rule = "application/cloudevents+json, application/cloudevents-batch+json or ce- headers";
    throw new EventError(415, `expected ${rule}, found content type "${media.slice(0, 60)}"`);
  }
  if (!isJson(media)) throw new EventError(415, `data must be application/json, found "${media}"`);
  return [{ ...attributesOf(headers), data: jsonOf(body) }];
}

function jsonOf(body: string): unknown {
  const value = parseExactJson(body);
  if (value === undefined) throw new EventError(400, "the body is not JSON");
  return value;
}

function isJson(media: string): boolean {
  return /^(application|text)\/([^;\s]+\+)?json$/.test(media);
}

/** Attributes of binary mode; percent-encoded where they are not ASCII. */
function attributesOf(headers: IncomingHttpHeaders): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith("ce-") || typeof value !== "string") continue;
    try {
      attributes[name.slice(3)] = decodeURIComponent(value);
    } catch {
      throw new EventError(400, `header ${name} is not percent-encoded UTF-8`);
    }
  }
  return attributes;
}

function rowOf(event: Fields, type: string): FeedRow {
  requireText(event, "specversion", "1.0");
  requireText(event, "type", type);
  const source = readText(event, "source", ATTRIBUTE_BYTES_MAX);
  const id = readText(event, "id", ATTRIBUTE_BYTES_MAX);
  const { time, datacontenttype: media } = event;
  if (time !== undefined && (typeof time !== "string" || parseTime(time) === undefined)) {
    throw new FieldError("time", "is not a time of RFC 3339");
  }
  if (media !== undefined && (typeof media !== "string" || !isJson(media.split(";")[0] ?? ""))) {
    throw new FieldError("datacontenttype", "must be application/json");
  }
  const data = dataOf(event);
  const row = readFeedRow({ ...data, ...leaseOf(event, data) }, `event ${source} ${id}`);
  return { ...row, id: JSON.stringify([source, id]) };
}

function requireText(event: Fields, name: string, expected: string): void {
  const value = event[name];
  if (value === undefined) throw new FieldError(name, "is missing");
  if (value === expected) return;
  const found = JSON.stringify(value).slice(0, 60);
  throw new FieldError(name, `must be "${expected}", found ${found}`);
}

function dataOf(event: Fields): Fields {
  if (event["data_base64"] !== undefined) {
    throw new FieldError("data_base64", "is not taken: give the data as JSON");
  }
  const data = asObject(event["data"]);
  if (data === undefined) throw new FieldError("data", "must be an object with the usage");
  return data;
}

/** The subject is the lease, unless the data have it; they must not differ. */
function leaseOf(event: Fields, data: Fields): Fields {
  if (event["subject"] === undefined) return {};
  const subject = readText(event, "subject", ATTRIBUTE_BYTES_MAX);
  if (data["lease"] !== undefined && data["lease"] !== subject) {
    const found = `"${subject}" and ${JSON.stringify(data["lease"]).slice(0, 60)}`;
    throw new FieldError("subject", `is the lease, and differs from that of the data: ${found}`);
  }
  return { lease: subject };
}

function asObject(value: unknown): Fields | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Fields) : undefined;
}
