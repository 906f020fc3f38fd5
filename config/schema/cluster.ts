import { z } from "zod";
import { cidr, dnsLabel, dnsName, field, mapping, text, wholeNumber, dnsLabelWords, yesOrNo } from "./fields";

/** Address of a Docker Engine. */
export const engine = text(/^(unix:\/\/\/|tcp:\/\/|ssh:\/\/)\S+$/);

const publishedPort = (what: string, fallback: number) =>
  field(wholeNumber(1, 65535), {
    description: `Published port of ${what}.`,
    expected: "a port, a whole number from 1 to 65535",
  }).default(fallback);

/** The Docker Engine of this machine. */
export const localEngine = "unix:///var/run/docker.sock";

const dockerCluster = mapping(
  {
    host: field(engine, {
      description: "Address of the Docker Engine.",
      expected: "unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST",
    }).default(localEngine),
    network: field(dnsLabel, {
      description: "Name of the Docker network, which the stack creates; host names end in it, as in `kazoo.local`.",
      expected: dnsLabelWords,
    }).default("local"),
    address: field(z.union([z.ipv4(), z.ipv6()]), {
      description: "Address on which Kazoo's ports are published; `0.0.0.0` for all.",
      expected: "an IP address",
    }).default("127.0.0.1"),
    ports: mapping(
      {
        crossbar: publishedPort("Crossbar's API", 8000),
        websockets: publishedPort("Blackhole's websockets", 5555),
      },
      "Kazoo's published ports.",
      "{ crossbar: 18000 }",
    ).prefault({}),
  },
  "A Docker Engine instead of Kubernetes: one datacenter, for development and tests on one machine.",
  "{ network: local }",
).optional();

/**
 * How fast the provider asks a cluster's API server: a stack of many datacenters sends thousands of requests, and the provider's own limits, 50 and
 * 120, make it wait.
 */
export const requestLimits = { qps: 200, burst: 400, timeout: 32 } as const;

const apiClient = mapping(
  {
    qps: field(wholeNumber(1, 10_000), {
      description: "Requests per second, on average.",
      expected: "a whole number from 1 to 10000",
    }).default(requestLimits.qps),
    burst: field(wholeNumber(1, 10_000), {
      description: "Requests at once.",
      expected: "a whole number from 1 to 10000",
    }).default(requestLimits.burst),
    timeout: field(wholeNumber(1, 3600), {
      description: "Seconds until a request that is not answered fails.",
      expected: "a whole number of seconds from 1 to 3600",
    }).default(requestLimits.timeout),
  },
  "How fast Pulumi's provider asks the cluster's API server. If the key is missing, `kazoo` uses these defaults, unless `PULUMI_K8S_CLIENT_QPS`, `PULUMI_K8S_CLIENT_BURST` and `PULUMI_K8S_CLIENT_TIMEOUT` are set.",
  "{ qps: 50, burst: 100 }",
).optional();

/** The schema of a cluster. */
export const cluster = mapping(
  {
    sandbox: field(z.boolean(), {
      description: "The embedded control plane with simulated nodes, instead of `context`.",
      expected: yesOrNo,
      example: "true",
    }).default(false),
    context: field(z.string().min(1), {
      description: "The cluster's context in the kubeconfig.",
      expected: "the name of a context in your kubeconfig",
      example: "prod-east",
    }).optional(),
    kubeconfig: field(z.string().min(1), {
      description: "Path of the kubeconfig, relative to the project's folder.",
      expected: "the path of a kubeconfig file",
      example: "./kubeconfig.yaml",
      default: "`$KUBECONFIG`, else `~/.kube/config`",
    }).optional(),
    clusterDomain: field(dnsName, {
      description:
        "DNS domain of the cluster. It is part of every node's name, so it cannot change later. A ring over several clusters needs a different one in each.",
      expected: "a DNS domain",
      example: "east.internal",
    }).default("cluster.local"),
    docker: dockerCluster,
    podNetwork: field(cidr, {
      description:
        "Network of the cluster's pods, routed to the ring's other clusters. Required if a ring spans several clusters.",
      expected: "a network in CIDR notation",
      example: "10.8.0.0/14",
    }).optional(),
    apiClient,
  },
  "A Kubernetes cluster, `sandbox: true` or a `context`, or a Docker Engine, `docker`.",
  "{ context: prod-east, clusterDomain: east.internal }",
);
