import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { UserError } from "../../shared/terminal";

const entrypoint = join(__dirname, "../../../image/entrypoint");

/**
 * `kazoo render --out DIR`: Kazoo's configuration as the container would have it, made by the image's own entrypoint from
 * the caller's environment. Needs bash, but neither Docker nor root.
 */
export function renderCommand(): Command {
  return new Command("render")
    .description(
      "write config.ini, vm.args, sys.config and .erlang.cookie as the container would, from this environment",
    )
    .requiredOption("--out <dir>", "folder to write to; made if it is not there")
    .action(async ({ out }: { out: string }) => {
      await renderConfiguration(resolve(out));
    });
}

/**
 * Renders Kazoo's configuration into a folder.
 * @param out absolute path of the folder
 * @throws UserError with exit code 64 if the environment cannot be used; the entrypoint has then named each problem
 */
export async function renderConfiguration(out: string): Promise<void> {
  const code = await new Promise<number | null>((done, failed) => {
    const run = spawn("bash", [entrypoint, "render", out], { stdio: ["ignore", "inherit", "inherit"] });
    run.on("error", () =>
      failed(new UserError("bash was not found; it renders the configuration", "install bash 4 or later")),
    );
    run.on("close", done);
  });
  if (code === 64) throw new UserError("nothing was rendered", "set the variables named above and try again", 64);
  if (code !== 0) throw new UserError(`rendering into ${out} failed with exit code ${code}`, "see the message above");
}
