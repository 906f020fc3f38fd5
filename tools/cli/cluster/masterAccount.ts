import { workloads } from "../../../components/names";
import type { Ring } from "../../../config/platform";
import { askInside } from "./insideNode";
import { unlessSimulated } from "./kubernetes";
import { type ZoneNode, hostsIn, nodesOf, zonesOf } from "./nodes";
import type { Stack } from "../stack/openStack";
import { type Account, changePassword, tryPassword } from "./passwordScript";
import { readOutputs } from "../pulumi/pulumi";
import { UserError, reportToStderr } from "../../shared/terminal";

interface RotatedAccount extends Account {
  /** While the password is rotated. */
  readonly previousPassword?: string;
}

/** A ring's master account, from the stack's outputs. @throws UserError if the stack has not deployed it yet */
export async function accountOf(stack: Stack, ring: string): Promise<RotatedAccount> {
  type Outputs = { readonly masterAccounts?: Readonly<Record<string, RotatedAccount>> };
  const { masterAccounts = {} } = await readOutputs<Outputs>(stack.pulumi, stack.name, ["--show-secrets"]);
  const account = masterAccounts[ring];
  if (account !== undefined) return account;
  throw new UserError("the master account's password does not exist yet", `make up STACK=${stack.name}`);
}

/** Refuses an administrator whose password in Kazoo is not the stack's, so that no rotation starts that cannot end. */
export async function requirePassword(stack: Stack, ring: Ring): Promise<void> {
  const account = await accountOf(stack, ring.name);
  if ((await inKazoo(stack, ring, tryPassword(account))) !== "refused") return;
  throw new UserError(
    `Kazoo refuses the stack's password of ${account.user}: it was changed in Kazoo, or the account is older than the stack`,
    `nothing was changed; ${byHand(stack, account.user)}`,
  );
}

/** Replaces the administrator's previous password in Kazoo, unless that is done. */
export async function replacePassword(stack: Stack, ring: Ring): Promise<void> {
  const account = await accountOf(stack, ring.name);
  const { user, previousPassword = "" } = account;
  const said = await inKazoo(stack, ring, changePassword(account, previousPassword));
  switch (said) {
    case undefined:
      return reportToStderr("the pods are simulated: there is no Kazoo that could get the new password");
    case "set":
      return reportToStderr(`${user} logs in with the new password, and no longer with the old one`);
    case "was set":
      return reportToStderr(`${user} logs in with the new password already`);
    case "refused":
      throw new UserError(
        `Kazoo accepts neither the old nor the new password of ${user}: it was changed in Kazoo`,
        byHand(stack, user),
      );
    case "second factor":
      throw new UserError(
        `Kazoo asks for a second factor when ${user} logs in, so this command cannot change the password`,
        byHand(stack, user),
      );
    default:
      throw new UserError(`Kazoo's pod answered with something unexpected: ${said}`);
  }
}

const byHand = ({ name }: Stack, user: string): string =>
  `in Monster UI, or with Crossbar's /users, give ${user} the password that the stack's output masterAccounts shows ` +
  `(pulumi stack output masterAccounts --show-secrets --stack ${name}), then run the same command again`;

/** The output of a script on the first Kazoo node of a ring, the one that created the account; undefined if it is simulated. */
async function inKazoo(stack: Stack, ring: Ring, script: string): Promise<string | undefined> {
  const selected = (await zonesOf(stack)).find(({ name }) => name === ring.zones[0]);
  const [node]: readonly ZoneNode[] = selected === undefined ? [] : nodesOf(hostsIn(selected.zone), selected.cluster);
  if (node?.workload !== workloads.kazoo || node.place.kind !== "pod")
    throw new UserError(`zone ${ring.zones[0]} has no Kazoo node`, `make status STACK=${stack.name}`);
  const { place } = node;
  return (await unlessSimulated(() => askInside(place, script)))?.trim();
}
