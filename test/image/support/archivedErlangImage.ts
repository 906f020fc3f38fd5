import type { Engine } from "./engine";
import { erlangImage } from "./erlangImage";
import { ensureImage } from "./images";

/** Where the image has an archive of its release, as Debian's is: past its date and, here, not signed at all. */
export const archive = "/archive/debian";

/** Makes it: one package, and no security updates. */
const script = `#!/bin/sh -e
repository() {
  folder=$1/dists/$2
  mkdir -p "$folder/main/binary-$(dpkg --print-architecture)"
  packages=main/binary-$(dpkg --print-architecture)/Packages
  cat > "$folder/$packages"
  cat > "$folder/Release" <<END
Origin: Debian
Codename: stretch
Date: Sat, 18 Jul 2020 10:00:00 UTC
Valid-Until: Sat, 25 Jul 2020 10:00:00 UTC
Architectures: $(dpkg --print-architecture)
Components: main
SHA256:
 $(sha256sum "$folder/$packages" | cut -d' ' -f1) $(stat -c %s "$folder/$packages") $packages
END
}
mkdir -p /package/DEBIAN ${archive}/pool
cat > /package/DEBIAN/control <<END
Package: kazoo-test-archived
Version: 1
Architecture: all
Maintainer: Nobody <nobody@example.org>
Description: a package of an archived release
END
dpkg-deb --build /package ${archive}/pool/archived.deb
{
  cat /package/DEBIAN/control
  echo "Filename: pool/archived.deb"
  echo "Size: $(stat -c %s ${archive}/pool/archived.deb)"
  echo "SHA256: $(sha256sum ${archive}/pool/archived.deb | cut -d' ' -f1)"
} | repository ${archive} stretch
repository ${archive}-security stretch/updates < /dev/null
`;

const lists = `deb http://deb.debian.org/debian stretch main
deb http://security.debian.org stretch/updates main
deb http://deb.debian.org/debian stretch-updates main
`;

/**
 * The tests' Erlang image, as if it were of Debian 9, with its list of mirrors: what the official images of old versions of Erlang are.
 * @returns its tag
 */
export async function archivedErlangImage(engine: Engine): Promise<string> {
  const [, version] = (await erlangImage(engine)).split(":");
  return await ensureImage(engine, {
    tag: `kazoo-test/erlang-archived:${version}`,
    dockerfile: `FROM ${await erlangImage(engine)}
COPY make sources.list /
RUN rm -f /etc/apt/sources.list.d/* && mv /sources.list /etc/apt/sources.list \\
 && sed -i 's/^VERSION_ID=.*/VERSION_ID="9"/' /etc/os-release && /make
`,
    files: { make: script, "sources.list": lists },
  });
}
