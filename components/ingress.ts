import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { clientUrls, services } from "../config/hosts";
import { doNotWait, workloadLabels } from "./labels";
import { clientRoutes, kazooPorts, workloads } from "./names";

export interface IngressArgs {
  /** Namespace of the Service `kazoo`. */
  readonly namespace: pulumi.Input<string>;
  /** Host name of Crossbar's API. */
  readonly host: string;
  /** Host and path of Blackhole's websockets. @default path /websockets of the host */
  readonly websockets?: { readonly host: string; readonly path: string };
  /** IngressClass. @default the cluster's default class */
  readonly class?: string;
  /** Secret with the certificate, and cert-manager's issuer that creates it. @default plain HTTP */
  readonly tls?: { readonly secretName: string; readonly issuer?: string; readonly clusterIssuer?: string };
  /** Annotations for the Ingress controller; they override those that keep websockets open. @default none */
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Routes to Crossbar and to Blackhole's websockets through an Ingress controller. There are two Ingresses, because annotations apply to a whole
 * Ingress, and the websockets need some of their own.
 */
export class Ingress extends pulumi.ComponentResource {
  /** URLs for clients. */
  readonly urls: { readonly crossbar: string; readonly websockets: string };

  constructor(name: string, args: IngressArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:Ingress", name, {}, opts);
    const { host, websockets = { host, path: "/websockets" }, tls, annotations = {} } = args;
    const ingress = (
      part: keyof typeof clientRoutes,
      on: { readonly host: string; readonly path: string; readonly pathType: "Prefix" | "Exact" },
      tlsHosts: readonly string[],
      own: Readonly<Record<string, string>>,
    ) =>
      new k8s.networking.v1.Ingress(
        `${name}-${part}`,
        {
          metadata: {
            name: clientRoutes[part],
            namespace: args.namespace,
            labels: workloadLabels(workloads.kazoo),
            annotations: { ...doNotWait, ...own, ...annotations },
          },
          spec: {
            ...(args.class === undefined ? {} : { ingressClassName: args.class }),
            ...(tls === undefined ? {} : { tls: [{ hosts: [...tlsHosts], secretName: tls.secretName }] }),
            rules: [
              {
                host: on.host,
                http: {
                  paths: [
                    {
                      path: on.path,
                      pathType: on.pathType,
                      backend: { service: { name: services.kazoo, port: { number: kazooPorts[part] } } },
                    },
                  ],
                },
              },
            ],
          },
        },
        { parent: this },
      );
    // The certificate is requested once, for both hosts, because cert-manager lets only one Ingress own it.
    ingress("crossbar", { host, path: "/", pathType: "Prefix" }, [...new Set([host, websockets.host])], issuerOf(tls));
    const own = { ...longConnections, ...(websockets.path === "/" ? {} : toRoot) };
    ingress("websockets", { ...websockets, pathType: "Exact" }, [websockets.host], own);
    this.urls = clientUrls({ host, websockets }, tls !== undefined);
    this.registerOutputs({ urls: this.urls });
  }
}

const issuerOf = ({ issuer, clusterIssuer }: Omit<NonNullable<IngressArgs["tls"]>, "secretName"> = {}) => ({
  ...(issuer === undefined ? {} : { "cert-manager.io/issuer": issuer }),
  ...(clusterIssuer === undefined ? {} : { "cert-manager.io/cluster-issuer": clusterIssuer }),
});

/** Keeps a websocket without traffic open for an hour; ingress-nginx would close it after a minute. Controllers ignore annotations of others. */
const longConnections = {
  "nginx.ingress.kubernetes.io/proxy-read-timeout": "3600",
  "nginx.ingress.kubernetes.io/proxy-send-timeout": "3600",
  "haproxy.org/timeout-tunnel": "1h",
  "haproxy-ingress.github.io/timeout-tunnel": "1h",
};

/** Older versions of Blackhole answer only at the root path. */
const toRoot = {
  "nginx.ingress.kubernetes.io/rewrite-target": "/",
  "haproxy.org/path-rewrite": "/",
  "haproxy-ingress.github.io/rewrite-target": "/",
};
