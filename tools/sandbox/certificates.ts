import "reflect-metadata"; // @peculiar/x509 expects it to be loaded first
import { type webcrypto, KeyObject, createPrivateKey, subtle } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";

/** A certificate and its private key, both PEM. */
export interface Credential {
  readonly certificate: string;
  readonly key: string;
}

/** What a certificate says and may be used for. */
export interface CertificateRequest {
  /** Kubernetes takes it as the user's name. */
  readonly commonName: string;
  /** Kubernetes takes them as the user's groups; default none. */
  readonly organizations?: readonly string[];
  /** Host names and IP addresses that a server answers to; default none. */
  readonly hosts?: readonly string[];
  readonly usages: readonly ("server" | "client")[];
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const lifetimeYears = 10;

/** Makes a certificate authority of its own: self-signed, good for ten years. */
export async function createAuthority(commonName: string): Promise<Credential> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [commonName] }],
    keys,
    signingAlgorithm: algorithm,
    ...validity(),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pem(certificate), key: keyPem(keys.privateKey) };
}

/** Issues a certificate, with a new key, signed by `authority`; good for ten years. */
export async function issueCertificate(authority: Credential, request: CertificateRequest): Promise<Credential> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const signingKey = await subtle.importKey(
    "pkcs8",
    createPrivateKey(authority.key).export({ type: "pkcs8", format: "der" }),
    algorithm,
    false,
    ["sign"],
  );
  const keys = await generateKeys();
  const usages = request.usages.map((usage) => x509.ExtendedKeyUsage[usage === "server" ? "serverAuth" : "clientAuth"]);
  const hosts = request.hosts ?? [];
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [
      ...(request.organizations ?? []).map((organization) => ({ O: [organization] })),
      { CN: [request.commonName] },
    ],
    issuer: issuer.subjectName.toJSON(),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    ...validity(),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...(hosts.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(hosts.map(alternativeName))]),
    ],
  });
  return { certificate: pem(certificate), key: keyPem(keys.privateKey) };
}

const generateKeys = (): Promise<webcrypto.CryptoKeyPair> => subtle.generateKey(algorithm, true, ["sign", "verify"]);

const alternativeName = (host: string): x509.JsonGeneralName => ({ type: isIP(host) ? "ip" : "dns", value: host });

const pem = (certificate: x509.X509Certificate): string => `${certificate.toString("pem")}\n`;

const keyPem = (key: webcrypto.CryptoKey): string =>
  KeyObject.from(key).export({ type: "pkcs8", format: "pem" }).toString();

function validity(): { notBefore: Date; notAfter: Date } {
  const notBefore = new Date(Date.now() - 3_600_000); // an hour back, for clocks that disagree
  const notAfter = new Date(notBefore);
  notAfter.setFullYear(notAfter.getFullYear() + lifetimeYears);
  return { notBefore, notAfter };
}
