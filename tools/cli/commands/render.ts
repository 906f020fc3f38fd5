import { spawn } from "node:child_process";
import { join, relative, resolve } from "node:path";
import { UserError } from "../../shared/terminal";

const entrypoint = join(__dirname, "../../../image/entrypoint");

/**
 * Renders Kazoo's configuration from the caller's environment, with the image's own entrypoint. Needs bash, but neither Docker nor root.
 * @param folder where to write; created if missing
 * @throws UserError with exit code 64 if the environment is invalid; the entrypoint has then listed each problem
 */
export async function render(folder: string): Promise<void> {
  const out = resolve(folder);
  const code = await new Promise<number | null>((done, failed) => {
    const run = spawn("bash", [entrypoint, "render", out], { stdio: ["ignore", "inherit", "inherit"] });
    run.on("error", () =>
      failed(new UserError("bash was not found; it renders the configuration", "install bash 4 or later")),
    );
    run.on("close", done);
  });
  if (code === 64) throw new UserError("nothing was rendered", "set the variables named above and try again", 64);
  if (code !== 0) throw new UserError(`rendering into ${out} failed with exit code ${code}`, "see the message above");
  process.stdout.write(`Rendered: ${relative(process.cwd(), out)}/config.ini, vm.args, sys.config, .erlang.cookie\n`);
}
