import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBase64, fromHex, toBase64, toHex } from "../lib/bytes.ts";
import { parseInteger } from "../lib/int.ts";
import type { GenesisDoc } from "../types/application.ts";
import { formatTime, isStorableTime, parseTime } from "../types/time.ts";
import { NodeStartError } from "./errors.ts";
import { writeFileAtomic } from "./files.ts";
import { validatorAddress } from "./validator_key.ts";

/** One validator of a genesis file. */
export interface GenesisValidator {
  /** 32 bytes, ed25519. */
  readonly publicKey: Uint8Array;
  readonly power: bigint;
  readonly name: string;
}

/** Block limits of a genesis file. */
export interface GenesisBlockParams {
  /** Bytes of a whole block, or -1n for CometBFT's own bound of 100 MiB. */
  readonly maxBytes: bigint;
  /** Gas of a whole block, or -1n for no bound. */
  readonly maxGas: bigint;
}

/** A genesis file that has been checked. */
export interface GenesisFile {
  readonly doc: GenesisDoc;
  readonly block: GenesisBlockParams;
  /** Empty: the node's own key is the validator. */
  readonly validators: readonly GenesisValidator[];
  /** The JSON value as it came, what clients get to see. */
  readonly json: unknown;
}

/** Limits of a chain that its genesis does not set. */
export const DEFAULT_BLOCK_PARAMS: GenesisBlockParams = {
  maxBytes: 8_388_608n,
  maxGas: -1n,
};

/** CometBFT's bound of a block, whatever the params say. */
const BLOCK_BYTES_MAX = 104_857_600n;

/** CometBFT's bound of a chain id. */
const CHAIN_ID_LENGTH_MAX = 50;

/** Where the genesis of a home is kept. */
export function genesisPath(home: string): string {
  return join(home, "config", "genesis.json");
}

/** Reads and checks a genesis file. @throws NodeStartError naming path and field. */
export async function readGenesisFile(path: string): Promise<GenesisFile> {
  let body: string;
  try {
    body = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new NodeStartError(`no genesis file at ${path}: run "settled init" first`, { path });
  }
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (error) {
    throw new NodeStartError(`${path}: not JSON: ${(error as Error).message}`, { path });
  }
  return parseGenesis(json, path);
}

/** Writes a genesis file, whole or not at all. */
export async function writeGenesisFile(path: string, json: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(json, undefined, 2)}\n`, 0o644);
}

/**
 * Checks the JSON value of a genesis file.
 * @param path named in errors
 * @throws NodeStartError naming the field, what was expected and what was found
 */
export function parseGenesis(json: unknown, path = "genesis.json"): GenesisFile {
  const at = new FieldReader(path);
  const root = at.object(json, "");
  const chainId = at.text(root["chain_id"], "chain_id");
  if (chainId === "" || chainId.length > CHAIN_ID_LENGTH_MAX) {
    throw at.bad("chain_id", `1 to ${CHAIN_ID_LENGTH_MAX} characters`, chainId);
  }
  const time = at.text(root["genesis_time"], "genesis_time");
  const genesisTime = parseTime(time);
  if (genesisTime === undefined || !isStorableTime(genesisTime)) {
    throw at.bad("genesis_time", "an RFC 3339 time from 1678 to 2262", time);
  }
  const initialHeight = at.integer(root["initial_height"] ?? "1", "initial_height", 0n);
  const appHash = root["app_hash"] ?? "";
  if (typeof appHash !== "string" || fromHex(appHash) === undefined) {
    throw at.bad("app_hash", "hex", appHash);
  }
  const appState = at.object(root["app_state"], "app_state");
  return {
    // CometBFT takes an initial height of 0 as 1.
    doc: { genesisTime, chainId, initialHeight: initialHeight || 1n, appState },
    block: parseBlockParams(root["consensus_params"], at),
    validators: parseValidators(root["validators"], at),
    json,
  };
}

function parseBlockParams(params: unknown, at: FieldReader): GenesisBlockParams {
  if (params === undefined || params === null) return DEFAULT_BLOCK_PARAMS;
  const block = at.object(params, "consensus_params")["block"];
  if (block === undefined) return DEFAULT_BLOCK_PARAMS;
  const limits = at.object(block, "consensus_params.block");
  const bytesAt = "consensus_params.block.max_bytes";
  const maxBytes = at.integer(limits["max_bytes"], bytesAt, -1n);
  if (maxBytes === 0n || maxBytes > BLOCK_BYTES_MAX) {
    throw at.bad(bytesAt, `-1, or 1 to ${BLOCK_BYTES_MAX}`, maxBytes.toString());
  }
  const maxGas = at.integer(limits["max_gas"], "consensus_params.block.max_gas", -1n);
  return { maxBytes, maxGas };
}

function parseValidators(list: unknown, at: FieldReader): GenesisValidator[] {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) throw at.bad("validators", "a list", list);
  const validators = list.map((item: unknown, index): GenesisValidator => {
    const field = `validators[${index}]`;
    const entry = at.object(item, field);
    const key = at.object(entry["pub_key"], `${field}.pub_key`);
    if (key["type"] !== "tendermint/PubKeyEd25519") {
      throw at.bad(`${field}.pub_key.type`, "tendermint/PubKeyEd25519", key["type"]);
    }
    const publicKey = fromBase64(at.text(key["value"], `${field}.pub_key.value`));
    if (publicKey?.length !== 32) {
      throw at.bad(`${field}.pub_key.value`, "32 bytes in base64", key["value"]);
    }
    const address = entry["address"];
    if (address !== undefined && address !== "") {
      const expected = toHex(validatorAddress(publicKey)).toUpperCase();
      if (address !== expected) throw at.bad(`${field}.address`, `${expected} of its key`, address);
    }
    const power = at.integer(entry["power"], `${field}.power`, 1n);
    return { publicKey, power, name: at.text(entry["name"] ?? "", `${field}.name`) };
  });
  // The solo engine signs alone; a set of several is for the engine behind CometBFT.
  if (validators.length > 1) throw at.bad("validators", "at most one validator", list.length);
  return validators;
}

/** Reads fields of untrusted JSON, and says which one is wrong. */
class FieldReader {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  bad(field: string, expected: string, found: unknown): NodeStartError {
    const shown = (JSON.stringify(found) ?? "nothing").slice(0, 200);
    const where = field === "" ? this.#path : `${this.#path}: ${field}`;
    const message = `${where}: expected ${expected}, found ${shown}`;
    return new NodeStartError(message, { path: this.#path, field });
  }

  object(value: unknown, field: string): Record<string, unknown> {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw this.bad(field, "an object", value);
    }
    return value as Record<string, unknown>;
  }

  text(value: unknown, field: string): string {
    if (typeof value !== "string") throw this.bad(field, "a text", value);
    return value;
  }

  /** A 64-bit integer as text (CometBFT's form) or as a number. */
  integer(value: unknown, field: string, min: bigint): bigint {
    const text = Number.isSafeInteger(value) ? String(value) : value;
    const parsed = typeof text === "string" ? parseInteger(text) : undefined;
    if (parsed === undefined || parsed < min || parsed >= 1n << 63n) {
      throw this.bad(field, `an integer from ${min}`, value);
    }
    return parsed;
  }
}

/** The JSON value of a genesis file of these parts, in CometBFT's form. */
export function genesisJson(input: {
  readonly doc: GenesisDoc;
  readonly block?: GenesisBlockParams;
  readonly validators?: readonly GenesisValidator[];
  /** The app hash that an exported state was taken at; empty for a new chain. */
  readonly appHash?: Uint8Array;
}): unknown {
  const { doc, block = DEFAULT_BLOCK_PARAMS, validators = [], appHash } = input;
  return {
    genesis_time: formatTime(doc.genesisTime),
    chain_id: doc.chainId,
    initial_height: doc.initialHeight.toString(),
    consensus_params: consensusParamsJson(block),
    validators: validators.map(({ publicKey, power, name }) => ({
      address: toHex(validatorAddress(publicKey)).toUpperCase(),
      pub_key: { type: "tendermint/PubKeyEd25519", value: toBase64(publicKey) },
      power: power.toString(),
      name,
    })),
    app_hash: appHash === undefined ? "" : toHex(appHash).toUpperCase(),
    app_state: doc.appState,
  };
}

// Evidence, validator, version and abci params have no effect with one validator; clients expect
// them to be there, so they are CometBFT's defaults.
function consensusParamsJson({ maxBytes, maxGas }: GenesisBlockParams): unknown {
  return {
    block: { max_bytes: maxBytes.toString(), max_gas: maxGas.toString() },
    evidence: {
      max_age_num_blocks: "100000",
      max_age_duration: "172800000000000",
      max_bytes: "1048576",
    },
    validator: { pub_key_types: ["ed25519"] },
    version: { app: "0" },
    abci: { vote_extensions_enable_height: "0" },
  };
}
