import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { before, describe, test } from "node:test";
import { type TLSSocket, connect, createServer } from "node:tls";
import { X509Certificate } from "node:crypto";
import { type Credential, createAuthority, issueCertificate } from "../../tools/sandbox/certificates";

describe("certificates of the sandbox", () => {
  let authority: Credential;
  let stranger: Credential;
  let server: Credential;
  let client: Credential;
  before(async () => {
    authority = await createAuthority("authority");
    stranger = await createAuthority("authority"); // the same name, another key
    server = await issueCertificate(authority, {
      commonName: "server",
      hosts: ["127.0.0.1", "localhost"],
      usages: ["server"],
    });
    client = await issueCertificate(authority, { commonName: "jane", organizations: ["a", "b"], usages: ["client"] });
  });

  /** Makes a TLS connection verified on both sides; returns the subject that the server saw. */
  async function meet(trusted: Credential, mine: Credential, servername = "localhost"): Promise<string> {
    const listener = createServer({
      cert: server.certificate,
      key: server.key,
      ca: authority.certificate,
      requestCert: true,
    });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    const seen = once(listener, "secureConnection") as Promise<[TLSSocket]>;
    seen.catch(() => undefined);
    listener.on("tlsClientError", () => undefined);
    const socket = connect({
      host: "127.0.0.1",
      port: (listener.address() as AddressInfo).port,
      servername,
      ca: trusted.certificate,
      cert: mine.certificate,
      key: mine.key,
      // TLS 1.3 tells a client of its refusal only later
      maxVersion: "TLSv1.2",
    });
    try {
      await once(socket, "secureConnect");
      const [accepted] = await seen;
      const subject = new X509Certificate(accepted.getPeerCertificate().raw).subject;
      accepted.destroy();
      return subject;
    } finally {
      socket.destroy();
      listener.close();
    }
  }

  test("server and client verify each other, and the client's groups and name arrive", async () => {
    assert.equal(await meet(authority, client), "O=a\nO=b\nCN=jane");
  });

  test("an authority of the same name with another key is not believed", async () => {
    await assert.rejects(meet(stranger, client), /unable to verify|signature failure|self.signed/i);
  });

  test("a client certificate of another authority is refused", async () => {
    const other = await issueCertificate(stranger, { commonName: "jane", usages: ["client"] });
    await assert.rejects(meet(authority, other));
  });

  test("a client's certificate is no server's, and a server answers only to its own names", async () => {
    await assert.rejects(meet(authority, client, "elsewhere.example"), /does not match certificate's altnames/);
    assert.equal(new X509Certificate(server.certificate).checkIP("127.0.0.1"), "127.0.0.1");
    assert.deepEqual(new X509Certificate(client.certificate).keyUsage, ["1.3.6.1.5.5.7.3.2"]);
  });

  test("they hold now and for years", () => {
    const certificate = new X509Certificate(server.certificate);
    assert.ok(new Date(certificate.validFrom) < new Date());
    assert.ok(new Date(certificate.validTo).getTime() > Date.now() + 9 * 365 * 24 * 3_600_000);
  });
});
