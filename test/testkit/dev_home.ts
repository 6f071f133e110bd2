import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { cli } from "../unit/cli/fake_io.ts";

interface HomeFile {
  readonly path: string;
  readonly mode: number;
  readonly bytes: Uint8Array;
}

const homes = new Map<string, Promise<readonly HomeFile[]>>();

/**
 * Writes the home of a dev chain, as `settled init --dev` makes it. Keys and genesis are made once
 * and then copied: deriving them is most of what a short test of a home would cost.
 * @param flags of `settled init`
 * @throws Error with what the command said
 */
export async function writeDevHome(home: string, ...flags: string[]): Promise<void> {
  const key = flags.join(" ");
  const files = homes.get(key) ?? madeBy(flags);
  homes.set(key, files);
  for (const { path, mode, bytes } of await files) {
    await mkdir(dirname(join(home, path)), { recursive: true });
    await writeFile(join(home, path), bytes, { mode });
  }
}

async function madeBy(flags: readonly string[]): Promise<HomeFile[]> {
  const home = await mkdtemp(join(tmpdir(), "settled-home-"));
  try {
    const { exit, stderr } = await cli(["init", "--dev", "--home", home, ...flags]);
    if (exit !== 0) throw new Error(stderr);
    const names = await readdir(home, { recursive: true, withFileTypes: true });
    return await Promise.all(
      names
        .filter((entry) => entry.isFile())
        .map(async ({ parentPath, name }) => {
          const file = join(parentPath, name);
          const { mode } = await stat(file);
          return { path: file.slice(home.length + 1), mode, bytes: await readFile(file) };
        }),
    );
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
