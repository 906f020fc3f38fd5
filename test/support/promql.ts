import { parser } from "@prometheus-io/lezer-promql";

/** The names of the series in an expression. */
export function seriesIn(expression: string): string[] {
  const names = new Set<string>();
  parser.parse(expression).iterate({
    enter: (node) => {
      if (node.name !== "VectorSelector") return;
      const identifier = node.node.getChild("Identifier");
      if (identifier !== null) names.add(expression.slice(identifier.from, identifier.to));
    },
  });
  return [...names];
}
