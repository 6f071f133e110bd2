import { Command } from "commander";
import type { Finding } from "../../provider/daemon/doctor.ts";
import { type ProviderSettings, providerFolder } from "../../provider/daemon/settings.ts";
import { ProviderError } from "../../provider/errors.ts";
import { CliError, describeError } from "../cli_error.ts";
import { type Context, contextOf, openKeyring, withNodeFlag } from "../context.ts";
import { EXIT } from "../exit_codes.ts";
import { examples } from "../help.ts";
import type { Io } from "../io.ts";
import { toJson } from "../output.ts";
import { type ConfigFlags, openDesk, providerSettings, withConfigFlag } from "../provider_home.ts";

const MARKS: Readonly<Record<Finding["status"], string>> = {
  ok: "ok  ",
  warn: "warn",
  fail: "FAIL",
};

/** `settled provider doctor` */
export function providerDoctorCommand(io: Io): Command {
  const command = new Command("doctor").description(
    "check settings, key, nodes, clock, funds, disk, kernel, orders and what is stuck",
  );
  return withConfigFlag(withNodeFlag(command))
    .addHelpText("after", examples("provider doctor", "provider doctor -o json"))
    .action(async (flags: ConfigFlags, self: Command) => {
      const context = contextOf(io, self);
      const found: Finding[] = [];
      for await (const finding of findings(context, flags)) {
        found.push(finding);
        if (context.format === "text") io.out(lineOf(finding));
      }
      if (context.format === "json") io.out(`${toJson(found)}\n`);
      const failed = found.filter(({ status }) => status === "fail").length;
      if (failed === 0) return;
      throw new CliError(EXIT.other, "unfit", `${failed} checks failed`);
    });
}

function lineOf({ status, check, text, advice }: Finding): string {
  const next = advice === "" ? "" : `      next: ${advice}\n`;
  return `${MARKS[status]}  ${check}: ${text}\n${next}`;
}

async function* findings(context: Context, flags: ConfigFlags): AsyncGenerator<Finding> {
  const config = await load(context, flags);
  yield config.finding;
  if (config.settings === undefined) return;
  const key = await findKey(context, config.settings);
  yield key.finding;
  const { diagnose } = await import("../../provider/daemon/doctor.ts");
  const desk = await openDesk(context).catch((error: unknown) => {
    if (error instanceof CliError && error.code === "no_outbox") return undefined;
    throw error;
  });
  try {
    const folder = providerFolder(context.home);
    const { settings } = config;
    yield* diagnose({ settings, address: key.address, folder, desk, nowMs: Date.now() });
  } finally {
    await desk?.close();
  }
}

async function load(
  context: Context,
  flags: ConfigFlags,
): Promise<{ finding: Finding; settings?: ProviderSettings }> {
  try {
    const { settings, file } = await providerSettings(context, flags);
    const text = `${file}: ${settings.workloads.length} workloads, ${settings.feeds.length} feeds`;
    return { finding: { check: "config", status: "ok", text, advice: "" }, settings };
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    const advice = "correct the file; docs/provider.schema.json lets editors check it";
    return { finding: { check: "config", status: "fail", text: error.message, advice } };
  }
}

async function findKey(
  context: Context,
  { key }: ProviderSettings,
): Promise<{ finding: Finding; address: string }> {
  const keyringBackend = key.keyring === "auto" ? undefined : key.keyring;
  try {
    const { keyring } = await openKeyring(context, { keyringBackend });
    const { address, name } = await keyring.find(key.name);
    const text = `${name} of the ${keyring.backend} keyring is ${address}`;
    return { finding: { check: "key", status: "ok", text, advice: "" }, address };
  } catch (error) {
    const { message, hint = "name another key under key.name" } = describeError(error);
    return { finding: { check: "key", status: "fail", text: message, advice: hint }, address: "" };
  }
}
