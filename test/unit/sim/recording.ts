import fc from "fast-check";
import { txOutcome } from "../../../src/codec/recorded_tx.ts";
import { toHex } from "../../../src/lib/bytes.ts";
import { consensusHash } from "../../../src/node/comet/consensus_hash.ts";
import { resultsHash } from "../../../src/node/comet/results_hash.ts";
import { validatorsHash } from "../../../src/node/comet/validators_hash.ts";
import { nativeHasher } from "../../../src/node/crypto_native.ts";
import { buildBlock } from "../../../src/node/engine/build_block.ts";
import { type GenesisFile, genesisJson, parseGenesis } from "../../../src/node/genesis_file.ts";
import type { RecordedBlock } from "../../../src/node/recorded_blocks.ts";
import { newSigningKey } from "../../../src/node/validator_key.ts";
import type { StoredBlock } from "../../../src/node/view.ts";
import type { BlockOutput } from "../../../src/types/application.ts";
import { randomBlocks, World } from "../../property/operations.ts";
import { customer, provider } from "../../testkit/accounts.ts";
import { openChain, type TestChain } from "../../testkit/chain.ts";
import { msg } from "../../testkit/messages.ts";

/** A chain as it was run, with everything that a node would keep of it. */
export interface Recording {
  readonly genesis: GenesisFile;
  readonly blocks: readonly RecordedBlock[];
  /** Upper-case hex. */
  readonly appHash: string;
  /** What the recorded chain holds, as canonical JSON. */
  readonly state: string;
}

/** Orders, usage, settlements and failures at random, always the same; then what `more` does. */
export async function recordChain(
  more: (chain: TestChain) => Promise<unknown> = async () => undefined,
): Promise<Recording> {
  const chain = await openChain({ extended: { auto_settle_after: "5000" } });
  const genesisHash = chain.app.info().appHash;
  const outputs = outputsOf(chain);
  const [blocks = []] = fc.sample(randomBlocks(60), { numRuns: 1, seed: 11 });
  const world = new World(chain);
  await world.open();
  for (const block of blocks) await world.run(block);
  await chain.block();
  const send = msg.send(customer, provider.address, "5uve");
  await chain.block(await chain.tx([send]), await chain.tx([send], { mode: "amino-json" }));
  await more(chain);
  return {
    genesis: parseGenesis(genesisJson({ doc: chain.genesis })),
    blocks: recordedBlocks(chain, genesisHash, outputs),
    appHash: chain.appHash.toUpperCase(),
    state: await chain.exported(),
  };
}

function outputsOf(chain: TestChain): BlockOutput[] {
  const outputs: BlockOutput[] = [];
  const run = chain.block.bind(chain);
  chain.block = async (...txs) => {
    const output = await run(...txs);
    outputs.push(output);
    return output;
  };
  return outputs;
}

function recordedBlocks(
  chain: TestChain,
  genesisHash: Uint8Array,
  outputs: readonly BlockOutput[],
): RecordedBlock[] {
  const key = newSigningKey();
  const validators = [{ address: new Uint8Array(20), publicKey: key.publicKey, power: 10n }];
  const identity = {
    ...{ chainId: chain.genesis.chainId, key },
    validatorsHash: validatorsHash(validators),
    consensusHash: consensusHash({ maxBytes: -1n, maxGas: -1n }),
  };
  let last: StoredBlock | undefined;
  let [appHash, lastResultsHash] = [genesisHash, resultsHash([])];
  return chain.blocks.map(({ height, time, txs }, at): RecordedBlock => {
    const output = outputs[at] as BlockOutput;
    const hashed = txs.map((tx) => ({ tx, hash: nativeHasher.sha256(tx) }));
    const below = { last, appHash, lastResultsHash };
    const block = buildBlock({ chain: identity, height, time, txs: hashed, ...below });
    last = block;
    appHash = output.appHash;
    lastResultsHash = resultsHash(output.txResults);
    const { txs: _, ...record } = block;
    return {
      record: { ...record, txCount: txs.length },
      txs: txs.map((bytes, index) => {
        const result = output.txResults[index];
        if (result === undefined) throw new Error("a tx without a result");
        return { bytes, outcome: txOutcome(result) };
      }),
      outcome: { events: output.events, appHash: output.appHash },
    };
  });
}

/** A list as a source of blocks. */
export async function* from<T>(list: readonly T[]): AsyncGenerator<T> {
  yield* list;
}

export function upperHex(bytes: Uint8Array): string {
  return toHex(bytes).toUpperCase();
}
