/** Sizes of the workloads where neither the config nor a component's arguments give any, as Kubernetes quantities. */
export const sizes = {
  kazoo: { cpu: "500m", memory: "1Gi", limit: "2Gi", replicas: 1 },
  rabbitmq: { cpu: "250m", memory: "512Mi", limit: "1Gi", storage: "4Gi" },
  database: { cpu: "500m", memory: "1Gi", limit: "2Gi", storage: "20Gi", replicas: 1 },
} as const;
