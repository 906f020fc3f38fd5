import { stringify } from "yaml";

/** A stack file of `regions` regions with `datacenters` datacenters each, all in one ring, each region in its own cluster. */
export function largeStack(regions: number, datacenters: number, ring: object = { kazoo: "4.3" }): string {
  const regionNames = ["us-east", "us-west", "europe", "asia", ...Array.from({ length: 28 }, (_, i) => `region-${i}`)];
  const named = regionNames.slice(0, regions);
  const names = ["nyc", "bos", "phl", "dca", "atl", "mia", "clt", "pit"];
  const inRegion = Array.from({ length: datacenters }, (_, index) => names[index] ?? `dc-${index}`);
  return stringify({
    config: {
      "kazoo:clusters": Object.fromEntries(
        named.map((name, index) => [
          name,
          { context: `prod-${name}`, clusterDomain: `${name}.internal`, podNetwork: `10.${index * 4}.0.0/14` },
        ]),
      ),
      "kazoo:image": { build: { registry: "registry.example.com", repository: "telephony/kazoo" } },
      "kazoo:rings": { main: ring },
      "kazoo:ring": "main",
      "kazoo:mediaNetworks": ["192.0.2.0/24"],
      "kazoo:workloads": { kazoo: { replicas: 3 }, database: { replicas: 3 } },
      "kazoo:regions": Object.fromEntries(
        named.map((name) => [
          name,
          { cluster: name, datacenters: Object.fromEntries(inRegion.map((datacenter) => [datacenter, {}])) },
        ]),
      ),
    },
  });
}
