import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";

/** Parameters of scrypt: about a third of a second and 128 MB for each guess at a password. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1 };
const MAX_MEMORY = 256 * 1024 * 1024;

/** A text under a password. All fields but the numbers are hex. */
export interface Sealed {
  readonly kdf: { name: "scrypt"; n: number; r: number; p: number; salt: string };
  readonly cipher: { name: "aes-256-gcm"; nonce: string; tag: string };
  readonly ciphertext: string;
}

/** Encrypts; `bound` is authenticated along with it, so that the two cannot be parted. */
export async function seal(text: string, password: string, bound: string): Promise<Sealed> {
  const [salt, nonce] = [randomBytes(16), randomBytes(12)];
  const key = await derive(password, salt, SCRYPT);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(bound, "utf8"));
  const ciphertext = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]).toString("hex");
  const { N: n, r, p } = SCRYPT;
  return {
    kdf: { name: "scrypt", n, r, p, salt: salt.toString("hex") },
    cipher: {
      name: "aes-256-gcm",
      nonce: nonce.toString("hex"),
      tag: cipher.getAuthTag().toString("hex"),
    },
    ciphertext,
  };
}

/** Decrypts; undefined when the password is wrong or anything was changed. */
export async function unseal(
  sealed: Sealed,
  password: string,
  bound: string,
): Promise<string | undefined> {
  const { n, r, p, salt } = sealed.kdf;
  // A damaged file must not make the program take any amount of memory.
  if (128 * n * r > MAX_MEMORY / 2 || p > 4) return undefined;
  const key = await derive(password, Buffer.from(salt, "hex"), { N: n, r, p });
  try {
    const nonce = Buffer.from(sealed.cipher.nonce, "hex");
    const opened = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
    opened.setAAD(Buffer.from(bound, "utf8"));
    opened.setAuthTag(Buffer.from(sealed.cipher.tag, "hex"));
    const text = opened.update(Buffer.from(sealed.ciphertext, "hex"));
    return Buffer.concat([text, opened.final()]).toString("utf8");
  } catch {
    return undefined;
  }
}

function derive(
  password: string,
  salt: Uint8Array,
  cost: { N: number; r: number; p: number },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // NFKC: the same password typed on another system gives the same key.
    scrypt(password.normalize("NFKC"), salt, 32, { ...cost, maxmem: MAX_MEMORY }, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}
