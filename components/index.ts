/** The components, for this program and for others: see examples/components. */
export { BigCouch, type BigCouchArgs, type DatabaseNode, type Quorum } from "./bigcouch";
export { BootstrapJob, type BootstrapJobArgs, type MasterAccount } from "./bootstrapJob";
export { type Cluster, clustersOf, orderOf } from "./clusters";
export type { Datacenter, DatacenterArgs, FirstBoot, ImageReference, KazooNodes } from "./datacenter";
export { DockerDatacenter, type DockerDatacenterArgs } from "./dockerDatacenter";
export { ErlangCookie, type ErlangCookieArgs } from "./erlangCookie";
export { refuseChange } from "./guard";
export { kazooImage } from "./image";
export { JoinJob, type JoinJobArgs } from "./joinJob";
export { Kazoo, type KazooArgs, type ZoneBrokers } from "./kazoo";
export { KazooImage, type KazooImageArgs } from "./kazooImage";
export { KubernetesDatacenter, type KubernetesDatacenterArgs } from "./kubernetesDatacenter";
export { NetworkPolicies, type NetworkPoliciesArgs } from "./networkPolicies";
export { RingOrder } from "./order";
export { type MasterAccountOutputs, type StackOutputs, stackOutputs, type ZoneOutputs } from "./outputs";
export { RabbitMQ, type RabbitMQArgs } from "./rabbitmq";
export { type GivenCredentials, Ring, type RingArgs, type RingCredentials } from "./ring";
export { clusterRollouts, type Rollouts } from "./rollout";
