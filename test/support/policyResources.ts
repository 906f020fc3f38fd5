import type { Platform } from "../../config/platform";
import type { Resource, Tree } from "../../policy/resource";
import { opened } from "./digests";
import { deployWithMocks } from "./mocks";

/** The program's resources for a platform, as the policy pack sees them: with the values of secrets. */
export async function resourcesOf(platform: Platform): Promise<Resource[]> {
  const { asked } = await deployWithMocks(platform);
  return asked.map(({ inputs, ...rest }) => ({ ...rest, props: opened(inputs) as Tree }));
}
