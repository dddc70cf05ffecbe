import type { DriftRow } from "../xai/evidence/drift.ts";
import type { PointingGame } from "../xai/evidence/location.ts";
import type { RankedMethod } from "../xai/evidence/ranking.ts";
import type { RandomLabelEvidence } from "../xai/evidence/sanity.ts";
import type { ShortcutFinding } from "../xai/evidence/shortcut.ts";
import type { RgbImage } from "./types.ts";

/** Maps of a network against those of one that learned labels drawn by lot. */
export interface RandomLabelReport {
  /** Share of its own labels that each network knew at the end of its training. */
  readonly known: { readonly trained: number; readonly random: number };
  readonly images: number;
  readonly checks: readonly (RandomLabelEvidence & { readonly method: string })[];
}

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
  readonly drift: { readonly method: string; readonly images: number; readonly rows: readonly DriftRow[] } | null;
  /** What each method said of a network that can cheat; empty where it was not asked for. */
  readonly shortcuts: readonly (ShortcutFinding & { readonly method: string })[];
  /** The random label test; null where it was not asked for. */
  readonly randomLabels: RandomLabelReport | null;
  /** Where the peaks of the maps lie, first of a map that always points at the centre; empty where it was not asked for. */
  readonly pointing: readonly (PointingGame & { readonly method: string })[];
}

/** Pictures in rows under the same heads: what was explained, and maps of it. */
export interface MapSheet {
  readonly caption: string;
  readonly heads: readonly string[];
  readonly rows: readonly { readonly title: string; readonly pictures: readonly RgbImage[] }[];
}

/** What the page shows beside the figures. */
export interface EvidencePictures {
  /** The images in the first row, and a row for each method. */
  readonly ranked: MapSheet;
  /** Images with the shortcut, and the maps of the network that can cheat and of the honest one; null where it was not asked for. */
  readonly shortcut: MapSheet | null;
}
