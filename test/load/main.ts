import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeDevHome } from "../../src/cli/commands/init.ts";
import { chainFigures, type ChainFigures, latestHeight } from "./blocks.ts";
import { type LoadNode, startLoadNode } from "./node.ts";
import { RoleProcess, residentMib } from "./processes.ts";
import { type Phase, problemsOf, tableOf } from "./report.ts";
import type { LoadOptions, RoleFigures, RoleName } from "./roles.ts";

const WARM_UP_MS = 3000;

/** @returns the exit code: 1 when a limit was not kept */
export async function main(options: LoadOptions, cli: string): Promise<number> {
  const home = await mkdtemp(join(tmpdir(), "settled-load-"));
  const note = (text: string) => void process.stderr.write(`${text}\n`);
  let node: LoadNode | undefined;
  const roles: [RoleName, RoleProcess][] = [];
  try {
    await makeDevHome(home, new Date(Date.now() - 60_000).toISOString());
    node = await startLoadNode(cli, home, options);
    const { report } = node;
    const start = async (role: RoleName) => {
      const input = { role, rpc: report.endpoints.rpc, report, options };
      roles.push([role, await RoleProcess.start(input)]);
    };
    for (const role of ["payer", "subscribers", "clients"] as const) await start(role);
    note(`${options.subscribers} subscribers, ${options.clients} clients`);
    const usual = await measure("usual", node, roles, options.seconds);
    await start("attacker");
    note("and one client that sends the worst");
    const hostile = await measure("with attacker", node, roles, options.seconds);
    process.stdout.write(`${tableOf([usual, hostile])}\n`);
    const problems = problemsOf(usual, hostile);
    for (const problem of problems) process.stdout.write(`not kept: ${problem}\n`);
    return problems.length === 0 ? 0 : 1;
  } finally {
    for (const [, role] of roles) await role.end();
    await node?.stop();
    await rm(home, { recursive: true, force: true });
  }
}

async function measure(
  name: string,
  { report, pid }: LoadNode,
  roles: readonly [RoleName, RoleProcess][],
  seconds: number,
): Promise<Phase> {
  const { rpc } = report.endpoints;
  await sleep(WARM_UP_MS);
  const from = await latestHeight(rpc);
  for (const [, role] of roles) role.reset();
  const began = performance.now();
  let rssMib = 0;
  while (performance.now() - began < seconds * 1000) {
    await sleep(500);
    rssMib = Math.max(rssMib, residentMib(pid) ?? 0);
  }
  const took = (performance.now() - began) / 1000;
  const figures: [RoleName, RoleFigures][] = [];
  for (const [role, process] of roles) figures.push([role, await process.figures()]);
  const to = await latestHeight(rpc);
  const chain: ChainFigures = await chainFigures(rpc, from, to);
  return { name, figures: Object.fromEntries(figures), chain, rssMib, seconds: took };
}
