// A wallet that only signs: what a customer has in the browser or on the phone.

import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

function base58(bytes: Uint8Array): string {
  let number = BigInt(`0x${Buffer.from(bytes).toString("hex") || "0"}`);
  let text = "";
  for (; number > 0n; number /= 58n) text = ALPHABET[Number(number % 58n)] + text;
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return "1".repeat(zeros === -1 ? bytes.length : zeros) + text;
}

export class Wallet {
  readonly address: string;
  private readonly key: KeyObject;
  private readonly bytes: Uint8Array;

  constructor(key: KeyObject) {
    this.key = key;
    this.bytes = createPublicKey(key).export({ type: "spki", format: "der" }).subarray(-32);
    this.address = base58(this.bytes);
  }

  static create(): Wallet {
    return new Wallet(generateKeyPairSync("ed25519").privateKey);
  }

  static open(kept: string): Wallet {
    return new Wallet(createPrivateKey({ key: Buffer.from(kept, "base64"), type: "pkcs8", format: "der" }));
  }

  keep(): string {
    return this.key.export({ type: "pkcs8", format: "der" }).toString("base64");
  }

  // The transaction with this wallet's signature in its place. A real wallet shows what it does first.
  sign(transaction: string): string {
    const wire = Buffer.from(transaction, "base64");
    const signatures = wire[0]!;
    const message = wire.subarray(1 + 64 * signatures);
    // Version, three counts, the number of accounts, and then who signs, in order.
    const place = Array.from({ length: signatures }, (_, index) => message.subarray(5 + 32 * index, 37 + 32 * index));
    const mine = place.findIndex((key) => key.equals(this.bytes));
    if (mine === -1) throw new Error(`${this.address} has nothing to sign here`);
    sign(null, message, this.key).copy(wire, 1 + 64 * mine);
    return wire.toString("base64");
  }
}
