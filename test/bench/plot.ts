import type { Result } from "./writePerformance";
import { type Step, steps } from "./contenders";

/** The time of each step by the number of datacenters, as SVG: a line and a symbol for each contender, both axes logarithmic. */
export async function plot(results: readonly Result[]): Promise<string> {
  const { plot: draw, frame, line, dot, text } = await import("@observablehq/plot");
  const { parseHTML } = await import("linkedom");
  const points = results.flatMap(({ datacenters, figures }) =>
    Object.entries(figures).flatMap(([contender, found]) =>
      (Object.entries(found) as [Step, { seconds: number }][]).map(([step, { seconds }]) => ({
        datacenters,
        contender,
        step,
        seconds,
      })),
    ),
  );
  const channels = { fx: "step", x: "datacenters", y: "seconds", stroke: "contender", z: "contender" };
  const contenders = [...new Set(points.map(({ contender }) => contender))];
  const legend = contenders.flatMap((contender, index) => {
    const place = { fx: [steps[0]], frameAnchor: "top-left", dy: 14 + index * 14 } as const;
    return [
      dot([contender], { ...place, dx: 12, stroke: [contender], symbol: [contender], fill: "white" }),
      text([contender], { ...place, dx: 20, textAnchor: "start" }),
    ];
  });
  const svg = draw({
    document: parseHTML("<html></html>").document as unknown as Document,
    width: 1200,
    height: 320,
    marginRight: 20,
    grid: true,
    style: { background: "white", color: "black" },
    // To the base of 10, the axis would not label 8.
    x: {
      type: "log",
      base: 2,
      label: "datacenters",
      ticks: results.map(({ datacenters }) => datacenters),
      tickFormat: "d",
    },
    y: { type: "log", label: "seconds", tickFormat: "~g" },
    fx: { label: null, domain: steps },
    marks: [
      frame(),
      line(points, channels),
      dot(points, { ...channels, symbol: "contender", fill: "white" }),
      ...legend,
    ],
  });
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return svg.outerHTML;
}
