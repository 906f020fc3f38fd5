import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { UserError } from "../../shared/terminal";
import { otherEngine } from "./dockerEngines";

/** A container as its engine sees it. */
export interface ContainerState {
  /** Healthy, or running if it has no health check. */
  readonly ready: boolean;
  /** When it was last started, ISO 8601. */
  readonly started: string;
  readonly running: boolean;
  /** How often the engine has restarted it. */
  readonly restarts: number;
  readonly image: string;
}

/** Inspects containers by name; missing ones are skipped. */
export async function inspectContainers(
  host: string,
  names: readonly string[],
): Promise<Record<string, ContainerState>> {
  const one = async (name: string): Promise<[string, ContainerState][]> => {
    try {
      const { stdout } = await promisify(execFile)("docker", ["--host", host, "inspect", "--type", "container", name]);
      return (JSON.parse(stdout) as Inspected[]).map((found) => [name, stateOf(found)]);
    } catch (error) {
      const { code, stderr = "" } = error as { code?: unknown; stderr?: string };
      if (code === "ENOENT") throw new UserError("the docker command was not found", "install Docker's client");
      if (/no such/i.test(stderr)) return [];
      throw new UserError(`Docker at ${host} does not answer: ${stderr.trim().split("\n").at(-1)}`, otherEngine);
    }
  };
  return Object.fromEntries((await Promise.all(names.map(one))).flat());
}

interface Inspected {
  readonly RestartCount: number;
  readonly Config: { readonly Image: string };
  readonly State: {
    readonly Running: boolean;
    readonly StartedAt: string;
    readonly Health?: { readonly Status: string };
  };
}

const stateOf = ({ State, RestartCount, Config }: Inspected): ContainerState => ({
  ready: State.Running && (State.Health === undefined || State.Health.Status === "healthy"),
  started: State.StartedAt,
  running: State.Running,
  restarts: RestartCount,
  image: Config.Image,
});
