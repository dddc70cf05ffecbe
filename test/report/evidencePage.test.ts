import { expect, it } from "vitest";
import { renderEvidencePage } from "../../src/report/evidencePage.ts";
import type { EvidencePictures, EvidenceReport } from "../../src/report/evidenceTypes.ts";
import type { RankedMethod } from "../../src/xai/evidence/ranking.ts";
import { shortcutFinding } from "../../src/xai/evidence/shortcut.ts";

const ranked = (method: string, place: number, sane: boolean): RankedMethod => ({
  ...{ method, place, sane, images: 4, meanRank: place, remaining: sane ? 0.1 : 1, seconds: 0.1 },
  ...{ insertionAuc: 0.6, insertionGain: 0.2, deletionAuc: 0.1, deletionGain: 0.1, centreMargin: 0.05, road: 0.3 },
  ...{ sensitivity: 0.2, relativeGap: null, pointing: 1, relevanceMass: 0.7, intersectionOverUnion: 0.5 },
  ...{ forwards: 0, gradients: 1 },
});

const report: EvidenceReport = {
  ...{ data: "petals", network: "smallCnn", images: 4, seed: 1, adapter: "an adapter", fill: "blur" },
  ranked: [ranked("gradcam", 1, true), ranked("edges", 2, false)],
  drift: {
    method: "gradcam",
    images: 20,
    rows: [
      {
        ...{ name: "fog", severity: 3, count: 4, rankCorrelation: 0.41, topIou: 0.3, centreShift: 0.02 },
        ...{ accuracy: 0.5, accuracyDrop: 0.25 },
      },
    ],
  },
  shortcuts: [
    {
      method: "gradcam",
      ...shortcutFinding({
        shortcut: "corner mark",
        suspect: [0.5, 0.6, 0.4],
        honest: [0.01, 0.02, null],
        area: 0.02,
        accuracy: { withShortcut: 1, without: 0.46 },
      }),
    },
  ],
  randomLabels: {
    known: { trained: 1, random: 0.97 },
    images: 4,
    checks: [
      { method: "gradcam", rankCorrelation: 0.12, absoluteRankCorrelation: 0.2, remaining: 0.12, passed: true },
      { method: "edges", rankCorrelation: 1, absoluteRankCorrelation: 1, remaining: 1, passed: false },
    ],
  },
  pointing: [
    {
      method: "the centre",
      images: 400,
      hits: 0.945,
      narrow: 0.942,
      inside: 0.94,
      relevanceMass: 0.4,
      intersectionOverUnion: 0.5,
    },
    {
      method: "gradcam",
      images: 400,
      hits: 0.995,
      narrow: 0.985,
      inside: 0.9,
      relevanceMass: 0.63,
      intersectionOverUnion: 0.55,
    },
  ],
};

const image = (value: number) => ({ width: 1, height: 1, data: Uint8Array.of(value, value, value) });
const pictures: EvidencePictures = {
  ranked: {
    caption: "of the answer",
    heads: ["rose"],
    rows: [
      { title: "the picture", pictures: [image(1)] },
      { title: "gradcam", pictures: [image(2)] },
    ],
  },
  shortcut: {
    caption: "of the label",
    heads: ["the picture", "told", "told nothing"],
    rows: [{ title: "tulip", pictures: [3, 4, 5].map(image) }],
  },
};
/** Not a PNG, but each picture's own bytes. */
const render = (of: EvidenceReport, shown = pictures): string => renderEvidencePage(of, shown, ({ data }) => data);

/** The page as a reader sees it: without tags, on one line. */
const textOf = (page: string): string =>
  page
    .replace(/<(script|style|svg)[\s\S]*?<\/\1>/g, "")
    .replace(/<[^>]+>/g, " ")
    .replace(/\s+/g, " ");

it("the evidence page says in words which maps to believe, and that the network cheats", () => {
  const text = textOf(render(report));
  expect(text).toContain("Do not believe edges here");
  expect(text).toMatch(/This network cheats: 50 % of its relevance lies on the corner mark, .*AUC 1\.000/);
  expect(text).toContain("without it 46 %");
  expect(text).toMatch(/learned 97 % by heart/);
  expect(text).toMatch(/edges 1\.00 1\.00 ✗ shows the picture/);
  expect(text).toMatch(/points at the centre of the picture has 94\.5 %/);
  expect(text).toMatch(/gradcam 99\.5 % 98\.5 % 90\.0 %/);
  expect(text).toContain("Maps of gradcam on 20 images");
  expect(text).toMatch(/fog 3 0\.41 0\.30 2\.0 % 50 % 25 %/);
});

it("the ranking's heads may break, so that its last column, the cost, fits a desk's page", () => {
  const page = render(report);
  expect(page).toMatch(/<table class="numbers many">[\s\S]*<th>Passes<\/th>/);
  expect(page).toMatch(/\.numbers\.many thead th[^{]*\{[^}]*white-space: normal/);
});

it("leaves out what was not asked for, and repeats to the byte", () => {
  const less = { ...report, drift: null, shortcuts: [], randomLabels: null, pointing: [] };
  expect(textOf(render(less, { ...pictures, shortcut: null }))).not.toMatch(/cheat|by heart|pointing game|How far/);
  expect(render(report)).toBe(render(report));
});

it("shows every map with its method, its image and its network", () => {
  const page = render(report);
  const shown = (alt: string, value: number): void =>
    expect(page).toMatch(
      new RegExp(`<img src="data:image/png;base64,${Buffer.of(value, value, value).toString("base64")}" alt="${alt}"`),
    );
  shown("the picture, rose", 1);
  shown("gradcam, rose", 2);
  shown("tulip, told nothing", 5);
  expect(textOf(page)).toMatch(/of the answer .*Does it find the cheat\? .*of the label .*This network cheats/);
  expect(JSON.parse(/id="tepal-evidence">([^<]*)</.exec(page)![1])).toEqual(JSON.parse(JSON.stringify(report)));
});

it("does not rank one method", () => {
  const text = textOf(render({ ...report, ranked: [ranked("gradcam", 1, true)] }));
  expect(text).toContain("gradcam alone was asked for, and has no rank: its evidence on 4 images stands below.");
  expect(text).not.toMatch(/comes first|Evidence against cost/);
});
