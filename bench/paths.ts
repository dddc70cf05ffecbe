import { join } from "node:path";

/** Set by run.mjs, because the code runs as a bundle that lies elsewhere. */
export const root = process.env.TEPAL_BENCH_ROOT ?? process.cwd();
export const bench = join(root, "bench");
export const bundles = join(bench, "node_modules/.cache/tepal-bench");
