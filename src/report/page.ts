import { type Html, html, markup, scriptJson } from "./html.ts";
import type { Language } from "./language.ts";
import { style } from "./style.ts";

export interface PageParts {
  readonly title: string;
  /** Default English. */
  readonly language?: Language;
  /** What stands above the sections: a heading, and what leads in. */
  readonly header: Html;
  /** Everything below it. */
  readonly body: readonly Html[];
  /** The page's figures for programs, in a script element of this id. */
  readonly figures: { readonly id: string; readonly value: unknown };
}

/** One self-contained HTML page: no request, no script, light and dark. */
export const renderPage = ({ title, language = "en", header, body, figures }: PageParts): string =>
  html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${markup(style)}</style>
</head>
<body>
<main>
${header}
${body}
</main>
<script type="application/json" id="${figures.id}">
${scriptJson(figures.value)}
</script>
</body>
</html>
`.text;

/** The top of a page that reports one measurement. */
export const pageHeader = (title: string, lead: string): Html => html`
<header id="headline">
  <p class="overline">Tepal</p>
  <h1>${title}</h1>
  <p class="lead">${lead}</p>
</header>`;
