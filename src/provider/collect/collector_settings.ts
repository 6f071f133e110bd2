import type { MetricName } from "./collector.ts";

/** A cgroup of version 2: CPU and memory of whatever runs in it, however short. */
export interface CgroupSettings {
  readonly kind: "cgroup2";
  /** Folder of the group, absolute: "/sys/fs/cgroup/jobs/a". It may be made later. */
  readonly path: string;
  /**
   * What is integrated over time: memory.current (the default), or memory.peak, the most that the
   * group has ever held. `none`: memory is not told.
   */
  readonly memory?: "current" | "peak" | "none";
  /** `written`: bytes written (io.stat), each from its writing on. Default `none`: not told. */
  readonly storage?: "written" | "none";
}

/** A process and all that descend from it, by /proc. Exactly one of `pid` and `pidFile`. */
export interface ProcessSettings {
  readonly kind: "process";
  readonly pid?: number;
  /** File with the number of the process, absolute; read at every look. */
  readonly pidFile?: string;
  /**
   * `proportional` (the default): a page that several processes share is counted once, in shares.
   * `resident`: as often as it is mapped; cheaper, and too much where processes share memory.
   */
  readonly memory?: "proportional" | "resident" | "none";
  /** `written`: bytes written to storage, each from its writing on. Default `none`: not told. */
  readonly storage?: "written" | "none";
}

/** Network interfaces: of this machine, or of the network namespace of a process. */
export interface NetworkSettings {
  readonly kind: "network";
  /** Names of interfaces. Without them: all of the namespace, but `lo`. */
  readonly interfaces?: readonly string[];
  /** A process in the namespace. Without `pid` and `pidFile`: this machine's own interfaces. */
  readonly pid?: number;
  readonly pidFile?: string;
  /**
   * `inside` (the default): what the interface receives, the workload receives. `outside`: it is
   * the machine's end of a pair (veth), and what it receives the workload has sent.
   */
  readonly side?: "inside" | "outside";
}

/** Bytes held on disk, times the seconds for which they are held. */
export interface DiskSettings {
  readonly kind: "disk";
  readonly path: string;
  /**
   * `folder` (the default): files below the path, on its file system, hard links once.
   * `filesystem`: all that is in use of the file system that the path is on.
   */
  readonly measure?: "folder" | "filesystem";
  /** `allocated` (the default): blocks on disk. `apparent`: lengths of files, holes counted. */
  readonly count?: "allocated" | "apparent";
  /** A folder is looked through at most this often; what was found is held between. Default 10. */
  readonly scanSeconds?: number;
  /** Files and folders that are looked at; the rest is a fault. Default 1,000,000. */
  readonly maxEntries?: number;
}

/** What a GPU second is, by the metrics of the DCGM exporter. Each series is a GPU (or a slice). */
export type GpuMeasure =
  /** The default: a GPU that the exporter tells of this workload is allocated, idle or not. */
  | "allocated"
  /** Seconds in which it holds memory of the workload: DCGM_FI_DEV_FB_USED above 0. */
  | "held"
  /** Utilisation × time: DCGM_FI_DEV_GPU_UTIL, in percent. */
  | "utilisation"
  /** Activity of the engine × time: DCGM_FI_PROF_GR_ENGINE_ACTIVE, from 0 to 1. */
  | "engine";

/** A metric of any exporter. */
export interface PrometheusRule {
  readonly metric: MetricName;
  /** Name of the series: "container_cpu_usage_seconds_total". */
  readonly series: string;
  /**
   * `counter`: its growth. `gauge`: its value × seconds. `present`: seconds in which a series is
   * there; `positive`: seconds in which its value is above 0.
   */
  readonly reading: "counter" | "gauge" | "present" | "positive";
  /** What one of the series is in the metric: CPU seconds → milliseconds are 1000. Default 1. */
  readonly multiply?: bigint;
  /** Percent → 1 is 100. Default 1. */
  readonly divide?: bigint;
  /** A value above is not a number that the series can have. */
  readonly max?: bigint;
}

/** A page of metrics, in the text format of Prometheus or as OpenMetrics. */
export interface PrometheusSettings {
  readonly kind: "prometheus";
  /** http or https: "http://127.0.0.1:8080/metrics". */
  readonly url: string;
  /** Which series are the workload's, as Prometheus writes it: `namespace="a",pod=~"web-.*"`. */
  readonly selector: string;
  /** `custom`: only `rules`. */
  readonly exporter: "cadvisor" | "dcgm" | "custom";
  /** Of cAdvisor. Default `working_set`. */
  readonly memory?: "working_set" | "usage";
  /** Of DCGM. Default `allocated`. */
  readonly gpu?: GpuMeasure;
  /** Only these metrics of the exporter. */
  readonly tells?: readonly MetricName[];
  readonly rules?: readonly PrometheusRule[];
  /** Whether it is a fault (the default) or nothing used when no series is the workload's. */
  readonly absent?: "fault" | "zero";
  /** File with a token for `authorization: Bearer`, read at every scrape. */
  readonly tokenFile?: string;
  /** File with the certificates (PEM) that an https server is checked by. */
  readonly caFile?: string;
  /** Default 5000. */
  readonly timeoutMs?: number;
  /** Bytes of the page. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Series of the workload. Default 10,000. */
  readonly maxSeries?: number;
  /** A sample with an older time of its own is not read. Default 300. */
  readonly maxAgeSeconds?: number;
}

export type CollectorSettings =
  | CgroupSettings
  | ProcessSettings
  | NetworkSettings
  | DiskSettings
  | PrometheusSettings;
