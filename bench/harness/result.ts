import { type Figure, ratioOf, type Sample } from "./figure.ts";
import { median, spread } from "./stats.ts";

/** Above this share, the samples of a figure lie too far apart to be compared. */
export const UNSTABLE_SPREAD = 0.15;

/** A figure with all that was found of it. */
export interface Result {
  readonly figure: Figure;
  readonly samples: readonly Sample[];
  /** Medians; undefined when the figure was not measured. */
  readonly value: number | undefined;
  readonly ratio: number | undefined;
  /** Of the ratios, as a share of their median. */
  readonly spread: number;
  readonly isUnstable: boolean;
  readonly verdict: string;
  /** Why there is no sample, in full. */
  readonly failure?: string;
}

export interface Judging {
  /** Records of the large home. */
  readonly homeRecords: number;
}

/** @param judging `why` says what went wrong, when something did */
export function resultOf(
  figure: Figure,
  samples: readonly Sample[],
  judging: Judging & { readonly why?: string | undefined },
): Result {
  if (samples.length === 0) {
    const failure = judging.why ?? "no sample";
    const nothing = { value: undefined, ratio: undefined, spread: 0, isUnstable: false };
    return { figure, samples, ...nothing, verdict: `not measured: ${firstLine(failure)}`, failure };
  }
  const ratios = samples.map((sample) => ratioOf(figure, sample));
  const value = median(samples.map((sample) => sample.value));
  const ratio = median(ratios);
  const width = spread(ratios);
  const verdict = verdictOf(figure, { value, ratio }, judging);
  const isUnstable = width > UNSTABLE_SPREAD;
  const found = { figure, samples, value, ratio, spread: width, isUnstable };
  if (judging.why === undefined) return { ...found, verdict };
  return { ...found, verdict: `ended early: ${firstLine(judging.why)}`, failure: judging.why };
}

function firstLine(text: string): string {
  return text.replace(/^Error: /, "").split("\n")[0] ?? "";
}

function verdictOf(
  { target, better, atMillion }: Figure,
  found: { readonly value: number; readonly ratio: number },
  { homeRecords }: Judging,
): string {
  if (target === undefined) return "";
  if (atMillion === true && homeRecords < 1_000_000) return `at ${homeRecords} records`;
  const share = found[target.of] / target.bound;
  const isGood = better === "higher" ? share >= 1 : share <= 1;
  if (isGood) return "ok";
  const percent = Math.ceil(100 * Math.abs(1 - share));
  return better === "higher" ? `missed by ${percent} %` : `over by ${percent} %`;
}
