import { plain, sides } from "./difference.ts";
import type { Model } from "./model/model.ts";
import { type Facts, type Kind, type Params, snake } from "./model/records.ts";

/** Names in genesis of the numbers that records get. */
const SEQUENCES: Readonly<Record<string, Kind>> = {
  ...{ escrow: "escrow", usage: "usage", settlement: "settlement", distribution: "distribution" },
  ...{ payout: "payout", invoice: "invoice", reward_entry: "entry", credit_note: "creditNote" },
  ...{ dispute: "dispute", refund: "refund", receivable: "receivable" },
};

/** Names in genesis of what is compared here. */
export const ONCE = [
  ...["params", "extended_params", "params_version", "pending_params", "sequences"],
  ...["epoch_mint", "epoch_base", "taxes_withdrawn"],
  ...["platform_fees_withdrawn", "validator_fees_withdrawn"],
];

/** Compares what an export has once: params, the next numbers, epochs and fees withdrawn. */
export function differenceOfOnce(model: Model, settlement: Facts): string | undefined {
  const pending = (settlement["pending_params"] ?? {}) as Facts;
  const of = (half: string, from: Facts) => (from[half] ?? {}) as Facts;
  const withdrawn = (account: string) => model.withdrawn[account] ?? [];
  const numbers = (settlement["sequences"] ?? {}) as Facts;
  const { epoch, height } = model.epochBase;
  const pairs: [name: string, ours: unknown, theirs: unknown][] = [
    ...pairsOf(model.params, { ...of("params", settlement), ...of("extended_params", settlement) }),
    ...(model.pending === undefined
      ? [["pending params", undefined, settlement["pending_params"]] as [string, unknown, unknown]]
      : pairsOf(model.pending, { ...of("params", pending), ...of("extended_params", pending) })),
    ["height of pending params", model.pending && model.height, pending["proposed_height"]],
    ["params version", model.version, settlement["params_version"]],
    ["epoch mint", model.epochMint, settlement["epoch_mint"]],
    ["epoch base", { epoch, height }, settlement["epoch_base"]],
    ["platform fees withdrawn", withdrawn("platform_fee"), settlement["platform_fees_withdrawn"]],
    [
      "validator fees withdrawn",
      withdrawn("validator_fee"),
      settlement["validator_fees_withdrawn"],
    ],
    ["taxes withdrawn", withdrawn("tax"), settlement["taxes_withdrawn"]],
  ];
  for (const [name, kind] of Object.entries(SEQUENCES)) {
    pairs.push([`next ${name}`, model.tables[kind].length + 1, numbers[name]]);
  }
  for (const [name, ours, theirs] of pairs) {
    // The default of an empty rate is not 0.
    const areAlike = typeof ours === "string" ? ours === theirs : plain(ours) === plain(theirs);
    if (!areAlike) return `${name}: ${sides(plain(ours), plain(theirs))}`;
  }
  return undefined;
}

function pairsOf(params: Params, found: Facts): [string, unknown, unknown][] {
  return Object.entries(params).map(([key, value]) => [snake(key), value, found[snake(key)]]);
}
