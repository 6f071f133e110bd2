import { execFile } from "node:child_process";
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { inRoot } from "../architecture/repository.ts";

const VERSION = "v1.9.3";
const INSTALL_MS = 240_000;
const run = promisify(execFile);

/** Where grpcurl is, or why there is none. */
export type Grpcurl = { readonly path: string } | { readonly missing: string };

/**
 * The one on the PATH, else one that Go builds once into the cache of this checkout. Building takes a
 * minute of a processor, so it is for CI and for long runs.
 */
export async function findGrpcurl(): Promise<Grpcurl> {
  const folder = inRoot(".cache", `grpcurl-${VERSION}`);
  for (const path of ["grpcurl", join(folder, "grpcurl")]) {
    if (await runs(path, "-version")) return { path };
  }
  if (!(await runs("go", "version"))) return { missing: "neither grpcurl nor go is on the PATH" };
  if (process.env["CI"] === undefined && process.env["SETTLED_LONG"] !== "1") {
    return {
      missing: "no grpcurl yet; with CI=1 or SETTLED_LONG=1, go builds one for all later runs",
    };
  }
  try {
    await mkdir(folder, { recursive: true });
    const target = `github.com/fullstorydev/grpcurl/cmd/grpcurl@${VERSION}`;
    const env = { ...process.env, GOBIN: folder };
    await run("go", ["install", target], { env, timeout: INSTALL_MS });
    await access(join(folder, "grpcurl"));
    return { path: join(folder, "grpcurl") };
  } catch (error) {
    const { stderr = "" } = error as { stderr?: string };
    const reason = stderr.trim().split("\n").at(-1) ?? "";
    return { missing: `go could not build grpcurl ${VERSION}: ${reason.slice(0, 200)}` };
  }
}

async function runs(path: string, flag: string): Promise<boolean> {
  return run(path, [flag]).then(
    () => true,
    () => false,
  );
}

/** Runs grpcurl without TLS: what it wrote, and its exit code. */
export async function grpcurl(
  path: string,
  args: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await run(path, ["-plaintext", ...args])) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}
