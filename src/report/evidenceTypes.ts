import type { DriftRow } from "../xai/evidence/drift.ts";
import type { RankedMethod } from "../xai/evidence/ranking.ts";
import type { ShortcutFinding } from "../xai/evidence/shortcut.ts";

/** What `xai-bench` found: plain data. */
export interface EvidenceReport {
  readonly data: string;
  readonly network: string;
  /** How many images the evidence is a mean of. */
  readonly images: number;
  readonly seed: number;
  readonly adapter: string;
  /** What stood for removed pixels. */
  readonly fill: string;
  /** Best first. */
  readonly ranked: readonly RankedMethod[];
  /** How the maps of one method moved; null where it was not asked for. */
  readonly drift: { readonly method: string; readonly rows: readonly DriftRow[] } | null;
  /** What each method said of a network that can cheat; empty where it was not asked for. */
  readonly shortcuts: readonly (ShortcutFinding & { readonly method: string })[];
}
