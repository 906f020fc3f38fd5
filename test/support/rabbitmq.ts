import { createHash } from "node:crypto";

/** Whether a hash matches a password, as RabbitMQ checks it: four bytes of salt, then the hash of salt and password. */
export function fits(hash: string, password: string): boolean {
  const bytes = Buffer.from(hash, "base64");
  return createHash("sha256").update(bytes.subarray(0, 4)).update(password).digest().equals(bytes.subarray(4));
}
