import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

export interface ErlangCookieArgs {
  /** An existing cookie, 16 to 255 letters, digits, `_`, `.`, `-`. @default 64 random characters */
  readonly value?: string;
  /** Whether Pulumi refuses to delete or replace the random cookie. @default true */
  readonly protect?: boolean;
}

/**
 * The Erlang cookie of a ring: anyone who has it can run code on every Kazoo node, and nodes with different cookies refuse each other.
 * Created once and kept for the life of the stack.
 * @example
 * const cookie = new ErlangCookie("cookie", {}, { providers: [new random.Provider("random")] });
 */
export class ErlangCookie extends pulumi.ComponentResource {
  /** The cookie; secret. */
  readonly value: pulumi.Output<string>;

  constructor(name: string, args: ErlangCookieArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:ErlangCookie", name, {}, opts);
    this.value =
      args.value === undefined
        ? new random.RandomPassword(
            `${name}-value`,
            { length: 64, special: false },
            { parent: this, protect: args.protect ?? true },
          ).result
        : pulumi.secret(args.value);
    this.registerOutputs({ value: this.value });
  }
}
