import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bootstrapScriptPath } from "../../../components/names";
import { appsPath } from "../../../config/schema/masterAccount";
import { runScriptInside } from "../cluster/insideNode";
import { accountOf } from "../cluster/masterAccount";
import { type SelectedZone, type Selection, type ZoneNode, selectNode, selectZone } from "../cluster/nodes";
import { quoted } from "../../shared/shell";
import { type Stack, openStack, projectDirectory } from "../stack/openStack";
import { UserError, reportToStderr } from "../../shared/terminal";

interface AccountOptions extends Selection {
  readonly stack: string;
  readonly path?: string;
  readonly url?: string;
  readonly name?: string;
}

/** Creates the master account of the zone's ring, a step of first boot, on a Kazoo node. Returns the exit code, like the others here. */
export async function initAccount(given: AccountOptions): Promise<number> {
  const { stack, selected, node } = await target(given);
  configuredName(stack, selected);
  const { name, realm, user, password } = await accountOf(stack, selected.zone.ring);
  // On Docker, no Job secures databases that were created while the server accepted requests without a password.
  const closes = ringOf(stack, selected)?.database.engine !== "bigcouch";
  return firstBoot(selected, node, "security account", {
    CLOSE_DATABASES: closes ? "yes" : "",
    ACCOUNT_NAME: name,
    ACCOUNT_REALM: realm,
    ACCOUNT_USER: user,
    ACCOUNT_PASSWORD: password,
  });
}

/** Registers Monster UI's apps with the master account. */
export async function initApps(given: AccountOptions): Promise<number> {
  const { stack, selected, node } = await target(given);
  const { path, url } = apps(stack, selected, given);
  return firstBoot(selected, node, "apps", { APPS_PATH: path, APPS_URL: url });
}

/** Shows the master account, as Kazoo reports it. */
export async function getMasterAccount(given: AccountOptions): Promise<number> {
  const { stack, selected, node } = await target(given);
  return runScriptInside(node, findAccount(given.name ?? configuredName(stack, selected)));
}

async function target(given: AccountOptions): Promise<{ stack: Stack; selected: SelectedZone; node: ZoneNode }> {
  const stack = await openStack(given.stack, reportToStderr);
  const selected = await selectZone(stack, given);
  return { stack, selected, node: await selectNode(selected, given) };
}

/** Runs steps of the bootstrap Job's script in the container of a running Kazoo node, which has the database's credentials. */
function firstBoot(
  { zone }: SelectedZone,
  node: ZoneNode,
  steps: "security account" | "apps",
  variables: Readonly<Record<string, string>>,
): Promise<number> {
  const all = { STEPS: steps, DATABASE_URL: zone.endpoints.database, ...variables };
  const settings = Object.entries(all).map(([name, value]) => `export ${name}=${quoted(value)}`);
  const credentials = ['export DATABASE_USER="$COUCHDB_USER"', 'export DATABASE_PASSWORD="$COUCHDB_PASS"'];
  const script = readFileSync(join(projectDirectory, bootstrapScriptPath), "utf8");
  return runScriptInside(node, [...settings, ...credentials, script].join("\n"));
}

/** A script that shows an account; sup exits with 0 even if there is none. */
const findAccount = (name: string): string =>
  `said=$(sup crossbar_maintenance find_account_by_name ${quoted(name)} 2>&1 </dev/null) || { printf '%s\\n' "$said" >&2; exit 1; }
printf '%s\\n' "$said"
case "$said" in *'Account ID: '*) exit 0 ;; *) exit 1 ;; esac
`;

const ringOf = ({ platform }: Stack, { zone }: SelectedZone) => platform.rings[zone.ring];

function missing({ name }: Stack, { zone }: SelectedZone): UserError {
  return new UserError(
    `ring ${zone.ring} has no masterAccount in Pulumi.${name}.yaml`,
    `add it: kazoo:rings: { ${zone.ring}: { masterAccount: { name: example, realm: sip.example.com, user: admin } } }`,
  );
}

function configuredName(stack: Stack, selected: SelectedZone): string {
  const account = ringOf(stack, selected)?.masterAccount;
  if (account === undefined) throw missing(stack, selected);
  return account.name;
}

function apps(stack: Stack, selected: SelectedZone, given: AccountOptions): { path: string; url: string } {
  const configured = ringOf(stack, selected)?.masterAccount?.monsterUi;
  const published = selected.cluster.kind === "docker" ? `${selected.zone.endpoints.crossbar}/v2` : undefined;
  const url = given.url ?? configured?.url ?? published;
  if (url === undefined) {
    throw new UserError(
      "the apps need the address of the API: browsers cannot reach the cluster's own names",
      "set URL= (or --url), or masterAccount.monsterUi.url in the stack's file, e.g. https://kazoo.example.com:8443/v2",
    );
  }
  return { path: given.path ?? configured?.path ?? appsPath, url };
}
