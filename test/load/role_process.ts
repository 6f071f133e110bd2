import process from "node:process";
import { Attacker } from "./attacker.ts";
import { Clients } from "./clients.ts";
import { Txs } from "./payer.ts";
import type { Role, RoleInput, RoleName } from "./roles.ts";
import { Subscribers } from "./subscribers.ts";

// A process of the load: it is told what to be, and then to forget or to tell what it has seen.

const STARTS: Readonly<Record<RoleName, (input: RoleInput) => Promise<Role>>> = {
  subscribers: (input) => Subscribers.start(input),
  clients: (input) => Clients.start(input),
  payer: (input) => Txs.start(input),
  attacker: (input) => Attacker.start(input),
};

let role: Role | undefined;

process.on("message", (message: RoleInput | "reset" | "figures") => {
  if (message === "reset") role?.reset();
  else if (message === "figures") process.send?.(role?.figures());
  else void start(message);
});
process.on("disconnect", () => process.exit(0));

async function start(input: RoleInput): Promise<void> {
  role = await STARTS[input.role](input);
  process.send?.("ready");
}
