/**
 * Writes a contact sheet of the `petals` data set: one row for each species, and with --masks the masks beside the images.
 *   node script/petals-sheet.mjs [--out petals.png] [--size 64] [--columns 12] [--seed 1] [--zoom 1] [--masks]
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import UPNG from "upng-js";

// Node 20 reads no TypeScript, so the module is bundled in memory first.
const entryPoints = [new URL("../src/data/petals.ts", import.meta.url).pathname];
const bundle = await build({ entryPoints, bundle: true, format: "esm", write: false });
const { petalSpecies, renderPetal } = await import(
  `data:text/javascript;base64,${Buffer.from(bundle.outputFiles[0].contents).toString("base64")}`
);

const { values } = parseArgs({
  options: {
    out: { type: "string", default: "petals.png" },
    size: { type: "string", default: "64" },
    columns: { type: "string", default: "12" },
    seed: { type: "string", default: "1" },
    zoom: { type: "string", default: "1" },
    masks: { type: "boolean", default: false },
  },
});
const [size, columns, seed, zoom] = [values.size, values.columns, values.seed, values.zoom].map(Number);
const step = size * zoom + 2;
const width = columns * (values.masks ? 2 : 1) * step;
const height = petalSpecies.length * step;
const sheet = new Uint8Array(width * height * 4).fill(255);

/** Copies a square of `channels` bytes a pixel to the sheet, each pixel `zoom` times. */
function paste(data, channels, left, top) {
  for (let y = 0; y < size * zoom; y++) {
    for (let x = 0; x < size * zoom; x++) {
      const from = (Math.floor(y / zoom) * size + Math.floor(x / zoom)) * channels;
      const to = ((top + y) * width + left + x) * 4;
      for (let c = 0; c < 3; c++) sheet[to + c] = data[from + (channels === 3 ? c : 0)];
    }
  }
}

const start = performance.now();
petalSpecies.forEach((_, species) => {
  for (let column = 0; column < columns; column++) {
    const { image, mask } = renderPetal({ seed, index: column * petalSpecies.length + species, species, size });
    paste(image.data, 3, column * (values.masks ? 2 : 1) * step, species * step);
    if (values.masks) paste(mask, 1, (column * 2 + 1) * step, species * step);
  }
});
const each = (performance.now() - start) / (columns * petalSpecies.length);
writeFileSync(values.out, Buffer.from(UPNG.encode([sheet.buffer], width, height, 0)));
console.log(`${values.out}: ${columns * petalSpecies.length} images, ${each.toFixed(1)} ms each`);
