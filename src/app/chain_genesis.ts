import { fieldError } from "../baseapp/genesis_error.ts";
import { parseInteger, toSafeNumber } from "../lib/int.ts";
import { DEFAULT_DEPTH, DEPTH_MAX, DEPTH_MIN } from "../store/commitment.ts";
import { DEFAULT_BECH32_PREFIX } from "../types/address.ts";
import { isDenom } from "../types/denom.ts";

/** What genesis says of the chain itself: app_state.chain. */
export interface ChainGenesis {
  readonly bech32Prefix: string;
  readonly bondDenom: string;
  /** A dev chain: dev accounts, plain keyrings and control of time are allowed. */
  readonly dev: boolean;
  /** Depth of the state's Merkle tree. */
  readonly commitmentDepth: number;
  /** Gas that all txs of a block may want together. */
  readonly blockGasMax: bigint;
}

/** 20,000 usage records in batches of 100 want about 100 million. */
export const DEFAULT_BLOCK_GAS_MAX = 200_000_000n;

const FIELDS = ["bech32_prefix", "bond_denom", "dev", "commitment_depth", "block_gas_max"];

/** @throws ChainError genesis/2 naming the field at fault. */
export function parseChainGenesis(json: unknown): ChainGenesis {
  const given = (json ?? {}) as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(given)) {
    if (!FIELDS.includes(name)) throw fieldError(`chain.${name}`, "unknown field");
  }
  return {
    bech32Prefix: prefix(given["bech32_prefix"] ?? DEFAULT_BECH32_PREFIX),
    bondDenom: denom(given["bond_denom"] ?? "uve"),
    dev: flag(given["dev"] ?? false),
    commitmentDepth: depth(given["commitment_depth"] ?? DEFAULT_DEPTH),
    blockGasMax: gas(given["block_gas_max"] ?? DEFAULT_BLOCK_GAS_MAX.toString()),
  };
}

export function chainGenesisJson(chain: ChainGenesis): unknown {
  return {
    bech32_prefix: chain.bech32Prefix,
    bond_denom: chain.bondDenom,
    dev: chain.dev,
    commitment_depth: chain.commitmentDepth,
    block_gas_max: chain.blockGasMax.toString(),
  };
}

function prefix(value: unknown): string {
  if (typeof value === "string" && /^[a-z]{1,20}$/.test(value)) return value;
  throw fieldError("chain.bech32_prefix", "expected 1 to 20 lower-case letters");
}

function denom(value: unknown): string {
  if (typeof value === "string" && isDenom(value)) return value;
  throw fieldError("chain.bond_denom", "expected a denom such as uve");
}

function flag(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw fieldError("chain.dev", "expected true or false");
}

function depth(value: unknown): number {
  const known = typeof value === "number" && value % 1 === 0;
  if (known && value >= DEPTH_MIN && value <= DEPTH_MAX) return value;
  throw fieldError(
    "chain.commitment_depth",
    `expected an integer from ${DEPTH_MIN} to ${DEPTH_MAX}`,
  );
}

function gas(value: unknown): bigint {
  const parsed = typeof value === "string" ? parseInteger(value) : undefined;
  if (parsed !== undefined && parsed > 0n && toSafeNumber(parsed) > 0) return parsed;
  throw fieldError("chain.block_gas_max", "expected a positive integer as text");
}
