/** Markup that is safe to put into a page: made by `html` or, for trusted generators, by `markup`. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

type Part = Html | string | number | null | undefined | false | readonly Part[];

/** A template whose interpolated strings are escaped, so that no class or file name can become markup. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  let text = strings[0];
  parts.forEach((part, i) => {
    text += toText(part) + strings[i + 1];
  });
  return new Html(text);
}

/** Vouches for text as markup: only for what a generator of this folder made, never for data. */
export function markup(text: string): Html {
  return new Html(text);
}

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

/** JSON that cannot end the script element it stands in. */
export function scriptJson(value: unknown): Html {
  return markup(JSON.stringify(value, null, 1).replace(/</g, "\\u003c").replace(/-->/g, "--\\u003e"));
}

function toText(part: Part): string {
  if (part === null || part === undefined || part === false) return "";
  if (part instanceof Html) return part.text;
  if (typeof part === "object") return part.map(toText).join("");
  return escapeHtml(String(part));
}
