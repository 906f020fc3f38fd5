/**
 * A page with generated text between the markers of its name, `<!-- NAME: begin -->` and `<!-- NAME: end -->`.
 * @throws Error if the page has no markers
 */
export function withGenerated(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const [before, rest = ""] = page.split(begin);
  const after = rest.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`the page lacks the markers ${begin} and ${end}`);
  return `${before}${begin}\n\n${text}\n\n${end}${after}`;
}
