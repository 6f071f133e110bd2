import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openFileKeyring } from "../../../src/cli/keyring/file_keyring.ts";
import { passwordSource } from "../../../src/cli/keyring/password.ts";
import { openTestKeyring } from "../../../src/cli/keyring/test_keyring.ts";
import { signerFromMnemonic } from "../../../src/client/signer.ts";
import { cli, fakeIo } from "./fake_io.ts";

const MNEMONIC =
  "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
const KEY = Uint8Array.from({ length: 32 }, (_, index) => index + 1);

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "settled-keys-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

function fileKeyring(password: string) {
  const source = passwordSource(fakeIo({ env: { SETTLED_KEYRING_PASSWORD: password } }), undefined);
  return openFileKeyring(join(home, "keyring-file"), "ve", source);
}

describe("test keyring", () => {
  test("keeps a key, its role and its mnemonic, in a file of mode 0600", async () => {
    const directory = join(home, "keyring-test");
    const keyring = openTestKeyring(directory, "ve");
    const added = await keyring.add({ name: "a.b-c", privateKey: KEY, mnemonic: "x", role: "r" });
    expect(await keyring.find("a.b-c")).toEqual(added);
    expect(await keyring.find(added.address)).toEqual(added);
    expect(await keyring.secret("a.b-c")).toEqual({ privateKey: KEY, mnemonic: "x" });
    expect((await keyring.signer("a.b-c")).address).toBe(added.address);
    const [file] = await readdir(directory);
    expect((await stat(join(directory, file ?? ""))).mode & 0o777).toBe(0o600);
  });

  test("refuses a second key of a name, a bad name and an unknown one", async () => {
    const keyring = openTestKeyring(home, "ve");
    const key = { privateKey: KEY, mnemonic: undefined };
    await keyring.add({ name: "a", ...key });
    await expect(keyring.add({ name: "a", ...key })).rejects.toMatchObject({ code: "key_exists" });
    await expect(keyring.add({ name: "../a", ...key })).rejects.toMatchObject({ exit: 2 });
    await expect(keyring.find("b")).rejects.toMatchObject({ code: "key_not_found", exit: 6 });
    expect((await readdir(home)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

describe("file keyring", () => {
  test("opens with its password only, and shows no secret on disk", async () => {
    const added = await fileKeyring("correct horse").add({
      name: "alice",
      privateKey: KEY,
      mnemonic: MNEMONIC,
    });
    const path = join(home, "keyring-file", "alice.json");
    const text = await readFile(path, "utf8");
    expect(text).not.toContain("abandon");
    expect(text).not.toContain("0102030405");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(text)).toMatchObject({ sealed: { kdf: { n: 131_072, r: 8, p: 1 } } });
    expect(await fileKeyring("correct horse").secret("alice")).toEqual({
      privateKey: KEY,
      mnemonic: MNEMONIC,
    });
    const wrong = fileKeyring("another horse");
    await expect(wrong.secret("alice")).rejects.toMatchObject({ code: "wrong_password" });
    await expect(
      wrong.add({ name: "bob", privateKey: KEY, mnemonic: undefined }),
    ).rejects.toMatchObject({ code: "wrong_password" });
    expect(await wrong.list()).toEqual([added]);
  });

  test("notices a public key that was exchanged", async () => {
    await fileKeyring("correct horse").add({ name: "a", privateKey: KEY, mnemonic: undefined });
    const path = join(home, "keyring-file", "a.json");
    const file = JSON.parse(await readFile(path, "utf8")) as { publicKey: string };
    const other = await signerFromMnemonic(MNEMONIC);
    file.publicKey = Buffer.from(other.publicKey).toString("hex");
    await writeFile(path, JSON.stringify(file));
    await expect(fileKeyring("correct horse").secret("a")).rejects.toMatchObject({
      code: "wrong_password",
    });
  });

  test("fails at once where there is neither password nor terminal", async () => {
    const source = passwordSource(fakeIo(), undefined);
    await expect(source.get(false)).rejects.toMatchObject({ code: "no_password", exit: 2 });
  });

  test("takes the password from a file, the environment or the terminal", async () => {
    const path = join(home, "password");
    await writeFile(path, "from the file\nsecond line\n");
    expect(await passwordSource(fakeIo(), path).get(true)).toBe("from the file");
    const env = { SETTLED_KEYRING_PASSWORD: "from the env" };
    expect(await passwordSource(fakeIo({ env }), undefined).get(true)).toBe("from the env");
    const typed = fakeIo({ answers: ["typed twice", "typed twice"] });
    expect(await passwordSource(typed, undefined).get(true)).toBe("typed twice");
    const differing = fakeIo({ answers: ["typed twice", "typed thrice"] });
    await expect(passwordSource(differing, undefined).get(true)).rejects.toMatchObject({
      code: "password_mismatch",
    });
  });
});

describe("settled keys", () => {
  const args = (...more: string[]) => [
    ...["keys", ...more, "--home", home],
    ...["--keyring-backend", "test", "-o", "json"],
  ];

  test("recovers a mnemonic and never prints it unasked", async () => {
    const added = await cli(args("add", "alice", "--recover"), { stdin: `${MNEMONIC}\n` });
    const { address } = await signerFromMnemonic(MNEMONIC);
    expect(added.exit).toBe(0);
    expect(JSON.parse(added.stdout)).toMatchObject({ name: "alice", address });
    const shown = await cli(args("show", "alice"));
    expect(added.stdout + added.stderr + shown.stdout + shown.stderr).not.toContain("abandon");
    const secret = await cli(args("show", "alice", "--show-mnemonic"));
    expect(JSON.parse(secret.stdout)).toMatchObject({ mnemonic: MNEMONIC });
  });

  test("imports a private key, lists it, shows its address and deletes it", async () => {
    const hex = Buffer.from(KEY).toString("hex");
    const imported = await cli(args("import", "bob"), { stdin: `0x${hex}\n` });
    const { address } = JSON.parse(imported.stdout) as { address: string };
    expect(JSON.parse((await cli(args("list"))).stdout)).toMatchObject([{ name: "bob", address }]);
    const text = ["keys", "show", "bob", "-a", "--home", home, "--keyring-backend", "test"];
    expect((await cli(text)).stdout).toBe(`${address}\n`);
    expect((await cli(args("show", "bob", "--show-mnemonic"))).exit).toBe(6);
    expect((await cli(args("delete", "bob"))).exit).toBe(2);
    expect((await cli(args("delete", "bob", "--yes"))).exit).toBe(0);
    expect(JSON.parse((await cli(args("list"))).stdout)).toEqual([]);
  });
});
