import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { withBuildLock } from "./build_lock.mjs";
import { inRoot, UserError } from "./root.mjs";
import { runTool } from "./run.mjs";

/**
 * Compiles src and a folder beside it together, so that no other state of dist is tested.
 * SETTLED_NO_BUILD=1 takes what was compiled before.
 * @param folder such as "test/fuzz"; it has a main.ts, and a tsconfig.json that names the same output
 * @returns the path of the compiled main.js
 * @throws UserError with what the compiler says
 */
export async function buildProgram(folder) {
  const out = inRoot("node_modules", ".cache", "settled", basename(folder));
  const main = join(out, folder, "main.js");
  if (process.env.SETTLED_NO_BUILD === "1") return main;
  await withBuildLock(async () => {
    mkdirSync(out, { recursive: true });
    // Without it Node takes files below node_modules for CommonJS.
    copyFileSync(inRoot("package.json"), join(out, "package.json"));
    const info = join(out, ".tsbuildinfo");
    if (!existsSync(main)) rmSync(info, { force: true });
    const project = ["-p", `${folder}/tsconfig.json`];
    const args = [...project, "--incremental", "--tsBuildInfoFile", info];
    const { code, output } = await runTool("typescript/bin/tsc", args, { capture: true });
    if (code !== 0) throw new UserError(`the build failed:\n${output.trimEnd()}`);
  });
  return main;
}
