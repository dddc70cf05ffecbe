import type { Plugin } from "esbuild";

export function rawText(options?: { readonly comments?: boolean }): Plugin;

/** WGSL as browsers get it. */
export function compact(code: string): string;
