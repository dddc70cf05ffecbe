// `import source from "./x.wgsl?raw"` gives the text of a file, as it does in vitest: one plugin for everything that bundles.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

/**
 * Comments go, and spaces where WGSL needs none; lines stay, so that a fault still names its line. WGSL has no strings that a comment
 * could hide in. Spaces beside `<` and `>` stay, and one before `*` after a slash: without them there would be other tokens.
 */
export const compact = (code) =>
  code
    .replace(/^[ \t]+|[ \t]*\/\/.*$/gm, "")
    .replace(/(?<!\/) *([,*+:;{}()]) */g, "$1")
    .replace(/(?<=[\w\])]) ([-/%&|^]|->|&&|\|\||[-+/!=]?=) (?=[\w(])/g, "$1");

/** @param {{ comments?: boolean }} [options] `comments: false` shortens WGSL, for browsers. */
export const rawText = ({ comments = true } = {}) => ({
  name: "raw-text",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\?raw$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.slice(0, -"?raw".length)),
      namespace: "raw-text",
    }));
    onLoad({ filter: /.*/, namespace: "raw-text" }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      const contents = !comments && path.endsWith(".wgsl") ? compact(text) : text;
      return { contents, loader: "text", watchFiles: [path] };
    });
  },
});
