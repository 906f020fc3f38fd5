/** What is malformed in XML, or in HTML written like XML: tags that do not match, or bare `<`, `&` or quotes; undefined if nothing is. */
export function markupProblem(text: string): string | undefined {
  const open: string[] = [];
  const entity = /&(?!(amp|lt|gt|quot|#\d+);)/;
  const tag = /<(\/?)([a-zA-Z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/y;
  let at = 0;
  while (at < text.length) {
    const next = text.indexOf("<", at);
    const between = text.slice(at, next === -1 ? undefined : next);
    if (open.at(-1) !== "style" && entity.test(between)) return `a bare & in: ${between.slice(0, 80)}`;
    if (next === -1) break;
    tag.lastIndex = next;
    const found = tag.exec(text);
    if (found === null) return `a bare < at: ${text.slice(next, next + 80)}`;
    const [whole, closing, name = "", attributes = "", alone] = found;
    if (entity.test(attributes)) return `a bare & in: ${whole}`;
    const names = [...attributes.matchAll(/([\w:-]+)=/g)].map(([, key]) => key);
    if (closing === "" && new Set(names).size < names.length) return `an attribute twice in: ${whole}`;
    if (closing === "/") {
      if (open.pop() !== name) return `an unexpected ${whole}`;
    } else if (alone === "") open.push(name);
    at = next + whole.length;
  }
  return open.length === 0 ? undefined : `not closed: ${open.join(", ")}`;
}
