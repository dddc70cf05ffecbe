import type { Plugin } from "esbuild";

export function rawText(options?: { comments?: boolean }): Plugin;
