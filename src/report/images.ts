import type { ColormapName } from "../xai/colormaps.ts";
import { colormap } from "../xai/colormaps.ts";
import { type Html, html } from "./html.ts";
import type { EncodePng, RgbImage } from "./types.ts";

export interface PictureOptions {
  readonly alt: string;
  /** The width aimed at on a wide screen, in CSS pixels. */
  readonly target: number;
}

/**
 * An image element with the PNG inside. Pictures smaller than the target are enlarged by a whole factor with hard
 * pixel edges: what the network saw, not a smoothed guess at it.
 */
export function picture(image: RgbImage, encodePng: EncodePng, { alt, target }: PictureOptions): Html {
  const factor = Math.max(1, Math.round(target / image.width));
  const shown = factor > 1 ? image.width * factor : Math.min(image.width, target);
  const source = `data:image/png;base64,${Buffer.from(encodePng(image)).toString("base64")}`;
  return html`<img src="${source}" alt="${alt}" width="${image.width}" height="${image.height}" style="width:${shown}px"${factor > 1 && html` class="pixels"`} decoding="async">`;
}

/** Shrink by the largest whole factor that keeps at least `width` pixels, averaging; a thumbnail need not carry a photograph. */
export function shrink(image: RgbImage, width: number): RgbImage {
  const factor = Math.floor(Math.min(image.width, image.height) / width);
  if (factor < 2) return image;
  const small = { width: Math.floor(image.width / factor), height: Math.floor(image.height / factor) };
  const data = new Uint8Array(3 * small.width * small.height);
  for (let i = 0; i < data.length; i++) {
    const channel = i % 3;
    const x = Math.floor(i / 3) % small.width;
    const y = Math.floor(i / 3 / small.width);
    let total = 0;
    for (let dy = 0; dy < factor; dy++) {
      const row = (y * factor + dy) * image.width + x * factor;
      for (let dx = 0; dx < factor; dx++) total += image.data[3 * (row + dx) + channel];
    }
    data[i] = Math.round(total / factor ** 2);
  }
  return { ...small, data };
}

/** A bar with the colours of a map and words at its ends. */
export function colourBar(name: ColormapName, low: string, high: string): Html {
  const { table, kind } = colormap(name);
  const first = kind === "diverging" ? 1 : 0;
  const stops = Array.from({ length: 17 }, (_, i) => {
    const entry = 3 * Math.round(first + ((255 - first) * i) / 16);
    return `rgb(${table[entry]} ${table[entry + 1]} ${table[entry + 2]})`;
  });
  return html`<span class="colour-bar"><span>${low}</span><span class="ramp" style="background:linear-gradient(90deg,${stops.join(",")})"></span><span>${high}</span></span>`;
}
