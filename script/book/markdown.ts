/** Pieces of Markdown for vitepress, which reads HTML and Vue's braces in prose. */

/** Text that is no markup, whatever it holds. */
export const prose = (text: string): string =>
  text
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/[\\*_[\]|`~]/g, "\\$&")
    .replace(/\{/g, "&#123;");

export const code = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\``;

export const bullets = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join("\n");

export const details = (title: string, body: string): string => `::: details ${title}\n${body}\n:::`;

const isLink = (cell: string): boolean => /^\[.*\]\(.*\)$/.test(cell);

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => (isLink(cell) ? cell : prose(cell))).join(" | ")} |`;
  return [row(head), `|${head.map(() => "---|").join("")}`, ...rows.map(row)].join("\n");
}
