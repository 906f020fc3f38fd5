import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { clientUrls, services } from "../config/hosts";
import { workloadLabels } from "./labels";
import { clientRoutes, kazooPorts, workloads } from "./names";

export interface GatewayRoutesArgs {
  /** Namespace of the Service `kazoo`. */
  readonly namespace: pulumi.Input<string>;
  /** Host name of Crossbar's API. */
  readonly host: string;
  /** Host and path of Blackhole's websockets. @default path /websockets of the host */
  readonly websockets?: { readonly host: string; readonly path: string };
  /** The existing Gateway. */
  readonly gateway: {
    readonly name: string;
    /** @default that of the routes */
    readonly namespace?: string;
    /** The listener. @default all that match */
    readonly sectionName?: string;
  };
  /** Whether the listener has TLS. @default true */
  readonly tls?: boolean;
}

/** Routes to Crossbar and to Blackhole's websockets through a Gateway (gateway-api.sigs.k8s.io). */
export class GatewayRoutes extends pulumi.ComponentResource {
  /** URLs for clients. */
  readonly urls: { readonly crossbar: string; readonly websockets: string };

  constructor(name: string, args: GatewayRoutesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:GatewayRoutes", name, {}, opts);
    const { host, websockets = { host, path: "/websockets" }, gateway, tls = true } = args;
    const route = (part: keyof typeof clientRoutes, hostname: string, rule: object) =>
      new k8s.apiextensions.CustomResource(
        `${name}-${part}`,
        {
          apiVersion: "gateway.networking.k8s.io/v1",
          kind: "HTTPRoute",
          metadata: { name: clientRoutes[part], namespace: args.namespace, labels: workloadLabels(workloads.kazoo) },
          spec: {
            parentRefs: [gateway],
            hostnames: [hostname],
            rules: [{ ...rule, backendRefs: [{ name: services.kazoo, port: kazooPorts[part] }] }],
          },
        },
        { parent: this },
      );
    route("crossbar", host, { matches: [{ path: { type: "PathPrefix", value: "/" } }] });
    route("websockets", websockets.host, {
      matches: [{ path: { type: "Exact", value: websockets.path } }],
      ...(websockets.path === "/" ? {} : { filters: [toRoot] }),
    });
    this.urls = clientUrls({ host, websockets }, tls);
    this.registerOutputs({ urls: this.urls });
  }
}

/** Older versions of Blackhole answer only at the root path. */
const toRoot = { type: "URLRewrite", urlRewrite: { path: { type: "ReplaceFullPath", replaceFullPath: "/" } } };
