import { defineConfig } from "vitest/config";

// script/test.mjs sets these: the long tests as well, or only those whose result depends on the driver.
const long = Boolean(process.env.TEPAL_LONG);
const all = ["test/**/*.test.ts", ...(long ? ["test/**/*.long.ts"] : [])];

export default defineConfig({
  test: {
    include: process.env.TEPAL_GPU_TESTS ? ["test/**/*.gpu.test.ts"] : all,
    // A native crash ends a fork, which is reported; it would end threads silently.
    pool: "forks",
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: long ? 1_800_000 : 120_000,
    hookTimeout: 120_000,
  },
});
