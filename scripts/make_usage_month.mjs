// Makes examples/usage-month.ndjson: 31 days of metered jobs of an imaginary provider, the same
// bytes for the same seed on every machine.
//
// Randomness is mulberry32 (public domain, T. Ettinger): a 32-bit state that starts at the seed;
// every draw adds 0x6d2b79f5 and mixes. Only 32-bit integer operations and BigInt are used, so no
// result depends on the machine.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

const HELP = `usage: node scripts/make_usage_month.mjs [--seed N] [--out FILE]

Writes a month of metered jobs as NDJSON: one line per job and window, in the order in which the
windows end. Times are seconds from the start of the month.

  --seed N    32-bit seed of the randomness (default 31)
  --out FILE  where to write (default: examples/usage-month.ndjson; "-": stdout)
  --help      this text
`;

const HOUR = 3600;
const DAY = 24 * HOUR;
const MONTH = 31 * DAY;
const MIB = 1024n * 1024n;
const GIB = 1024n * MIB;

function parse() {
  const options = { seed: { type: "string" }, out: { type: "string" }, help: { type: "boolean" } };
  try {
    const { values } = parseArgs({ options });
    const seed = values.seed ?? "31";
    if (!/^[0-9]{1,10}$/.test(seed) || Number(seed) > 0xffffffff) {
      throw new Error(`--seed is an integer from 0 to 4294967295, not "${seed}"`);
    }
    const standard = new URL("../examples/usage-month.ndjson", import.meta.url);
    return { seed: Number(seed), out: values.out ?? standard, help: values.help === true };
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    process.exit(2);
  }
}

/** A function that draws an integer from `low` to `high`, both included. */
function mulberry32(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  // The bias of the remainder is below 2^-15 for the spans used here.
  return (low, high) => low + (next() % (high - low + 1));
}

// What each kind of job is like: how many, window length, how long it lives, and what one window of
// `seconds` uses. `busy` is a percentage drawn for each window.
const KINDS = [
  {
    name: "web",
    count: 10,
    window: DAY,
    life: () => 31,
    shape: (draw) => ({
      cores: draw(2, 16),
      gib: draw(4, 32),
      disk: draw(20, 200),
      traffic: draw(2, 40),
    }),
  },
  {
    name: "database",
    count: 6,
    window: 12 * HOUR,
    life: (draw) => draw(20, 60),
    shape: (draw) => ({
      cores: draw(2, 8),
      gib: draw(16, 64),
      disk: draw(200, 2000),
      traffic: draw(1, 8),
    }),
  },
  {
    name: "training",
    count: 12,
    window: 6 * HOUR,
    life: (draw) => draw(4, 40),
    shape: (draw) => ({
      cores: draw(8, 32),
      gib: draw(32, 256),
      gpus: draw(1, 8),
      disk: draw(50, 500),
      traffic: draw(0, 20),
    }),
  },
  {
    name: "inference",
    count: 6,
    window: 3 * HOUR,
    life: (draw) => draw(16, 56),
    shape: (draw) => ({ cores: draw(2, 8), gib: draw(8, 48), gpus: 1, traffic: draw(1, 12) }),
  },
  {
    name: "build",
    count: 18,
    window: HOUR,
    life: (draw) => draw(4, 28),
    shape: (draw) => ({
      cores: draw(4, 32),
      gib: draw(8, 32),
      disk: draw(10, 40),
      traffic: draw(0, 4),
    }),
  },
  {
    // Runs for minutes a day: most windows come to less than a unit, or to nothing at all.
    name: "cron",
    count: 6,
    window: DAY,
    life: (draw) => draw(10, 31),
    idle: 40,
    shape: () => ({ cores: 1, gib: 0, share: 3 }),
  },
  {
    // A notebook that is left alone at night: idle windows between busy ones.
    name: "notebook",
    count: 4,
    window: 6 * HOUR,
    life: (draw) => draw(20, 60),
    idle: 45,
    shape: (draw) => ({
      cores: draw(1, 4),
      gib: draw(2, 16),
      gpus: draw(0, 1),
      disk: draw(5, 50),
      traffic: draw(0, 2),
    }),
  },
];

function makeJob(kind, number, draw) {
  const windows = Math.min(kind.life(draw), Math.floor(MONTH / kind.window));
  const slack = (MONTH - windows * kind.window) / HOUR;
  const start = draw(0, slack) * HOUR;
  const name = `${kind.name}-${String(number).padStart(2, "0")}`;
  return { kind, name, start, windows, shape: kind.shape(draw) };
}

function metricsOf({ kind, shape }, seconds, draw) {
  const idle = kind.idle !== undefined && draw(1, 100) <= kind.idle;
  if (idle) return { cpu: 0n, memory: 0n, storage: 0n, gpu: 0n, bytesIn: 0n, bytesOut: 0n };
  const busy = BigInt(shape.share ?? draw(15, 95));
  const time = BigInt(seconds);
  // Traffic and disks wobble by up to a thousandth, so that no total is round.
  const wobble = (value) => value - (value * BigInt(draw(0, 1000))) / 1_000_000n;
  const traffic = (BigInt(shape.traffic ?? 0) * GIB * busy) / 100n;
  return {
    cpu: (BigInt(shape.cores) * 1000n * time * busy) / 100n,
    memory: wobble((BigInt(shape.gib) * GIB + 64n * MIB) * time),
    storage: wobble(BigInt(shape.disk ?? 0) * GIB * time),
    gpu: (BigInt(shape.gpus ?? 0) * time * busy) / 100n,
    bytesIn: wobble(traffic / 5n),
    bytesOut: wobble(traffic),
  };
}

// Integers that a JSON number cannot hold exactly are written as texts.
const integer = (value) => (value <= 9_007_199_254_740_991n ? Number(value) : value.toString());

function linesOf(job, draw) {
  return Array.from({ length: job.windows }, (_, index) => {
    const start = job.start + index * job.kind.window;
    // The last window of every third job is cut: it ended within it.
    const last = index === job.windows - 1 && job.windows % 3 === 0 && job.kind.name !== "web";
    const end = start + (last ? draw(job.kind.window / 6, job.kind.window - 1) : job.kind.window);
    const used = metricsOf(job, end - start, draw);
    const record = {
      job: job.name,
      order: `order/${job.name}`,
      lease: `lease/${job.name}`,
      start,
      end,
      cpu_milliseconds: integer(used.cpu),
      memory_byte_seconds: integer(used.memory),
      storage_byte_seconds: integer(used.storage),
      gpu_seconds: integer(used.gpu),
      network_bytes_in: integer(used.bytesIn),
      network_bytes_out: integer(used.bytesOut),
    };
    return { end, job: job.name, text: JSON.stringify(record) };
  });
}

const { seed, out, help } = parse();
if (help) {
  process.stdout.write(HELP);
} else {
  const draw = mulberry32(seed);
  const jobs = KINDS.flatMap((kind) =>
    Array.from({ length: kind.count }, (_, index) => makeJob(kind, index + 1, draw)),
  );
  const lines = jobs.flatMap((job) => linesOf(job, draw));
  lines.sort((a, b) => a.end - b.end || (a.job < b.job ? -1 : 1));
  const text = `${lines.map((line) => line.text).join("\n")}\n`;
  if (out === "-") process.stdout.write(text);
  else writeFileSync(out, text);
  process.stderr.write(`${jobs.length} jobs, ${lines.length} windows\n`);
}
