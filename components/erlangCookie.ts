import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

export interface ErlangCookieArgs {
  /** A cookie that exists already, 16 to 255 letters, digits, `_`, `.`, `-`; left out: 64 random characters. */
  readonly value?: string;
  /** Whether Pulumi refuses to delete or replace the random cookie. */
  readonly protect: boolean;
}

/**
 * The Erlang cookie of a ring: whoever has it may run code on every Kazoo node, and nodes with different ones do not talk.
 * Made once and kept for the life of the stack.
 */
export class ErlangCookie extends pulumi.ComponentResource {
  /** The cookie; secret. */
  readonly value: pulumi.Output<string>;

  constructor(name: string, args: ErlangCookieArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:ErlangCookie", name, {}, opts);
    this.value =
      args.value === undefined
        ? new random.RandomPassword(
            `${name}-value`,
            { length: 64, special: false },
            { parent: this, protect: args.protect },
          ).result
        : pulumi.secret(args.value);
    this.registerOutputs({ value: this.value });
  }
}
