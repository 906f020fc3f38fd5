import { UserError } from "../shared/terminal";

/**
 * Where programs come from. `system`: the installed Pulumi, with its own plugins and login; `download`: published
 * releases; `build`: Go modules.
 */
export type Mode = "system" | "download" | "build";

/** The mode that TOOLCHAIN forces; undefined when it is unset or empty. Throws a UserError for any other value. */
export function forcedMode(value: string | undefined): Mode | undefined {
  if (value === undefined || value === "") return undefined;
  if (value === "system" || value === "download" || value === "build") return value;
  throw new UserError(
    `TOOLCHAIN is ${JSON.stringify(value)}; expected download, build or system`,
    "set one of them, or unset it",
  );
}

/**
 * The mirror that KAZOO_MIRROR names; undefined when it is unset or empty. Throws a UserError unless it is a URL of a
 * web server.
 */
export function mirrorOf(value: string | undefined): string | undefined {
  if (value === undefined || value === "") return undefined;
  if (/^https?:$/.test(URL.canParse(value) ? new URL(value).protocol : "")) return value;
  throw new UserError(
    `KAZOO_MIRROR is ${JSON.stringify(value)}; expected a URL, e.g. https://mirror.example.com/releases`,
    "set it to the URL of a mirror, or unset it",
  );
}
