import { DEFAULT_GAS_PRICE } from "../gas.ts";
import { COLLECTOR } from "./collector_table.ts";
import { FEED } from "./feed_table.ts";
import { choice, list, path, record, text, truth, whole } from "./fields.ts";

const DAY_SECONDS = 86_400;

/** An id as the chain takes it. */
const id = (comment: string) =>
  text(comment, { pattern: /^[\x20-\x7e]{1,128}$/, expected: "1 to 128 printable characters" });

const INSTANT = {
  pattern: /^(?:[0-9]{1,11}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)$/,
  expected: 'a time like "2026-01-31T08:00:00Z", or unix seconds in quotes',
} as const;

const WORKLOAD = record("One workload: a lease of an order, and how it is metered.", {
  name: text("Name of the workload in logs and in `settled provider status`.", {
    pattern: /^[A-Za-z0-9._-]{1,64}$/,
    expected: "1 to 64 letters, digits, dots, dashes and underscores",
  }),
  order: id("Order that the usage belongs to."),
  lease: id("Lease of the order: that of its escrow."),
  start: text(
    "When the lease began: what is before the first look is not measured, and the window says so. Without it the lease begins when the daemon first sees it.",
    { ...INSTANT, isOptional: true },
  ),
  end: text(
    "When the lease ends: its last window is cut there, and the remainders that `carry` kept are dropped and told.",
    { ...INSTANT, isOptional: true },
  ),
  bill_footprint: truth(
    "Whether a window that was watched and idle bills one CPU-hour, as the order has agreed.",
    true,
  ),
  collectors: list("How the workload is metered. No two of them may tell the same metric.", {
    ...{ item: COLLECTOR, min: 1, max: 16 },
  }),
});

/** Every setting of the provider daemon: the one place that says what there is. */
export const SETTINGS = record("Settings of the provider daemon.", {
  nodes: list("RPC addresses of nodes of one chain, the preferred one first.", {
    item: text("RPC address of a node.", {
      pattern: /^https?:\/\/[^\s]{1,200}$/,
      expected: "a URL like http://127.0.0.1:26657",
    }),
    standard: ["http://127.0.0.1:26657"],
    ...{ min: 1, max: 16 },
  }),
  chain_id: text("Refuse nodes of any other chain than this one.", {
    pattern: /^[\x21-\x7e]{1,64}$/,
    expected: "a chain id",
    isOptional: true,
  }),
  key: record("The provider's key: it signs usage and pays for gas.", {
    name: text("Name or address of the key in the keyring of this home.", {
      pattern: /^[a-z0-9_-]{1,100}$/,
      expected: "the name or address of a key",
    }),
    keyring: choice("auto: test in the home of a dev chain, else file (password).", {
      standard: "auto",
      choices: ["auto", "test", "file"],
    }),
    password_file: path("File whose first line is the password of the file keyring.", {
      isOptional: true,
    }),
  }),
  gas_price: text("Price of a unit of gas.", {
    standard: DEFAULT_GAS_PRICE,
    pattern: /^[0-9]{1,20}(\.[0-9]{1,18})?[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$/,
    expected: `an amount and a denom like ${DEFAULT_GAS_PRICE}`,
  }),
  interval_seconds: whole(
    "Length of a billing window in seconds. Windows begin at whole multiples of it since 1970.",
    { standard: 3600, min: 1, max: 31 * DAY_SECONDS },
  ),
  sample_seconds: whole(
    "Seconds between two looks at a workload. Memory is integrated between looks; what a short process uses between two is seen by cgroup and process collectors only.",
    { standard: 1, min: 1, max: 3600 },
  ),
  write_seconds: whole(
    "Seconds between two writes of open windows to the disk. After a crash counters go on where they were; of gauges (memory, disk) as much as this is lost, and the window says so.",
    { standard: 5, min: 1, max: 600 },
  ),
  late_seconds: whole(
    "Seconds after its end that a window of a followed feed waits for late rows. Rows that come later are billed with the next window, which names them.",
    { standard: 300, min: 0, max: DAY_SECONDS },
  ),
  unit_rounding: choice(
    "Units are whole hours or GB. floor: what is left of a unit at the end of each window is never billed (59 minutes of CPU in every hourly window bill nothing), as the documents have it. carry: it is added to the next window of the lease.",
    { standard: "floor", choices: ["floor", "carry"] },
  ),
  prices: {
    kind: "open",
    comment:
      'Price of a unit by resource, as text with its denom, or free: {default: {cpu: "1500uve"}, orders: {order-1: {gpu: free}}}. A resource that is used and has no price is an error, not free.',
    isOptional: true,
  },
  prices_file: path("The same in a JSON or YAML file of its own. Either this or prices.", {
    isOptional: true,
  }),
  batch: record("How usage reports are put into txs.", {
    records: whole("Reports of one tx at most.", { standard: 250, min: 1, max: 5000 }),
    bytes: whole("Bytes of one tx at most.", { standard: 400_000, min: 1000, max: 1_000_000 }),
    age_ms: whole("Milliseconds that a report waits for others before its tx is sent.", {
      ...{ standard: 1000, min: 0, max: 3_600_000 },
    }),
    in_flight: whole("Txs that may wait for a block at the same time.", {
      ...{ standard: 8, min: 1, max: 64 },
    }),
  }),
  retry: record("When something that failed is tried again: later each time, with jitter.", {
    first_ms: whole("Milliseconds before the first repeat.", {
      ...{ standard: 1000, min: 1, max: 3_600_000 },
    }),
    max_ms: whole("Milliseconds between repeats at most.", {
      ...{ standard: 600_000, min: 1, max: 86_400_000 },
    }),
  }),
  metrics: record("The HTTP door for monitors: /metrics and /healthz.", {
    enabled: truth("Whether there is one.", true),
    host: text("Address to listen on. Whoever can reach it can read figures of your business.", {
      standard: "127.0.0.1",
      pattern: /^[0-9A-Za-z.:_-]{1,253}$/,
      expected: "an address or host name",
    }),
    port: whole("Port; 0 picks a free one.", { standard: 26_670, min: 0, max: 65_535 }),
  }),
  health: record("When /healthz says 503.", {
    node_silent_seconds: whole("Seconds without any answer of any node.", {
      ...{ standard: 60, min: 1, max: DAY_SECONDS },
    }),
    funds_least: text("Balance of the key below which it says that gas is running out.", {
      standard: "100000",
      pattern: /^[0-9]{1,30}$/,
      expected: "base units of the denom of gas_price, as text",
    }),
  }),
  log: record("The log, on stderr.", {
    level: choice("Least level that is written.", {
      standard: "info",
      choices: ["debug", "info", "warn", "error", "silent"],
    }),
    format: choice("text for people, json for programs (NDJSON).", {
      standard: "text",
      choices: ["text", "json"],
    }),
  }),
  drain_seconds: whole(
    "Seconds that SIGTERM gives to what is on its way to the chain. What is not done by then goes on at the next start.",
    { standard: 10, min: 0, max: 600 },
  ),
  keep_settled_days: whole(
    "Days that settled records are kept here; the chain has them for good.",
    {
      ...{ standard: 90, min: 0, max: 36_500 },
    },
  ),
  workloads: list("What is metered on this machine.", { item: WORKLOAD, max: 20_000 }),
  feeds: list("Usage that something else has metered: files, or events over HTTP.", {
    ...{ item: FEED, max: 100 },
  }),
});
