import type { ProviderLog } from "../provider_log.ts";
import type { FaultFacts, SourceFacts } from "./status.ts";

const FAULTS_MAX = 50;

interface Source {
  readonly name: string;
  readonly kind: SourceFacts["kind"];
  readMs: number | undefined;
  reads: number;
  isEnded: boolean;
  fault: string;
}

export interface SourceBookOptions {
  readonly log: ProviderLog;
  readonly nowMs: () => number;
  /** Told of every look that failed. */
  readonly onFault: (source: string) => void;
}

/** How each workload and feed does, and what went wrong lately. */
export class SourceBook {
  readonly #options: SourceBookOptions;
  readonly #sources: Source[] = [];
  readonly #faults: FaultFacts[] = [];

  constructor(options: SourceBookOptions) {
    this.#options = options;
  }

  open(kind: SourceFacts["kind"], name: string): SourceLine {
    const fresh = { readMs: undefined, reads: 0, isEnded: false, fault: "" };
    const source: Source = { name, kind, ...fresh };
    this.#sources.push(source);
    const place = `${kind} ${name}`;
    return {
      read: (count) => {
        source.readMs = this.#options.nowMs();
        source.reads += count;
      },
      state: (fault) => {
        if (fault !== "") this.#options.onFault(name);
        // A fault that lasts is told once, and that it is over.
        if (fault !== source.fault) {
          if (fault !== "") this.tell(place, fault);
          else this.#options.log.info("a source works again", { source: place });
        }
        source.fault = fault;
      },
      tell: (where, text) => {
        this.#options.onFault(name);
        this.tell(`${place} ${where}`, text);
      },
      ended: () => {
        source.isEnded = true;
      },
    };
  }

  /** Something that went wrong, for the log and for `settled provider status`. */
  tell(place: string, text: string): void {
    this.#options.log.warn("fault", { place, reason: text });
    this.#faults.unshift({ atMs: this.#options.nowMs(), place, text });
    if (this.#faults.length > FAULTS_MAX) this.#faults.pop();
  }

  facts(): SourceFacts[] {
    return this.#sources.map((source) => ({ ...source }));
  }

  faults(): readonly FaultFacts[] {
    return this.#faults;
  }
}

/** What one source tells of itself. */
export interface SourceLine {
  /** So many rows or looks came. */
  read(count: number): void;
  /** How it is now: "" when it works. */
  state(fault: string): void;
  /** A fault of one row or look that says nothing of the next. */
  tell(where: string, text: string): void;
  ended(): void;
}
