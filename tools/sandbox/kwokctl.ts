import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { UserError } from "../shared/terminal";
import { type ClusterFiles, type Component, components, kwokctlName } from "./files";
import { clusterPorts } from "./ports";
import { type ClusterSettings, networks, serverUrl } from "./settings";
import { simulatedNodeAnnotation, stageFolders } from "./simulation";

/** Flags of a program, without `--`, and their values. */
type Flags = Readonly<Record<string, string | number | boolean>>;

/** The settings from which a cluster is created. */
export interface ClusterOptions {
  readonly files: ClusterFiles;
  readonly settings: ClusterSettings;
  /** Absolute path of a program. */
  readonly binary: (part: Component | "kwokctl") => string;
  /** KWOK's stage files' folder. */
  readonly stages: string;
  /** Number of nodes that KWOK simulates. With 0, KWOK does not run, and claims bind only to volumes that something else creates. */
  readonly simulatedNodes: number;
  /** Additional flags per program; they override the sandbox's own. */
  readonly extraFlags?: Partial<Readonly<Record<Component, Flags>>>;
}

/** The configuration from which kwokctl creates a cluster, as YAML. */
export function clusterConfig(options: ClusterOptions): string {
  const { files, settings, binary } = options;
  const ports = clusterPorts(settings.port);
  const configuration = {
    apiVersion: "config.kwok.x-k8s.io/v1alpha1",
    kind: "KwokctlConfiguration",
    options: {
      runtime: "binary",
      bindAddress: "127.0.0.1",
      etcdPort: ports.etcd,
      etcdPeerPort: ports.etcdPeer,
      kubeApiserverPort: ports.apiServer,
      kubeControllerManagerPort: ports.controllerManager,
      kubeSchedulerPort: ports.scheduler,
      kubeApiserverCertSANs: [settings.address, networks(settings).serviceAddress],
      etcdBinary: binary("etcd"),
      kubeApiserverBinary: binary("kube-apiserver"),
      kubeControllerManagerBinary: binary("kube-controller-manager"),
      kubeSchedulerBinary: binary("kube-scheduler"),
      kwokControllerBinary: binary("kwok"),
      kubectlBinary: noKubectl(files),
      // With the default limits, 20 to 50 requests per second, a stack of a thousand objects waits for a minute.
      disableQPSLimits: true,
      ...(options.simulatedNodes === 0 ? { disable: [kwokctlName("kwok")] } : {}),
      ...(settings.audit ? { kubeAuditPolicy: join(__dirname, "auditPolicy.yaml") } : {}),
    },
    componentsPatches: components.map((component) => {
      const { replaced = {}, added = {} } = flags(options)[component];
      const list = (some: Flags, override: boolean): object[] =>
        Object.entries(some).map(([key, value]) => ({ key, value: String(value), override }));
      const extra = options.extraFlags?.[component] ?? {};
      return {
        name: kwokctlName(component),
        extraArgs: [...list(replaced, true), ...list({ ...added, ...extra }, false)],
      };
    }),
  };
  const ownStages = ["podReadyAgain.yaml", "claimGrown.yaml"].map((file) =>
    readFileSync(join(__dirname, file), "utf8"),
  );
  return [stringify(configuration, { lineWidth: 0 }), ...ownStages].join("---\n");
}

/** Flags in which the sandbox differs from kwokctl: those that kwokctl sets to another value, and those that it does not set. */
function flags(options: ClusterOptions): Record<Component, { replaced?: Flags; added?: Flags }> {
  const { files, settings } = options;
  const { address } = settings;
  const ports = clusterPorts(settings.port);
  const ranges = networks(settings);
  const loopback = address.startsWith("127.");
  const etcd = `https://127.0.0.1:${ports.etcd}`;
  const peer = `https://127.0.0.1:${ports.etcdPeer}`;
  const authority = files.certificate("ca");
  const serving = { "tls-cert-file": files.certificate("admin"), "tls-private-key-file": files.key("admin") };
  // kwokctl's kubeconfig always names loopback.
  const client = loopback ? {} : { master: serverUrl(settings) };
  const controller = { ...client, ...serving, "leader-elect": false, profiling: false }; // one instance: no leader to elect
  const mutualTls = (prefix: string): Flags => ({
    [`${prefix}cert-file`]: files.certificate("admin"),
    [`${prefix}key-file`]: files.key("admin"),
    [`${prefix}trusted-ca-file`]: authority,
    [`${prefix}client-cert-auth`]: true,
  });
  return {
    etcd: {
      // Require client certificates: otherwise every user of the machine could read and write the cluster's data.
      replaced: {
        "data-dir": files.data,
        "listen-client-urls": etcd,
        "advertise-client-urls": etcd,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": `node0=${peer}`,
      },
      added: {
        ...mutualTls(""),
        ...mutualTls("peer-"),
        // Much faster on slow disks. A killed etcd loses nothing, a machine that loses power may.
        "unsafe-no-fsync": true,
        "log-level": "warn",
      },
    },
    "kube-apiserver": {
      replaced: {
        "etcd-servers": etcd,
        "bind-address": address,
        ...(settings.audit ? { "audit-log-path": files.auditLog } : {}),
      },
      added: {
        "etcd-cafile": authority,
        "etcd-certfile": files.certificate("admin"),
        "etcd-keyfile": files.key("admin"),
        "anonymous-auth": false,
        "service-cluster-ip-range": ranges.services,
        // Endpoints must not be loopback addresses, so there the Service "kubernetes" has none.
        ...(loopback
          ? { "endpoint-reconciler-type": "none" }
          : { "endpoint-reconciler-type": "lease", "advertise-address": address }),
        profiling: false,
      },
    },
    "kube-controller-manager": {
      added: {
        ...controller,
        "use-service-account-credentials": true,
        "cluster-signing-cert-file": authority,
        "cluster-signing-key-file": files.key("ca"),
        "allocate-node-cidrs": true,
        "cluster-cidr": ranges.pods,
        "service-cluster-ip-range": ranges.services,
        // The controller manager creates this folder; its default is outside the project.
        "flex-volume-plugin-dir": join(files.work, "flexvolume"),
        "concurrent-statefulset-syncs": 50,
        "concurrent-namespace-syncs": 50,
      },
    },
    "kube-scheduler": { added: controller },
    kwok: {
      replaced: {
        "manage-all-nodes": false,
        "node-ip": "127.0.0.1",
        "node-name": "",
        // No server: simulated containers have no logs and run no commands.
        "node-port": 0,
        "server-address": "",
      },
      added: { ...client, "manage-nodes-with-annotation-selector": simulatedNodeAnnotation.join("=") },
    },
  };
}

/**
 * Path of a script that replaces kubectl and always succeeds. kwokctl uses kubectl to wait for the API server, for up to
 * two minutes, and does not notice that a program has ended. The sandbox waits itself, so it need not build kubectl.
 */
const noKubectl = (files: ClusterFiles): string => join(files.directory, "kubectl");

/** Creates a cluster from `config` and starts its programs. Returns before they are ready. */
export async function createCluster(options: ClusterOptions, config: string): Promise<void> {
  writeFileSync(noKubectl(options.files), "#!/bin/sh\n", { mode: 0o700 });
  const stages = stageFolders(options.stages).map((folder) => `--config=${folder}`);
  await kwokctl(options, ["create", "cluster", "--kubeconfig=", "--config=-", ...stages], config);
}

/** Starts the programs of a cluster that do not run. Returns before they are ready. */
export const startCluster = (options: ClusterOptions): Promise<void> => kwokctl(options, ["start", "cluster"]);

async function kwokctl({ files, binary }: ClusterOptions, args: readonly string[], input = ""): Promise<void> {
  const { execa } = await import("execa");
  const program = binary("kwokctl");
  const umask = process.umask(0o077); // inherited: only the owner can read what kwokctl and the programs write
  const running = execa(program, args, {
    input,
    reject: false,
    // Ctrl-C must not reach kwokctl: it ends within a second or two, and by then has recorded everything that it started.
    detached: true,
    // No proxies, no credentials of the caller, no kubectl on the PATH.
    extendEnv: false,
    env: { PATH: "", HOME: files.directory, KWOK_WORKDIR: files.directory },
    cwd: files.directory,
  });
  process.umask(umask);
  const { failed, stderr, shortMessage } = await running;
  if (!failed) return;
  throw new UserError(
    `kwokctl could not start the sandbox cluster ${files.name}: ${lastError(stderr) ?? shortMessage}`,
    "run make toolchain to restore missing programs, then run the same command again",
  );
}

/** The last error in a log of kwokctl: one JSON object per line. */
function lastError(log = ""): string | undefined {
  const errors = [...log.matchAll(/"err":("(?:[^"\\]|\\.)*")/g)].map(([, text]) => JSON.parse(text ?? "") as string);
  return errors.at(-1);
}
