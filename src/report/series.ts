import { type Html, html } from "./html.ts";
import { style } from "./style.ts";

const shown = 6;

/** The colour of a model's or a policy's curves by its place; the first is the baseline's quiet one. */
export const seriesColour = (place: number): string => `var(--series-${place % shown})`;

/** Curves beyond those that have colours of their own are dashed. */
export const seriesDash = (place: number): string | undefined => (place >= shown ? "4 3" : undefined);

/** The names with the colours of their curves. */
export const seriesLegend = (names: readonly string[]): Html => html`
  <p class="legend">${names.map((name, place) => html`<span class="key series" style="--series:${seriesColour(place)}">${name}</span> `)}</p>`;

/** A chart as a file of its own: the page's light colours instead of its variables, on white. */
export function standaloneSvg(chart: Html): string {
  const colours = new Map(
    [...style.matchAll(/(--[\w-]+): (#[0-9a-f]{6})/g)].reverse().map(([, name, value]) => [name, value]),
  );
  return chart.text
    .replace(/var\((--[\w-]+)\)/g, (_, name: string) => colours.get(name) ?? "#000000")
    .replace("<svg ", '<svg style="background:#ffffff;font-family:sans-serif" ')
    .concat("\n");
}
