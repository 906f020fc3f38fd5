import http from "node:http";
import https, { type RequestOptions } from "node:https";
import type { KubernetesCluster, Platform } from "../../../config/platform";
import type { UnseenCluster } from "../../report/model";
import { UserError } from "../../shared/terminal";
import { asking, clientsOf } from "./kubernetes";

/**
 * The clusters of a stack that do not answer. Pulumi does not notice this in a preview, and reports no problem. Sandbox clusters are skipped,
 * because they were just started, and so are Docker Engines, because their provider checks them.
 * @param patience time limit for each, in milliseconds
 */
export async function unseenClusters(
  { clusters, zones }: Pick<Platform, "clusters" | "zones">,
  patience = 20_000,
): Promise<UnseenCluster[]> {
  const asked = Object.values(clusters).filter(
    (cluster): cluster is KubernetesCluster => cluster.kind === "kubernetes",
  );
  const found = await Promise.all(
    asked.map(async (cluster): Promise<UnseenCluster[]> => {
      try {
        await answers(cluster, patience);
        return [];
      } catch (error) {
        const { message, next } = error instanceof UserError ? error : new UserError(String(error));
        const inside = zones.filter((zone) => zone.cluster === cluster.name).map(({ name }) => name);
        return [{ cluster: cluster.name, zones: inside, problem: message, next: next ?? "" }];
      }
    }),
  );
  return found.flat();
}

/** Asks an API server for its version, which everyone may know. */
async function answers(cluster: KubernetesCluster, patience: number): Promise<void> {
  const { config } = await clientsOf(cluster);
  await asking(cluster, async () => {
    const options: RequestOptions = { headers: { Accept: "application/json" } };
    const url = `${config.getCurrentCluster()?.server}/version`;
    // The client refuses to send credentials over plain HTTP.
    if (url.startsWith("https:")) await config.applyToHTTPSOptions(options);
    const { code, body } = await get(url, options, patience);
    // A refusal (403) is an answer, too.
    if (code >= 400 && code !== 403) throw Object.assign(new Error(`HTTP ${code}`), { code, body });
  });
}

const get = (url: string, options: RequestOptions, patience: number) =>
  new Promise<{ code: number; body: string }>((done, failed) => {
    const request = (url.startsWith("http:") ? http : https).get(
      url,
      { ...options, signal: AbortSignal.timeout(patience) },
      (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (text: string) => (body += text));
        answer.on("error", failed).on("end", () => done({ code: answer.statusCode ?? 0, body }));
      },
    );
    request.on("error", (error) => {
      failed(error.name === "AbortError" ? new Error(`no answer within ${patience / 1000} s`) : error);
    });
  });

/** Whether none of a stack's clusters answers, so that there is nothing to look at. */
export const allUnseen = ({ clusters }: Platform, unseen: readonly UnseenCluster[]): boolean =>
  unseen.length > 0 && unseen.length === Object.keys(clusters).length;

/**
 * The error of clusters that do not answer.
 * @param unseen at least one
 */
export const unseenError = (unseen: readonly UnseenCluster[]): UserError =>
  new UserError(unseen.map(unseenLine).join("\n"), [...new Set(unseen.map(({ next }) => next))].join("\n"));

/** The affected zones and the problem, in one line. */
export const unseenLine = ({ zones, problem }: UnseenCluster): string => `${zones.join(", ") || "no zone"}: ${problem}`;
