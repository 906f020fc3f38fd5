/** Text in pictures: font sizes, and estimated widths, because no browser can measure it. */

export const lineHeight = { title: 20, note: 16 } as const;
export const fontSize = { title: 14, note: 12 } as const;

const narrow = /[ijlt.,:;|'()[\] fr-]/;
const wide = /[mwMW@%]/;

/** Width of a line in pixels, in one of the wider fonts that a system may have: rather too wide than too narrow. */
export function widthOf(text: string, kind: keyof typeof fontSize): number {
  const ems = [...text].reduce(
    (sum, letter) => sum + (narrow.test(letter) ? 0.42 : wide.test(letter) ? 0.98 : /[A-Z]/.test(letter) ? 0.72 : 0.63),
    0,
  );
  return Math.ceil(ems * fontSize[kind] * (kind === "title" ? 1.1 : 1));
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text for XML and HTML, also between quotes. Characters that XML cannot have at all become a question mark. */
export const escaped = (text: string): string =>
  text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "?")
    .replace(/[&<>"']/g, (character) => entities[character] ?? character);
