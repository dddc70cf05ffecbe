import type { Plugin } from "esbuild";

export function rawText(options?: { readonly comments?: boolean }): Plugin;
