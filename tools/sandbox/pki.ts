import { X509Certificate, generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { CertificateRequest, Credential } from "./certificates";
import { type ClusterFiles, makePrivateDirectory, writePrivate } from "./files";

/** Name in the `pki` folder -> certificate, per authority. etcd has one of its own: who may use the API may not write the store. */
const clients: Readonly<Record<"ca" | "etcd-ca", Readonly<Record<string, CertificateRequest>>>> = {
  ca: {
    admin: { commonName: "sandbox-admin", organizations: ["system:masters"], usages: ["client"] },
    "kube-controller-manager": { commonName: "system:kube-controller-manager", usages: ["client"] },
    "kube-scheduler": { commonName: "system:kube-scheduler", usages: ["client"] },
    // KWOK writes nodes, pods, leases and volumes as many roles would; it is part of the sandbox and trusted by it.
    kwok: { commonName: "sandbox-kwok", organizations: ["system:masters"], usages: ["client"] },
    "apiserver-kubelet-client": {
      commonName: "kube-apiserver-kubelet-client",
      organizations: ["system:masters"],
      usages: ["client"],
    },
  },
  "etcd-ca": {
    etcd: { commonName: "etcd", hosts: ["127.0.0.1", "localhost"], usages: ["server", "client"] },
    "apiserver-etcd-client": { commonName: "kube-apiserver", usages: ["client"] },
  },
};

/** What the API server's own certificate depends on. */
export interface ServerIdentity {
  /** Address that the API server listens on. */
  readonly address: string;
  /** The API server's address inside the cluster: the first of the service network. */
  readonly serviceAddress: string;
}

/**
 * Makes the cluster's authorities, keys and certificates unless they are there, all or nothing; the API server's
 * certificate is issued anew when it does not name the address. The authority's key stays in `pki/ca.key`: whoever
 * adds a real node issues its certificates with it ({@link readCredential}, `issueCertificate`).
 */
export async function ensurePki(files: ClusterFiles, identity: ServerIdentity): Promise<void> {
  if (!existsSync(files.pki)) await createPki(files, identity);
  const server = new X509Certificate(readFileSync(files.certificate("kube-apiserver")));
  if (server.checkIP(identity.address) !== undefined) return;
  write(
    files.pki,
    "kube-apiserver",
    await certificates().issueCertificate(readCredential(files, "ca"), serverRequest(identity)),
  );
}

/** Reads a certificate and its key from the `pki` folder, by the name of who uses it. */
export function readCredential(files: ClusterFiles, user: string): Credential {
  return {
    certificate: readFileSync(files.certificate(user), "utf8"),
    key: readFileSync(files.key(user), "utf8"),
  };
}

async function createPki(files: ClusterFiles, identity: ServerIdentity): Promise<void> {
  const { createAuthority, issueCertificate } = certificates();
  const draft = join(dirname(files.pki), "pki.new");
  rmSync(draft, { recursive: true, force: true });
  makePrivateDirectory(draft);
  for (const authorityName of ["ca", "etcd-ca"] as const) {
    const authority = await createAuthority(`sandbox-${files.name}-${authorityName}`);
    write(draft, authorityName, authority);
    for (const [name, request] of Object.entries(clients[authorityName])) {
      write(draft, name, await issueCertificate(authority, request));
    }
    if (authorityName === "ca")
      write(draft, "kube-apiserver", await issueCertificate(authority, serverRequest(identity)));
  }
  const serviceAccount = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "sec1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  writePrivate(join(draft, "service-account.key"), serviceAccount.privateKey);
  writePrivate(join(draft, "service-account.pub"), serviceAccount.publicKey);
  renameSync(draft, files.pki);
}

/** The library takes a fifth of a second to load, and a start with certificates at hand needs none of it. */
const certificates = (): typeof import("./certificates") =>
  // import() would not do: the hook that reads TypeScript for the command is one for require alone.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  require("./certificates");

const serverRequest = (identity: ServerIdentity): CertificateRequest => ({
  commonName: "kube-apiserver",
  hosts: [
    ...new Set(["127.0.0.1", identity.address, identity.serviceAddress]),
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
  ],
  usages: ["server"],
});

function write(directory: string, name: string, credential: Credential): void {
  writePrivate(join(directory, `${name}.key`), credential.key);
  writePrivate(join(directory, `${name}.crt`), credential.certificate);
}
