import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../shared/terminal";
import { projectDirectory, readPlatform } from "../stack/openStack";
import { pulledImages } from "../docker/pulledImages";

/** Lists the images that a stack pulls, from its file alone. */
export function images({ stack, json }: { readonly stack: string; readonly json: boolean }): void {
  const found = pulledImages(readPlatform(stack), ({ context }) => dockerfileIn(context));
  const lines = json ? [JSON.stringify({ stack, images: found }, null, 2)] : found.map(({ image }) => image);
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}

function dockerfileIn(context: string): string {
  const path = join(projectDirectory, context, "Dockerfile");
  try {
    return readFileSync(path, "utf8");
  } catch {
    throw new UserError(`there is no ${path}`, "name the folder of the Dockerfile in kazoo:image.build.context");
  }
}
