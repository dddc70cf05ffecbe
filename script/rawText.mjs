// `import source from "./x.wgsl?raw"` gives the text of a file, as it does in vitest: one plugin for everything that bundles.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

/** Comments go and lines stay, so that a fault still names its line. WGSL has no strings that a comment could hide in. */
const withoutComments = (code) => code.replace(/^[ \t]+|[ \t]*\/\/.*$/gm, "");

/** @param {{ comments?: boolean }} [options] `comments: false` leaves those of WGSL out, for browsers. */
export const rawText = ({ comments = true } = {}) => ({
  name: "raw-text",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\?raw$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path.slice(0, -"?raw".length)),
      namespace: "raw-text",
    }));
    onLoad({ filter: /.*/, namespace: "raw-text" }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      const contents = !comments && path.endsWith(".wgsl") ? withoutComments(text) : text;
      return { contents, loader: "text", watchFiles: [path] };
    });
  },
});
