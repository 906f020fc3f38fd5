import { baseImage } from "./baseImage";
import type { Engine } from "./engine";
import { ensureImage } from "./images";

/** The Erlang of the tests' base image: what to give as ERLANG_IMAGE and ERLANG_VERSION. */
export const erlang = { image: "kazoo-test/erlang", version: "25" } as const;

/** The replacement of the official Erlang image: Debian's Erlang, and what the stand-in for Kazoo needs to be built. */
export async function erlangImage(engine: Engine): Promise<string> {
  return await ensureImage(engine, {
    tag: `${erlang.image}:${erlang.version}`,
    dockerfile: `FROM ${await baseImage(engine)}
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \\
      erlang-base erlang-dev erlang-asn1 erlang-crypto erlang-inets erlang-parsetools erlang-public-key erlang-ssl \\
      erlang-syntax-tools git make ca-certificates && rm -rf /var/lib/apt/lists/*
`,
  });
}
