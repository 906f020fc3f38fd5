import { regionStack } from "../../../config/stackPart";
import { UserError } from "../../shared/terminal";
import { orderOfUp } from "../run/fleet";
import { regionsIn } from "../stack/openStack";

/** A Pulumi stack of a stack's file. */
interface Part {
  readonly stack: string;
  /** The stack that the file is named after. */
  readonly whole: string;
  /** Whether it is one of several. */
  readonly split: boolean;
}

/** The Pulumi stacks of some stacks' files: what regions share before the regions. */
export function partsOf(wholes: readonly string[]): Part[] {
  return wholes.flatMap((whole) => {
    const regions = regionsOrNone(whole);
    const stacks = [whole, ...(regions ?? []).map((region) => regionStack(whole, region))];
    return stacks.map((stack) => ({ stack, whole, split: regions !== undefined }));
  });
}

/** A file with mistakes has no regions: what runs on its stack says what is wrong with it, where people look. */
function regionsOrNone(whole: string): string[] | undefined {
  try {
    return regionsIn(whole);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** Prints the Pulumi stacks of some stacks' files as JSON, for a matrix of CI; or of one, the order of an `up`, from what is deployed. */
export async function stacks(wholes: readonly string[], { order }: { readonly order: boolean }): Promise<void> {
  const [whole, ...others] = wholes;
  if (order && (whole === undefined || others.length > 0))
    throw new UserError(`--order needs one stack, not ${wholes.length}`, "npx kazoo stacks --order prod");
  const parts = partsOf(wholes);
  const split = [...new Set(parts.filter((part) => part.split).map((part) => part.whole))];
  const found = order && whole !== undefined ? await orderOfUp(whole) : { parts, split };
  process.stdout.write(`${JSON.stringify(found)}\n`);
}
