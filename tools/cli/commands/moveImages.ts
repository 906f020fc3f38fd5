import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { dockerHub, fullName } from "../../../config/images";
import type { Platform } from "../../../config/platform";
import { exitCodeOf } from "../../report/model";
import { UserError, reportToStderr } from "../../shared/terminal";
import { builds, isBelow, movedImages, runImages, withMove } from "../stackFile/imageMove";
import { judged } from "../stackFile/judged";
import { tryFile } from "../stackFile/tryFile";
import { type Stack, isThrowAway, stackFile } from "../stack/openStack";
import { askPulumi } from "../pulumi/pulumi";
import { type Access, type Login, digestOf } from "../docker/registry";
import { type RunbookOptions, follow } from "../runbook/runbook";
import { openWhole, upOrAgain } from "../runbook/wholeRing";
import { previewed } from "./report";

interface MoveImagesOptions extends RunbookOptions {
  /** Registry, perhaps with a path. */
  readonly from: string;
  readonly to: string;
}

/** Runs a live stack with the same images from another registry or mirror. */
export async function moveImages({ stack: name, from, to, dryRun, yes }: MoveImagesOptions): Promise<void> {
  const stack = await openWhole(name);
  const { platform } = stack;
  const path = stackFile(name);
  const file = basename(path);
  const changed = withMove(readFileSync(path, "utf8"), { from, to });
  const after = judged(changed, file, "with these images");
  const moved = movedImages(platform, after);
  const isBuiltElsewhere = builds(platform).join() !== builds(after).join();
  const hasMoved = moved.length === 0 && !isBuiltElsewhere;
  if (hasMoved && !isBelow(platform, to))
    throw new UserError(
      `stack ${name} has no image below ${from}`,
      `its images are ${[...new Set([...runImages(platform), ...builds(platform)].map(fullName))].join(", ")}`,
    );
  const found = await compared(moved, accessOf(stack, platform, after));
  const left =
    after.image.kind === "build" ? Object.values(after.image.args).filter((arg) => arg.startsWith(`${from}/`)) : [];
  const again = `make move-images STACK=${name} FROM=${from} TO=${to}`;

  await follow(
    {
      name: `move the images of stack ${name} from ${from} to ${to}`,
      notes: [
        ...found,
        ...(isBuiltElsewhere && after.image.kind === "build" && after.image.digest === undefined
          ? [`the Kazoo image is built again and pushed as ${builds(after).join()}; Kazoo restarts with it`]
          : []),
        ...left.map((arg) => `the build still starts from ${arg}: change it in kazoo:image.build.args`),
      ],
      steps: [
        {
          title: `${file} names the images at ${to}`,
          touches: [
            "a preview shows what restarts; it must replace and delete nothing that is protected or holds data",
          ],
          // The preview comes before each update, also after an interruption.
          isDone: () => Promise.resolve(false),
          run: () =>
            tryFile(path, changed, async (keep) => {
              const code = exitCodeOf(await previewed(name));
              if (code === 0 || code === 2) return keep();
              throw new UserError(
                code === 3
                  ? "the update would replace or delete what is protected or holds data"
                  : "the preview with these images failed",
                "see the report above; the stack's file is as it was",
              );
            }),
        },
        {
          title: "Pods restart with the images from there",
          touches: [
            ...platform.zones.map(({ namespace }) => `namespace ${namespace}: one workload after the other`),
            "Jobs of joining and first boot run once more, and find their work done",
          ],
          isDone: () => Promise.resolve(false),
          run: () => upOrAgain(name, again, ["--skip-preview"]),
        },
      ],
    },
    { dryRun, unasked: yes === true || isThrowAway(platform) },
    reportToStderr,
  );
}

/**
 * Compares images with their copies at another place; returns what was found, one line each.
 * @throws UserError if a copy is missing or another image, with the commands that copy them
 */
export async function compared(
  moved: readonly { readonly from: string; readonly to: string }[],
  access: Access,
): Promise<string[]> {
  const found = await Promise.all(
    moved.map(async ({ from, to }) => {
      const [pinned, there] = [/@(sha256:[a-f0-9]{64})$/.exec(from)?.[1], await digestOf(to, access)];
      const original = await (pinned === undefined ? digestOf(from, access) : Promise.resolve(pinned)).catch(
        (error: unknown) => {
          if (error instanceof UserError) return error;
          throw error;
        },
      );
      return { from, to, there, original };
    }),
  );
  const wrong = found.filter(
    ({ there, original }) => there === undefined || (typeof original === "string" && original !== there),
  );
  if (wrong.length === 0)
    return found.map(({ to, there, original }) => {
      if (typeof original === "string") return `${to} has the same digest, ${there}`;
      return `${to}: ${there}, not compared: ${original?.message ?? "its first registry does not have it any more"}`;
    });
  const lines = wrong.map(({ to, there, original }) =>
    there === undefined ? `${to} does not exist` : `${to} is another image: ${there} instead of ${String(original)}`,
  );
  const copies = wrong.map(({ from, to }) => `skopeo copy --all docker://${fullName(from)} docker://${to}`);
  throw new UserError(lines.join("\n"), ["copy them first; nothing was changed:", ...copies].join("\n"));
}

/** How the registries of a stack are asked: with the logins of its file, or of `docker login`. */
function accessOf(stack: Stack, ...platforms: readonly Platform[]): Access {
  const secret = async (key: string): Promise<string> =>
    (await askPulumi(stack.pulumi, ["config", "get", "--path", key, ...stack.selection])).replace(/\n$/, "");
  const registries = platforms.flatMap(({ image }) =>
    image.kind === "build" && image.registry !== undefined ? [image.registry] : [],
  );
  return {
    plainHttp: registries.flatMap(({ address, plainHttp }) => (plainHttp ? [address] : [])),
    login: async (address) => {
      const known = platforms.flatMap((each) => each.registries.logins).find((each) => each.address === address);
      if (known !== undefined)
        return { username: known.username, password: await secret(`kazoo:registries["${address}"].password`) };
      const pushed = registries.find((each) => each.address === address)?.login;
      if (pushed !== undefined) return { username: pushed.username, password: await secret("kazoo:registryPassword") };
      return dockerLogin(address);
    },
  };
}

/** The login that `docker login` has saved; undefined if there is none, or if a credential helper keeps it. */
function dockerLogin(address: string): Login | undefined {
  const path = join(process.env.DOCKER_CONFIG ?? join(homedir(), ".docker"), "config.json");
  try {
    const { auths = {} } = JSON.parse(readFileSync(path, "utf8")) as { auths?: Record<string, { auth?: string }> };
    const auth = auths[address === dockerHub ? "https://index.docker.io/v1/" : address]?.auth;
    const [, username, password] = /^([^:]+):(.+)$/s.exec(Buffer.from(auth ?? "", "base64").toString("utf8")) ?? [];
    return username === undefined || password === undefined ? undefined : { username, password };
  } catch {
    return undefined;
  }
}
