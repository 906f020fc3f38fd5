import { createHash } from "node:crypto";
import type { Platform } from "../../../config/platform";
import { regionStack } from "../../../config/stackPart";
import { planUp } from "./regionPlan";

/** What the Pulumi Kubernetes Operator needs to know besides a stack's file. */
export interface OperatorSettings {
  /** The stack that the file is named after, with or without its organization. */
  readonly stack: string;
  /** The file's name. */
  readonly file: string;
  readonly git: {
    readonly repository: string;
    /** Either this or a commit is given. */
    readonly branch?: string | undefined;
    readonly commit?: string | undefined;
    /** Folder of the project in the repository. @default its root */
    readonly folder?: string | undefined;
    /** Secret with an access token in the key `token`. @default none: everyone may read it */
    readonly secret?: string | undefined;
  };
  /** Namespace of the objects. @default where they are applied */
  readonly namespace?: string | undefined;
  /** URL of Pulumi's backend. @default Pulumi Cloud */
  readonly backend?: string | undefined;
  /** What encrypts the stack's secrets, as in its file. @default the backend */
  readonly secretsProvider?: string | undefined;
  /** Secret with Pulumi's access token and passphrase, if they are needed. */
  readonly secret: string;
  /** Secret with the key `kubeconfig`. */
  readonly kubeconfigSecret: string;
  /** ServiceAccount of the pods that run Pulumi. */
  readonly serviceAccount: string;
  /** Image of these pods. */
  readonly image: string;
  /** Whether the regions' stacks are new: they are then created together, because they wait for each other. */
  readonly isNew: boolean;
}

/** How long an earlier stack's success counts. After that, the operator updates it again before the later one. */
const current = "10m";

const kubeconfigFolder = "/etc/kubeconfig";

/**
 * The `Stack` objects of a stack's file: one, or with a stack per region, one for what the regions share and one for each region.
 * @param platform the whole of the file
 */
export function operatorStacks(platform: Platform, settings: OperatorSettings): object[] {
  const { stack } = settings;
  if (platform.stacks === "one") return [stackObject(platform, settings, stack, [])];
  const plans = planUp(
    platform,
    () => !settings.isNew,
    () => !settings.isNew,
  );
  return [
    stackObject(platform, settings, stack, []),
    ...plans.map(({ region, after }) =>
      stackObject(platform, settings, regionStack(stack, region), [
        stack,
        ...after.map((earlier) => regionStack(stack, earlier)),
      ]),
    ),
  ];
}

function stackObject(platform: Platform, settings: OperatorSettings, stack: string, after: readonly string[]): object {
  const { git, namespace, backend, secretsProvider, serviceAccount, image, kubeconfigSecret } = settings;
  return {
    apiVersion: "pulumi.com/v1",
    kind: "Stack",
    metadata: { name: objectName(stack), ...given({ namespace }) },
    spec: {
      stack,
      projectRepo: git.repository,
      ...given({ branch: git.branch, commit: git.commit, repoDir: git.folder }),
      ...(git.secret === undefined
        ? {}
        : { gitAuth: { accessToken: { type: "Secret", secret: { name: git.secret, key: "token" } } } }),
      ...given({ backend, secretsProvider }),
      ...(after.length === 0
        ? {}
        : {
            prerequisites: after.map((earlier) => ({
              name: objectName(earlier),
              requirement: { succeededWithinDuration: current },
            })),
          }),
      envRefs: environment(platform, settings, stack),
      serviceAccountName: serviceAccount,
      workspaceTemplate: {
        spec: {
          image,
          podTemplate: {
            spec: {
              containers: [
                { name: "pulumi", volumeMounts: [{ name: "kubeconfig", mountPath: kubeconfigFolder, readOnly: true }] },
              ],
              volumes: [{ name: "kubeconfig", secret: { secretName: kubeconfigSecret } }],
            },
          },
        },
      },
    },
  };
}

/** The variables of the pod. */
function environment(platform: Platform, settings: OperatorSettings, stack: string): Record<string, object> {
  const literal = (value: string) => ({ type: "Literal", literal: { value } });
  const secrets = secretKeys(settings).map((key) => [
    key,
    { type: "Secret", secret: { name: settings.secret, key } } as object,
  ]);
  return {
    KUBECONFIG: literal(`${kubeconfigFolder}/kubeconfig`),
    // The operator has no --config-file, but Pulumi takes its options from the environment, too: a region's stack has the file of the whole.
    ...(stack === settings.stack ? {} : { PULUMI_OPTION_CONFIG_FILE: literal(settings.file) }),
    ...(platform.policy ? { PULUMI_OPTION_POLICY_PACK: literal("policy") } : {}),
    ...(Object.fromEntries(secrets) as Record<string, object>),
  };
}

/** The keys of the Secret with Pulumi's credentials, each of them a variable of Pulumi. */
export function secretKeys({ backend, secretsProvider }: Pick<OperatorSettings, "backend" | "secretsProvider">) {
  const isService = backend === undefined || /^https?:/.test(backend);
  const isPassphrase = secretsProvider === "passphrase" || (secretsProvider === undefined && !isService);
  return [...(isService ? ["PULUMI_ACCESS_TOKEN"] : []), ...(isPassphrase ? ["PULUMI_CONFIG_PASSPHRASE"] : [])];
}

/** The operator derives longer names from a Stack's name, so it limits its length. */
const longest = 42;

/** A name without dots, because the operator also creates Services, whose names cannot have any. */
export function objectName(stack: string): string {
  const bare = stack.split("/").at(-1) ?? stack;
  const name = bare.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const valid = (/^[a-z]/.test(name) ? name : `stack-${name}`).replace(/-$/, "");
  if (valid.length <= longest) return valid;
  const hash = createHash("sha256").update(bare).digest("hex").slice(0, 8);
  return `${valid.slice(0, longest - hash.length - 1)}-${hash}`;
}

const given = (values: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined));
