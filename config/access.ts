import { z } from "zod";
import { cidr, field, mapping, named, text, wholeNumber } from "./fields";

/** The keys that say how Kazoo is reached from outside of its cluster. */

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
        "Where connections from outside go: `Cluster` to any Kazoo node, `Local` only to those on the node that they reach, which keeps the client's address. Not with ClusterIP.",
      expected: "one of Cluster, Local",
      example: "Local",
      default: "Kubernetes', Cluster",
    }).optional(),
    loadBalancerSourceRanges: field(z.array(cidr).min(1), {
      description: "Networks from which the load balancer takes connections. Only with LoadBalancer.",
      expected: "a list of at least one network in CIDR notation",
      example: "[198.51.100.0/24]",
      default: "everywhere",
    }).optional(),
    loadBalancerClass: field(
      text(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/).max(317),
      {
        description:
          "Implementation of the load balancer. Only with LoadBalancer. A change replaces the Service, and may change its address.",
        expected: "the name of a class, with its domain in front where it has one",
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
