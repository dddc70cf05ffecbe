import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { encodePng } from "../../src/data/png.node.ts";
import type { NotebookRow } from "../../src/report/answers.ts";
import { rankImprovements } from "../../src/report/improvements.ts";
import { languages, type Text, texts } from "../../src/report/language.ts";
import { renderReport } from "../../src/report/report.ts";
import { reportData } from "./fixture.ts";

const script = new URL("../../script/check-report.mjs", import.meta.url);
const { checkReport } = (await import(script.href)) as { checkReport: (page: string) => string };
const textOf = (page: string, id: string) =>
  parseHTML(page).document.getElementById(id)?.textContent?.replace(/\s+/g, " ") ?? "";

const notebook: NotebookRow[] = [
  { choice: "preprocessing", measured: { correct: 0.82, notebook: 0.47, unit: "share", count: 330 } },
  { choice: "notSaved", measured: null },
];

describe("the answers", () => {
  it.each(languages)("make a complete page in %s", (language) => {
    expect(checkReport(renderReport(reportData({ language, notebook }), encodePng))).toMatch(/^complete/);
  });

  it("say nothing of the other language", () => {
    const page = renderReport(reportData({ language: "es", notebook }), encodePng);
    const { document } = parseHTML(page);
    const spanish = [...document.querySelectorAll("h2, nav a")].map((each) => each.textContent?.trim());
    const english = new Set(
      Object.values(texts as Record<string, Text>)
        .filter((t) => t.en !== t.es)
        .map((t) => t.en),
    );
    expect(spanish.filter((text) => english.has(text ?? ""))).toEqual([]);
    expect(textOf(page, "notebook")).toContain("lleva la exactitud de 82.0 % a 47.0 %");
  });

  it.each(languages)("speak of no flower where the images show other things, in %s", (language) => {
    const plain = reportData({ language });
    const looking = { ...plain.answers.looking, masks: null };
    const mistake = plain.answers.mistake && {
      ...plain.answers.mistake,
      predictedOnObject: null,
      actualOnObject: null,
    };
    const answers = { ...plain.answers, looking, mistake };
    const explanations = plain.explanations.map(({ gradcam: { pointingHit: _, ...gradcam }, ...each }) => ({
      ...each,
      gradcam,
    }));
    const title = "objects";
    const page = renderReport({ ...plain, title, answers, explanations, subject: "objects" }, encodePng);
    expect(checkReport(page)).toMatch(/^complete/);
    const { name } = plain.data;
    for (const id of ["answers", "guide"])
      expect(textOf(page, id).replaceAll(name, "")).not.toMatch(/flower|flor(es)?\b/i);
    expect(textOf(renderReport(plain, encodePng), "answer-4")).toMatch(/flower|flores/);
  });

  it("name the map that was drawn, count GradCAM's peaks beside it, and say what the backbone knew", () => {
    const plain = reportData();
    const looking = { ...plain.answers.looking, coarse: { count: 50, hits: 6 } };
    const known = { classNames: ["daisy", "rose"], correct: 20, count: 24 };
    const page = renderReport(
      {
        ...plain,
        map: "LayerCAM",
        answers: { ...plain.answers, looking },
        backbone: { seen: known, unseen: { classNames: ["tulip"], correct: 9, count: 12 } },
        explanations: plain.explanations.map((each) => ({ ...each, coarse: each.gradcam.overlay })),
      },
      encodePng,
    );
    expect(checkReport(page)).toMatch(/^complete/);
    expect(textOf(page, "answer-2")).toContain("LayerCAM’s peak lies on the flower in 44 of 50");
    expect(textOf(page, "answer-2")).toContain("has its peak on the flower in 6 of 50");
    expect(textOf(page, "explanations")).toContain("GradCAMat the last activation");
    expect(textOf(page, "data")).toMatch(/daisy, rose, and none of tulip.*20 of 24.*9 of 12/);
    expect(textOf(renderReport(plain, encodePng), "answers")).not.toContain("LayerCAM");
    expect(page).not.toContain("{map}");
  });

  it("claim nothing learnt by heart where training images are answered no better than new ones", () => {
    const plain = reportData();
    const { augmentation } = plain.answers;
    const baseline = { ...augmentation.baseline, trainAccuracy: 0.78, valAccuracy: 0.8 };
    const answers = { ...plain.answers, augmentation: { ...augmentation, baseline } };
    const text = textOf(renderReport({ ...plain, answers }, encodePng), "answer-1");
    expect(text).toContain("no better on its own images");
    expect(text).not.toMatch(/gap of|by heart: the gap/);
  });

  it("have the same places for values in every language", () => {
    const places = (text: string) => [...new Set(text.match(/\{\d\}/g))].sort().join();
    const torn = Object.entries(texts as Record<string, Text>).filter(([, { en, es }]) => places(en) !== places(es));
    expect(torn.map(([key]) => key)).toEqual([]);
  });

  it("admit what an interval around 0 cannot tell, and follow the figures when it can", () => {
    const data = reportData();
    const withDifference = (low: number, high: number) => ({
      ...data,
      answers: { ...data.answers, augmentation: { ...data.answers.augmentation, difference: { mean: 0, low, high } } },
    });
    const said = (low: number, high: number) =>
      textOf(renderReport(withDifference(low, high), encodePng), "answer-1").trim();
    expect(said(-0.01, 0.05)).toContain("these figures cannot tell");
    expect(said(0.01, 0.05)).toContain("Yes, on clean test images");
    expect(said(-0.05, -0.01)).toContain("No: it cost accuracy");
  });

  it("rank improvements by what is at stake", () => {
    const data = reportData();
    const kinds = rankImprovements(data).map(({ kind }) => kind);
    expect(kinds.indexOf("corruption")).toBe(0);
    expect(kinds).not.toContain("epochs");
    const sure = { ...data, calibration: { ...data.calibration, ece: 0.4 } };
    expect(rankImprovements(sure)[0]).toMatchObject({ kind: "calibration", stake: 0.4 });
  });

  it("say so when nothing was answered wrongly", () => {
    expect(textOf(renderReport(reportData({ mistakes: 0 }), encodePng), "answer-3")).toContain("not wrong once on 60");
  });
});
