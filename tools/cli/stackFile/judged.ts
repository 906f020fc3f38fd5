import type { Platform } from "../../../config/platform";
import { ConfigError } from "../../../config/problem";
import { platformOfBytes } from "../../../config/stackFile";
import { UserError } from "../../shared/terminal";

/**
 * The platform of a stack's file that is not written yet.
 * @param change what it has, for the error: `without the datacenter`
 * @throws UserError if the text is invalid
 */
export function judged(text: string, file: string, change: string): Platform {
  try {
    return platformOfBytes(Buffer.from(text), file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new UserError(`${change}, ${file} would be invalid: ${error.message}`, `edit ${file} first`);
  }
}
