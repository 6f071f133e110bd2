import type { Command } from "commander";
import type { Signer } from "../client/signer.ts";
import { answers, controlPath } from "../provider/daemon/control.ts";
import type { Desk } from "../provider/daemon/desk.ts";
import {
  outboxFolder,
  type ProviderSettings,
  readSettings,
  settingsPath,
} from "../provider/daemon/settings.ts";
import { CliError, usageError } from "./cli_error.ts";
import { type Context, openKeyring } from "./context.ts";
import { EXIT } from "./exit_codes.ts";
import { chainOfGenesis } from "./home.ts";
import { stat } from "node:fs/promises";

export interface ConfigFlags {
  readonly config?: string | undefined;
  readonly node?: string | undefined;
}

/** Adds `--config`. */
export function withConfigFlag(command: Command): Command {
  return command.option(
    "--config <file>",
    "settings of the daemon (default: provider/provider.yaml of the home)",
  );
}

/**
 * The settings of the daemon of a home; `--node` and SETTLED_NODE stand before its list of nodes.
 * @throws ProviderError `no_config`, `bad_config`, `bad_prices`
 */
export async function providerSettings(
  { home, io }: Context,
  flags: ConfigFlags,
): Promise<{ settings: ProviderSettings; file: string }> {
  const file = flags.config ?? settingsPath(home);
  const settings = await readSettings(file);
  const node = flags.node ?? io.env["SETTLED_NODE"] ?? "";
  return { settings: node === "" ? settings : { ...settings, nodes: [node] }, file };
}

/** The books of the daemon of a home: of the one that runs, else of the files that it left. */
export async function openDesk({ home }: Context): Promise<Desk & { readonly isLive: boolean }> {
  const path = controlPath(home);
  if (await answers(path)) {
    const { RemoteDesk } = await import("../provider/daemon/remote_desk.ts");
    return Object.assign(new RemoteDesk(path), { isLive: true });
  }
  const folder = outboxFolder(home);
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    throw new CliError(EXIT.notFound, "no_outbox", `no daemon has run in ${home} yet`, {
      hint: "settled provider init, then settled provider start; --home DIR names another home",
    });
  }
  const [{ OutboxDesk }, { openOutbox }] = await Promise.all([
    import("../provider/daemon/desk.ts"),
    import("../provider/outbox/level_outbox.ts"),
  ]);
  const outbox = await openOutbox(folder);
  return Object.assign(new OutboxDesk({ outbox, nowMs: () => Date.now() }), { isLive: false });
}

/** Does something at the desk, and closes it. */
export async function atDesk<T>(context: Context, work: (desk: Desk) => Promise<T>): Promise<T> {
  const desk = await openDesk(context);
  try {
    return await work(desk);
  } finally {
    await desk.close();
  }
}

/**
 * The provider's key, opened, and the chain that it is for, where that is known.
 * @throws CliError for an unknown key, a wrong password, a plain-text key on a real chain
 */
export async function providerSigner(
  context: Context,
  settings: ProviderSettings,
): Promise<{ signer: Signer; chainId: string | undefined }> {
  const { name, keyring: backend, passwordFile } = settings.key;
  const keyringBackend = backend === "auto" ? undefined : backend;
  const { keyring, chain } = await openKeyring(context, { keyringBackend, passwordFile });
  const signer = await keyring.signer(name);
  if (keyring.backend !== "test") return { signer, chainId: settings.chainId };
  if (chain.dev) return { signer, chainId: settings.chainId ?? chain.chainId };
  return { signer, chainId: settings.chainId ?? (await devChainId(settings)) };
}

/** The chain of the nodes, which must be a dev chain: the test keyring keeps keys in plain text. */
async function devChainId({ nodes }: ProviderSettings): Promise<string> {
  const { Client } = await import("../client/client.ts");
  const client = await Client.connect(nodes[0] as string);
  const { genesis } = (await client.rpc.call("genesis")) as { genesis?: unknown };
  if (chainOfGenesis(genesis ?? {}).dev) return client.chainId;
  const rule = `the test keyring keeps keys in plain text, and ${client.chainId} is no dev chain`;
  throw usageError(rule, "use the file keyring: key.keyring: file in provider.yaml");
}
