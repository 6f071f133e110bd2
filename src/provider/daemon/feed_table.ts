import type { UnionField } from "./fields.ts";
import { path, record, text, truth, whole } from "./fields.ts";

const name = text("Name of the feed in logs and in `settled provider status`.", {
  pattern: /^[A-Za-z0-9._-]{1,64}$/,
  expected: "1 to 64 letters, digits, dots, dashes and underscores",
});

const FILE = {
  name,
  file: path("The file. Where it was read to is kept: no row is taken twice."),
  follow: truth(
    "true: waits for more rows, through rotation. false: ends with the file, and the leases in it end with their last row.",
    true,
  ),
  bill_footprint: truth("Whether a window whose rows are all zero bills one CPU-hour.", true),
};

const CLOUD_EVENTS = record("Usage as CloudEvents 1.0 over HTTP POST: single, binary or batch.", {
  name,
  host: text("Address to listen on.", {
    standard: "127.0.0.1",
    pattern: /^[0-9A-Za-z.:_-]{1,253}$/,
    expected: "an address or host name",
  }),
  port: whole("Port; 0 picks a free one.", { standard: 26_671, min: 0, max: 65_535 }),
  path: text("Path of the requests.", {
    standard: "/",
    pattern: /^\/[^\s?#]{0,200}$/,
    expected: 'a path like "/usage"',
  }),
  token_file: path("File with the token that clients send as authorization: Bearer.", {
    isOptional: true,
  }),
  type: text("Type of the events that are taken.", {
    standard: "settled.usage.v1",
    pattern: /^[\x21-\x7e]{1,200}$/,
    expected: "a type of events",
  }),
  bill_footprint: truth("Whether a window whose rows are all zero bills one CPU-hour.", true),
});

export const FEED: UnionField = {
  kind: "union",
  comment: "A source of usage that was metered elsewhere.",
  cases: {
    ndjson: record("A file of JSON lines.", FILE),
    csv: record("A CSV file with a header.", FILE),
    cloudevents: CLOUD_EVENTS,
  },
};
