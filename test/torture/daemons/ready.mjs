// Readies a try: an order with an escrow of its own, and a file of four windows that was metered.
//
//   node ready.mjs FOLDER NAME KEYRING      node: SETTLED_NODE
//
// Keys: provider-1 and customer-1 of a test keyring; the provider's is left in FOLDER for the daemon.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Client } from "../../../dist/client/client.js";
import {
  activateEscrow,
  createEscrow,
  readCreateEscrow,
} from "../../../dist/client/settlement_msgs.js";
import { signerFromPrivateKey } from "../../../dist/client/signer.js";
import { buildTx } from "../../../dist/client/tx_builder.js";

const [folder, order, keyring] = process.argv.slice(2);

const keyOf = (name) => JSON.parse(readFileSync(join(keyring, `${name}.json`), "utf8")).privateKey;
const signerOf = (key) => signerFromPrivateKey(Buffer.from(key, "hex"), "ve");
const key = keyOf("provider-1");
writeFileSync(join(folder, "key"), key);
const client = await Client.connect(process.env["SETTLED_NODE"]);
const provider = signerOf(key);
const customer = signerOf(keyOf("customer-1"));

async function send(message) {
  const { accountNumber, sequence } = await client.account(customer.address);
  const tx = buildTx({
    ...{ signer: customer, chainId: client.chainId, accountNumber, sequence },
    messages: [message],
    fee: { amount: [{ denom: "uve", amount: "5000" }], gasLimit: 200_000n },
  });
  const { hash, code, log } = await client.broadcastSync(tx);
  if (code !== 0) throw new Error(log);
  const { code: failed, log: why, responses } = await client.waitForTx(hash);
  if (failed !== 0) throw new Error(why);
  return responses[0].value;
}

const sender = customer.address;
const amount = [{ denom: "uve", amount: "10000000" }];
const created = await send(createEscrow({ sender, orderId: order, amount, expiresIn: 2_592_000n }));
const { escrowId } = readCreateEscrow(created);
const recipient = provider.address;
await send(activateEscrow({ sender, escrowId, leaseId: "lease-1", recipient }));

const HOUR = 3600;
const from = Math.floor(Date.now() / 1000) - 6 * HOUR;
const rows = [1, 2, 3, 4].map((place) => ({
  ...{ job: "job", order, lease: "lease-1" },
  ...{ start: from + place * HOUR, end: from + (place + 1) * HOUR },
  ...{ cpu_milliseconds: place * 3_600_000, memory_byte_seconds: 0, storage_byte_seconds: 0 },
  ...{ gpu_seconds: 0, network_bytes_in: 0, network_bytes_out: 0 },
}));
const text = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
writeFileSync(join(folder, "metered.ndjson"), text);
