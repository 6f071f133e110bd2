import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { toHex } from "../../../src/lib/bytes.ts";
import { configPath, readConfig, resolveConfig, writeConfig } from "../../../src/node/config.ts";
import { genesisJson, parseGenesis } from "../../../src/node/genesis_file.ts";
import { loadNodeKey, nodeIdOf } from "../../../src/node/node_key.ts";
import {
  loadValidatorKey,
  newSigningKey,
  validatorAddress,
} from "../../../src/node/validator_key.ts";
import { parseTime, type TimeNs } from "../../../src/types/time.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settled-files-"));
});

afterEach(async () => rm(folder, { recursive: true, force: true }));

describe("key files", () => {
  test("of the validator are made once, for the owner only, and read again", async () => {
    const path = join(folder, "config", "priv_validator_key.json");
    const made = await loadValidatorKey(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const read = await loadValidatorKey(path);
    expect(toHex(read.seed)).toBe(toHex(made.seed));
    const json = JSON.parse(await readFile(path, "utf8"));
    expect(json.address).toBe(toHex(validatorAddress(made.publicKey)).toUpperCase());
    expect(json.pub_key.type).toBe("tendermint/PubKeyEd25519");
    expect(json.priv_key.type).toBe("tendermint/PrivKeyEd25519");
  });

  test("of the node give its id", async () => {
    const path = join(folder, "node_key.json");
    const made = await loadNodeKey(path);
    expect(nodeIdOf(await loadNodeKey(path))).toBe(nodeIdOf(made));
  });

  test.each([
    { content: "{", problem: "expected a JSON object" },
    { content: "{}", problem: "priv_key: expected type tendermint/PrivKeyEd25519" },
    {
      content: '{"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"AAAA"}}',
      problem: "priv_key: expected 64 bytes in base64",
    },
    {
      content: `{"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"${"A".repeat(86)}=="}}`,
      problem: "priv_key: its two halves do not belong together",
    },
  ])("with a mistake are refused: $problem", async ({ content, problem }) => {
    const path = join(folder, "key.json");
    await writeFile(path, content);
    await expect(loadValidatorKey(path)).rejects.toThrow(problem);
    await expect(loadNodeKey(path)).rejects.toThrow(path);
  });
});

describe("genesis", () => {
  const key = newSigningKey();
  const doc = {
    genesisTime: parseTime("2025-03-01T10:00:00.5Z") as TimeNs,
    chainId: "settled-1",
    initialHeight: 5n,
    appState: { bank: { balances: [] } },
  };
  const validators = [{ publicKey: key.publicKey, power: 10n, name: "me" }];
  const json = genesisJson({ doc, validators, block: { maxBytes: -1n, maxGas: 7n } });

  test("reads what it writes", () => {
    const read = parseGenesis(JSON.parse(JSON.stringify(json)));
    expect(read.doc).toEqual(doc);
    expect(read.block).toEqual({ maxBytes: -1n, maxGas: 7n });
    expect(read.validators).toEqual(validators);
  });

  test("may leave out what has a default", () => {
    const small = { chain_id: "a-1", genesis_time: "2025-01-01T00:00:00Z", app_state: {} };
    const { doc: read, block, validators: named } = parseGenesis(small);
    expect(read.initialHeight).toBe(1n);
    expect(block).toEqual({ maxBytes: 8_388_608n, maxGas: -1n });
    expect(named).toEqual([]);
  });

  test.each([
    { change: { chain_id: "" }, problem: 'chain_id: expected 1 to 50 characters, found ""' },
    { change: { chain_id: undefined }, problem: "chain_id: expected a text, found nothing" },
    {
      change: { genesis_time: "today" },
      problem: 'genesis_time: expected an RFC 3339 time from 1678 to 2262, found "today"',
    },
    {
      change: { initial_height: "-1" },
      problem: 'initial_height: expected an integer from 0, found "-1"',
    },
    { change: { app_state: [] }, problem: "app_state: expected an object, found []" },
    { change: { app_hash: "xyz" }, problem: 'app_hash: expected hex, found "xyz"' },
    {
      change: { consensus_params: { block: { max_bytes: "0", max_gas: "-1" } } },
      problem: "consensus_params.block.max_bytes: expected -1, or 1 to 104857600",
    },
    {
      change: { consensus_params: { block: { max_bytes: "1", max_gas: "-2" } } },
      problem: "consensus_params.block.max_gas: expected an integer from -1",
    },
    {
      change: { validators: [{ pub_key: { type: "tendermint/PubKeySecp256k1" } }] },
      problem: "validators[0].pub_key.type: expected tendermint/PubKeyEd25519",
    },
    { change: { validators: [1, 2] }, problem: "validators[0]: expected an object, found 1" },
  ])("names the field at fault: $problem", ({ change, problem }) => {
    expect(() => parseGenesis({ ...(json as object), ...change }, "g.json")).toThrow(
      `g.json: ${problem}`,
    );
  });
});

describe("config", () => {
  test("has flags over the file over defaults", async () => {
    await writeConfig(folder, resolveConfig({}));
    const file = JSON.parse(await readFile(configPath(folder), "utf8"));
    file.rpc_port = 1000;
    file.grpc_port = 1001;
    await writeFile(configPath(folder), JSON.stringify(file));
    const config = await readConfig(folder, { grpcPort: "0", corsOrigins: "http://a,http://b" });
    expect(config).toMatchObject({
      rpcPort: 1000,
      grpcPort: 0,
      restPort: 1317,
      blockMode: "mixed",
    });
    expect(config.corsOrigins).toEqual(["http://a", "http://b"]);
  });

  test("a free port for the RPC is one for every port without a flag of its own", async () => {
    const ports = async (flags: object) => {
      const { rpcPort, grpcPort, restPort, metricsPort } = await readConfig(folder, flags);
      return [rpcPort, grpcPort, restPort, metricsPort];
    };
    expect(await ports({ rpcPort: "0", restPort: "1317" })).toEqual([0, 0, 1317, 0]);
    expect(await ports({ rpcPort: "26657" })).toEqual([26_657, 9090, 1317, 26_660]);
  });

  test("needs no file", async () => {
    expect(await readConfig(folder)).toEqual(resolveConfig({}));
  });

  test.each([
    { file: { rcp_port: 1 }, problem: 'unknown key "rcp_port"; known keys: moniker' },
    {
      file: { rpc_port: 70_000 },
      problem: '"rpc_port": expected a whole number from 0 to 65535, found 70000',
    },
    { file: { rpc_port: 1.5 }, problem: "found 1.5" },
    {
      file: { block_mode: "fast" },
      problem: 'expected "mixed" or "instant" or "interval" or "manual", found "fast"',
    },
    {
      file: { minimum_gas_price: "uve" },
      problem: '"minimum_gas_price": expected an amount and a denom',
    },
    { file: [], problem: "expected a JSON object" },
  ])("refuses $problem", ({ file, problem }) => {
    expect(() => resolveConfig(file)).toThrow(problem);
  });

  test("names the flag at fault", () => {
    expect(() => resolveConfig({}, { blockIntervalMs: "soon" })).toThrow(
      '--block-interval-ms: expected a whole number from 1 to 3600000, found "soon"',
    );
  });
});
