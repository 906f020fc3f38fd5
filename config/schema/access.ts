import { z } from "zod";
import { cidr, dnsLabel, dnsName, field, mapping, named, text, wholeNumber } from "./fields";

/** Keys for access to Kazoo from outside its cluster. */

const annotationKey = z.string().max(317);

const annotationValue = field(z.string(), {
  description: "Value of an annotation.",
  expected: "text",
  example: '"true"',
});

const nodePort = (what: string) =>
  field(wholeNumber(1, 65535), {
    description: `Port of ${what} on every node, within the range of the API server (30000 to 32767 unless configured).`,
    expected: "a port, a whole number from 1 to 65535",
    example: "30800",
    default: "Kubernetes chooses one",
  }).optional();

/** The Service `kazoo`. */
export const service = mapping(
  {
    type: field(z.enum(["ClusterIP", "NodePort", "LoadBalancer"]), {
      description: "Type of the Service `kazoo` (Crossbar 8000, Blackhole 5555).",
      expected: "one of ClusterIP, NodePort, LoadBalancer",
      example: "LoadBalancer",
    }).default("ClusterIP"),
    annotations: named(annotationKey, annotationValue, {
      description: "Annotations of the Service `kazoo`, for example for a load balancer.",
      expected: "a mapping from annotations to text",
      example: '{ example.com/internal: "true" }',
    }).default({}),
    externalTrafficPolicy: field(z.enum(["Cluster", "Local"]), {
      description:
        "Where Kubernetes routes connections from outside: `Cluster` to any Kazoo node, `Local` only to Kazoo nodes on the Kubernetes node that receives them, which keeps the client's address. Not with ClusterIP.",
      expected: "one of Cluster, Local",
      example: "Local",
      default: "Kubernetes', Cluster",
    }).optional(),
    loadBalancerSourceRanges: field(z.array(cidr).min(1), {
      description: "Networks from which the load balancer accepts connections. Only with LoadBalancer.",
      expected: "a list of at least one network in CIDR notation",
      example: "[198.51.100.0/24]",
      default: "everywhere",
    }).optional(),
    loadBalancerClass: field(
      text(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/).max(317),
      {
        description:
          "Implementation of the load balancer. Only with LoadBalancer. A change replaces the Service, and may change its address.",
        expected: "the name of a class, with its domain in front if it has one",
        example: "example.com/internal",
        default: "the cluster's default",
      },
    ).optional(),
    nodePorts: mapping(
      { crossbar: nodePort("Crossbar's API"), websockets: nodePort("Blackhole's websockets") },
      "Fixed ports on the cluster's nodes. Not with ClusterIP.",
      "{ crossbar: 30800, websockets: 30555 }",
    ).optional(),
  },
  "The Service `kazoo`.",
  "{ type: LoadBalancer }",
).prefault({});

const clientHost = field(dnsName, {
  description: "Host name at which clients reach the datacenter. Required, and each datacenter has its own.",
  expected: "a DNS name",
  example: "kazoo.example.com",
}).optional();

const websockets = mapping(
  {
    host: field(dnsName, {
      description: "Host name of the websockets.",
      expected: "a DNS name",
      example: "ws.example.com",
      default: "Crossbar's",
    }).optional(),
    path: field(text(/^\/[A-Za-z0-9._/-]*$/), {
      description: "Path of the websockets.",
      expected: "an absolute path",
      example: "/websockets",
      default: "`/websockets`, or `/` with a host of their own",
    }).optional(),
  },
  "Where clients reach Blackhole's websockets.",
  "{ host: ws.example.com }",
).prefault({});

const controllerNamespace = (what: string) =>
  field(dnsLabel, {
    description: `Namespace of ${what}. If given, clients reach Kazoo's ports 8000, 8443 and 5555 from this namespace only. Not for pods on the host network.`,
    expected: "the name of a namespace",
    example: "ingress-nginx",
    default: "none, Kazoo's ports are open to everyone",
  }).optional();

const issuer = (kind: string) =>
  field(dnsName, {
    description: `Name of ${kind} of cert-manager, which issues the certificate.`,
    expected: `the name of ${kind}`,
    example: "letsencrypt",
  }).optional();

/** An Ingress for Crossbar and the websockets. */
export const ingress = mapping(
  {
    host: clientHost,
    class: field(dnsName, {
      description: "IngressClass.",
      expected: "the name of an IngressClass",
      example: "nginx",
      default: "the cluster's default class",
    }).optional(),
    tls: mapping(
      {
        secretName: field(dnsName, {
          description: "Secret with the certificate, in the datacenter's namespace.",
          expected: "the name of a Secret",
          example: "kazoo-example-com",
          default: "`kazoo-tls`, if an issuer creates it",
        }).optional(),
        issuer: issuer("an Issuer"),
        clusterIssuer: issuer("a ClusterIssuer"),
      },
      "TLS, with an existing Secret or one that cert-manager creates. Without this key, clients use plain HTTP.",
      "{ clusterIssuer: letsencrypt }",
    ).optional(),
    annotations: named(annotationKey, annotationValue, {
      description: "Annotations for the Ingress controller; they override those that keep websockets open.",
      expected: "a mapping from annotations to text",
      example: "{ nginx.ingress.kubernetes.io/proxy-body-size: 8m }",
    }).default({}),
    websockets,
    controllerNamespace: controllerNamespace("the Ingress controller"),
  },
  "An Ingress to Crossbar and Blackhole's websockets.",
  "{ host: kazoo.example.com, class: nginx, tls: { clusterIssuer: letsencrypt } }",
).optional();

/** Routes of the Gateway API for Crossbar and the websockets, instead of an Ingress. */
export const gateway = mapping(
  {
    host: clientHost,
    name: field(dnsName, {
      description: "Name of an existing Gateway. Required.",
      expected: "the name of a Gateway",
      example: "public",
    }).optional(),
    namespace: field(dnsLabel, {
      description: "Namespace of the Gateway, whose listener must accept routes from the datacenter's namespace.",
      expected: "the name of a namespace",
      example: "gateways",
      default: "the datacenter's",
    }).optional(),
    sectionName: field(dnsName, {
      description: "Name of the Gateway's listener.",
      expected: "the name of a listener",
      example: "https",
      default: "all matching listeners of the Gateway",
    }).optional(),
    tls: field(z.boolean(), {
      description: "Whether the listener has TLS, for the URLs in the outputs.",
      expected: "true or false, without quotes",
    }).default(true),
    websockets,
    controllerNamespace: controllerNamespace("the Gateway's proxies"),
  },
  "HTTPRoutes from an existing Gateway (Gateway API) to Crossbar and Blackhole's websockets, instead of `ingress`.",
  "{ host: kazoo.example.com, name: public, namespace: gateways }",
).optional();
