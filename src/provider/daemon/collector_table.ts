import type { UnionField } from "./fields.ts";
import { choice, list, path, record, text, whole } from "./fields.ts";

const PID = { min: 1, max: 4_194_304, isOptional: true } as const;
const METRICS = [
  ...["cpuMilliseconds", "memoryByteSeconds", "storageByteSeconds"],
  ...["gpuSeconds", "networkBytesIn", "networkBytesOut"],
];
const metric = (comment: string) => choice(comment, { choices: METRICS });
const INTEGER = { pattern: /^[0-9]{1,30}$/, expected: "a whole number as text" } as const;

const CGROUP = record("A cgroup of version 2: whatever runs in it, however short.", {
  path: path("Folder of the group: /sys/fs/cgroup/jobs/a. It may be made later."),
  memory: choice("What is integrated over time: memory.current, or memory.peak.", {
    ...{ standard: "current", choices: ["current", "peak", "none"] },
  }),
  storage: choice("written: bytes written (io.stat), each held from its writing on.", {
    ...{ standard: "none", choices: ["none", "written"] },
  }),
});

const PROCESS = record("A process and all that descend from it, by /proc.", {
  pid: whole("Number of the process. This or pid_file.", PID),
  pid_file: path("File with the number of the process, read at every look.", { isOptional: true }),
  memory: choice(
    "proportional: pages that processes share count once. resident: as often as they are mapped.",
    { standard: "proportional", choices: ["proportional", "resident", "none"] },
  ),
  storage: choice("written: bytes written to storage, each held from its writing on.", {
    ...{ standard: "none", choices: ["none", "written"] },
  }),
});

const NETWORK = record("Network interfaces, of this machine or of a process's namespace.", {
  interfaces: list("Names of interfaces; without them all but lo.", {
    item: text("Name of an interface.", {
      pattern: /^[^\s/]{1,15}$/,
      expected: "the name of an interface",
    }),
    ...{ isOptional: true, max: 64 },
  }),
  pid: whole("A process in the namespace; without it and pid_file this machine's own.", PID),
  pid_file: path("File with the number of such a process.", { isOptional: true }),
  side: choice("outside: it is the machine's end of a pair, and what it receives was sent.", {
    ...{ standard: "inside", choices: ["inside", "outside"] },
  }),
});

const DISK = record("Bytes held on disk, times the seconds for which they are held.", {
  path: path("Folder, or any path of the file system."),
  measure: choice("folder: files below the path. filesystem: all in use of its file system.", {
    ...{ standard: "folder", choices: ["folder", "filesystem"] },
  }),
  count: choice("allocated: blocks on disk. apparent: lengths of files.", {
    ...{ standard: "allocated", choices: ["allocated", "apparent"] },
  }),
  scan_seconds: whole("A folder is looked through at most this often; held between, in seconds.", {
    ...{ standard: 10, min: 1, max: 86_400 },
  }),
  max_entries: whole("Files and folders that are looked at; the rest is a fault.", {
    ...{ standard: 1_000_000, min: 1, max: 100_000_000 },
  }),
});

const RULE = record("A metric of any exporter.", {
  metric: metric("What it tells."),
  series: text("Name of the series.", {
    pattern: /^[a-zA-Z_:][a-zA-Z0-9_:]{0,200}$/,
    expected: "the name of a series",
  }),
  reading: choice(
    "counter: its growth. gauge: its value × seconds. present, positive: seconds in which it is there, or above 0.",
    { choices: ["counter", "gauge", "present", "positive"] },
  ),
  multiply: text("What one of the series is in the metric: 1000 for CPU seconds.", {
    ...{ ...INTEGER, standard: "1" },
  }),
  divide: text("100 for a percentage.", { ...INTEGER, standard: "1" }),
  max: text("A value above is no number that the series can have.", {
    ...{ ...INTEGER, isOptional: true },
  }),
});

const PROMETHEUS = record("A page of metrics of an exporter: cAdvisor, DCGM or any other.", {
  url: text("Address of the page.", {
    pattern: /^https?:\/\/[^\s]{1,500}$/,
    expected: "a URL like http://127.0.0.1:8080/metrics",
  }),
  selector: text('Which series are the workload\'s: namespace="a",pod=~"web-.*".', {
    ...{ pattern: /^[^\n]{0,2000}$/, expected: "label matchers as Prometheus writes them" },
  }),
  exporter: choice("Whose metric names it has; custom: only those of rules.", {
    choices: ["cadvisor", "dcgm", "custom"],
  }),
  memory: choice("Of cAdvisor.", { standard: "working_set", choices: ["working_set", "usage"] }),
  gpu: choice("What a GPU second of DCGM is: held by the workload, or used by it.", {
    ...{ standard: "allocated", choices: ["allocated", "held", "utilisation", "engine"] },
  }),
  tells: list("Only these metrics of the exporter.", {
    ...{ item: metric("A metric."), isOptional: true, max: METRICS.length },
  }),
  rules: list("More metrics, by the names of their series.", { item: RULE, max: 64 }),
  absent: choice("Whether it is a fault or nothing used when no series is the workload's.", {
    ...{ standard: "fault", choices: ["fault", "zero"] },
  }),
  token_file: path("File with a token for authorization: Bearer.", { isOptional: true }),
  ca_file: path("File with certificates (PEM) that an https server is checked by.", {
    isOptional: true,
  }),
  timeout_ms: whole("Milliseconds that a scrape may take.", {
    ...{ standard: 5000, min: 1, max: 600_000 },
  }),
  max_bytes: whole("Bytes of the page.", { standard: 67_108_864, min: 1024, max: 1_073_741_824 }),
  max_series: whole("Series of the workload.", { standard: 10_000, min: 1, max: 1_000_000 }),
  max_age_seconds: whole("Seconds after which a sample with a time of its own is too old.", {
    ...{ standard: 300, min: 1, max: 86_400 },
  }),
});

export const COLLECTOR: UnionField = {
  kind: "union",
  comment: "A meter of a workload.",
  cases: {
    cgroup2: CGROUP,
    process: PROCESS,
    network: NETWORK,
    disk: DISK,
    prometheus: PROMETHEUS,
  },
};
