import { X509Certificate } from "node:crypto";
import type { Finding } from "./finding";

/** The TLS Secret of a zone's Ingress. */
export interface TlsSecret {
  readonly name: string;
  /** Host names that clients use. */
  readonly hosts: readonly string[];
  /** Whether cert-manager issues it. */
  readonly issued: boolean;
  /** Its `tls.crt`; undefined if the Secret or the key does not exist. */
  readonly certificate: string | undefined;
}

const day = 24 * 60 * 60 * 1000;
/** Issuers renew a month before expiry: a certificate this close to it was not renewed. */
const soon = 21 * day;

/** What is wrong with the certificate of a zone's Ingress. */
export function certificateFindings(zone: string, secret: TlsSecret, now: Date): Finding[] {
  const { name, hosts, issued, certificate } = secret;
  const renew = issued
    ? `find out why cert-manager does not renew it: kubectl describe certificate ${name}`
    : `renew it: kubectl create secret tls ${name} --cert=… --key=… --dry-run=client -o yaml | kubectl apply -f -`;
  const finding = (kind: Finding["kind"], what: string, why: string, fix = renew): Finding[] => [
    { kind, where: zone, what, why, fix },
  ];
  const refused = "clients refuse the connection to Crossbar and the websockets";
  if (certificate === undefined)
    return finding(
      "error",
      `the Secret ${name} with the Ingress's certificate is missing`,
      `without it, the controller serves its own default certificate: ${refused}`,
      issued
        ? `find out why cert-manager has not issued it: kubectl describe certificate ${name}`
        : renew.replace("renew", "make"),
    );
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate);
  } catch {
    return finding("error", `tls.crt in the Secret ${name} is not a certificate`, refused);
  }
  const end = new Date(parsed.validTo);
  const left = end.getTime() - now.getTime();
  const uncovered = hosts.filter((host) => parsed.checkHost(host) === undefined);
  return [
    ...(left <= 0
      ? finding("error", `the certificate in the Secret ${name} expired on ${dateOf(end)}`, refused)
      : left < soon
        ? finding(
            "warning",
            `the certificate in the Secret ${name} expires on ${dateOf(end)}, in ${Math.floor(left / day)} days`,
            `from then on ${refused}`,
          )
        : []),
    ...(uncovered.length === 0
      ? []
      : finding(
          "error",
          `the certificate in the Secret ${name} is not for ${uncovered.join(", ")}`,
          refused,
          `create one for ${hosts.join(", ")}, or correct the hosts in the stack's file`,
        )),
  ];
}

const dateOf = (date: Date): string => date.toISOString().slice(0, 10);
