/** The practical's five questions, each answered from the figures of the run. */
import { effectChart, improvementChart } from "../answerCharts.ts";
import type { MistakeAnswer } from "../answers.ts";
import { reliabilityDiagram } from "../errorCharts.ts";
import { count, fixed, percent, small } from "../format.ts";
import { type Html, html } from "../html.ts";
import { picture } from "../images.ts";
import { type Improvement, rankImprovements, sureMistakes, worstCorruption } from "../improvements.ts";
import type { Say } from "../language.ts";
import { seriesLegend } from "../series.ts";
import { confusionTotals, sum } from "../statistics.ts";
import type { EncodePng, ReportData } from "../types.ts";

/** From these shares of peaks on the object on, the answer is yes, or partly. */
const looking = { yes: 0.8, partly: 0.5 };
/** Maps that share more than this show one region. */
const sameRegion = 0.5;
/** Confidence further off than this is a risk. */
const miscalibrated = 0.05;
/** A smaller gap between training and validation is no learning by heart. */
const memorised = 0.05;
/** A corruption that takes more than this is a risk. */
const fragile = 0.1;

const points = (share: number): string => `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)}`;

export function answersSection(report: ReportData, encodePng: EncodePng, say: Say): Html {
  const { policy, chosen } = report.answers.augmentation;
  return html`
<section id="answers" aria-labelledby="answers-title">
  <h2 id="answers-title">${say("answers.title")}</h2>
  <p>${say("answers.what", policy, html`<strong>${say(`series.${chosen}`)}</strong>`)}</p>
  ${question(1, augmentationAnswer(report, say), say)}
  ${question(2, lookingAnswer(report, encodePng, say), say)}
  ${question(3, mistakeAnswer(report, encodePng, say), say)}
  ${question(4, riskAnswer(report, say), say)}
  ${question(5, improvementAnswer(report, say), say)}
</section>`;
}

const question = (number: 1 | 2 | 3 | 4 | 5, answer: Html, say: Say): Html => html`
  <article class="answer" id="answer-${number}">
    <h3>${say(`answers.q${number}`)}</h3>${answer}
  </article>`;

/** Words beside one picture. */
const besides = (words: Html, figure: Html | null): Html =>
  html`<div class="words-and-figure"><div>${words}</div>${figure}</div>`;

function augmentationAnswer({ answers, robustness }: ReportData, say: Say): Html {
  const { baseline, augmented, difference, mcNemar, seeds, testCount } = answers.augmentation;
  const verdict = difference.low > 0 ? "answers.gain" : difference.high < 0 ? "answers.loss" : "answers.undecided";
  const gap = baseline.trainAccuracy - baseline.valAccuracy;
  const shrunk = gap - Math.max(0, augmented.trainAccuracy - augmented.valAccuracy);
  const words = html`
    <p><strong>${say(verdict)}</strong> ${say(
      "answers.accuracies",
      percent(baseline.testAccuracy),
      count(testCount),
      percent(augmented.testAccuracy),
      points(difference.mean),
      points(difference.low),
      points(difference.high),
    )}
    ${seeds.length > 1 && say("answers.seeds", seeds.length)} ${say("answers.mcNemar", mcNemar.onlyFirst, mcNemar.onlySecond, small(mcNemar.p))}</p>
    ${robustnessWords({ answers, robustness }, say)}
    <p>${say("answers.gap", ...[baseline, augmented].flatMap((side) => [percent(side.trainAccuracy), percent(side.valAccuracy)]))}
    ${gapWords(gap, shrunk, say)}</p>`;
  return besides(
    words,
    html`<figure><figcaption>${say("answers.effect")}</figcaption>
    ${seriesLegend([say("series.baseline").text, say("series.augmented").text])}
    ${effectChart(answers.augmentation, robustness, say)}</figure>`,
  );
}

/** Whether images were learnt by heart, and less so with augmentation. */
function gapWords(gap: number, shrunk: number, say: Say): Html {
  if (gap > memorised && shrunk > 0) return say("answers.gapSmaller", fixed(100 * shrunk, 1));
  return gap > 0 ? say("answers.gapSame", fixed(100 * gap, 1)) : say("answers.gapNone");
}

function robustnessWords({ answers, robustness }: Pick<ReportData, "answers" | "robustness">, say: Say): Html | null {
  const model = robustness.models.find(({ name }) => name === "augmented");
  if (!model || model.mce === null) return null;
  const { mce, mceInterval } = model;
  const interval = mceInterval
    ? say("answers.robustInterval", fixed(mceInterval.low, 3), fixed(mceInterval.high, 3))
    : "";
  const undecided = mceInterval !== null && mceInterval.low <= 1 && mceInterval.high >= 1;
  const { ownCorruptions: own } = answers.augmentation;
  return html`<p>${say(mce < 1 ? "answers.robustFewer" : "answers.robustMore", percent(Math.abs(1 - mce)), fixed(mce, 3), interval)} ${undecided && say("answers.robustUncertain")}
    ${own.length > 0 ? say("answers.own", own.join(", ")) : say("answers.foreign")}</p>`;
}

function lookingAnswer({ answers, explanations }: ReportData, encodePng: EncodePng, say: Say): Html {
  const { masks, coarse, curves } = answers.looking;
  const rate = masks && masks.count > 0 ? masks.hits / masks.count : null;
  const verdict =
    rate === null
      ? "answers.lookUnknown"
      : rate >= looking.yes
        ? "answers.lookYes"
        : rate >= looking.partly
          ? "answers.lookPartly"
          : "answers.lookNo";
  const good = curves.insertion > curves.randomInsertion && curves.deletion < curves.randomDeletion;
  const figures = [curves.insertion, curves.randomInsertion, curves.deletion, curves.randomDeletion];
  const shown = [...explanations]
    .sort((a, b) => Number(a.gradcam.pointingHit ?? true) - Number(b.gradcam.pointingHit ?? true))
    .slice(0, 5);
  return html`
    <p><strong>${say(verdict)}</strong> ${
      masks &&
      rate !== null &&
      say("answers.pointing", masks.hits, masks.count, percent(rate), percent(masks.mass, 0), percent(masks.area, 0))
    }
    ${
      masks &&
      (masks.rightBeside > 0
        ? say("answers.surprise", masks.rightBeside, masks.rightAnswers)
        : say("answers.noSurprise"))
    }
    ${coarse && say("answers.coarse", coarse.hits, coarse.count)}</p>
    <p>${say(good ? "answers.curvesGood" : "answers.curvesBad", ...figures.map((value) => fixed(value, 3)), curves.images)}</p>
    ${
      shown.length > 0 &&
      html`<figure class="wide"><figcaption>${say(masks ? "answers.lookFigure" : "answers.lookFigurePlain")}</figcaption>
    <ul class="thumbnails looked">${shown.map(
      ({ name, predicted, actual, gradcam }) =>
        html`<li><figure>${picture(gradcam.overlay, encodePng, { alt: say("explanations.overlayAlt", predicted, name).text, target: 150 })}<figcaption><span class="verdict ${predicted === actual ? "right" : "wrong"}">${say(predicted === actual ? "right" : "wrong")}</span> ${predicted}${
          gradcam.pointingHit !== undefined &&
          html`<br>${say(gradcam.pointingHit ? "explanations.on" : "explanations.beside")}`
        }</figcaption></figure></li>`,
    )}</ul></figure>`
    }`;
}

function mistakeAnswer(report: ReportData, encodePng: EncodePng, say: Say): Html {
  const { mistake } = report.answers;
  const { total } = confusionTotals(report.evaluation.confusion);
  if (!mistake) return html`<p>${say("answers.noMistake", count(total))}</p>`;
  const { name, predicted, actual, probability, actualProbability, overlap, predictedOnObject } = mistake;
  const shown = report.mistakes.find((each) => each.name === name);
  const words = html`
    <p>${say("answers.mistake", name, actual, predicted, percent(probability), percent(actualProbability))}</p>
    <p>${say(overlap >= sameRegion ? "answers.sameRegion" : "answers.otherRegion", percent(overlap, 0))}
    ${predictedOnObject !== null && say(predictedOnObject ? "answers.onObject" : "answers.offObject")}
    ${pairWords(report, mistake, say)}</p>`;
  const panels: [Html, ReportData["mistakes"][number]["image"]][] = shown
    ? [
        [html`${say("mistakes.original")}`, shown.image],
        [html`${say("mistakes.forAnswer")}<br><b>${predicted}</b>`, shown.gradcamPredicted],
        [html`${say("mistakes.forTruth")}<br><b>${actual}</b>`, shown.gradcamActual],
      ]
    : [];
  return besides(
    words,
    html`<figure><figcaption>${say("answers.mistakeFigure")}</figcaption><div class="pictures">${panels.map(
      ([caption, image]) =>
        html`<figure>${picture(image, encodePng, { alt: caption.text.replace(/<[^>]+>/g, " "), target: 160 })}<figcaption>${caption}</figcaption></figure>`,
    )}</div></figure>`,
  );
}

function pairWords({ data, evaluation }: ReportData, { predicted, actual }: MistakeAnswer, say: Say): Html {
  const row = evaluation.confusion[data.classNames.indexOf(actual)];
  const taken = row[data.classNames.indexOf(predicted)];
  return taken > 1
    ? say("answers.pairOften", taken, sum(row), actual, predicted)
    : say("answers.pairOnce", actual, predicted);
}

/** What was found that can mislead somebody who trusts the answers. */
function risks(report: ReportData, say: Say): Html[] {
  const { answers, calibration } = report;
  const { total } = confusionTotals(report.evaluation.confusion);
  const sure = sureMistakes(report);
  const worst = worstCorruption(report);
  const { masks } = answers.looking;
  const { onlyFirst, onlySecond } = answers.augmentation.mcNemar;
  const way = say(calibration.overconfidence > 0 ? "risk.over" : "risk.under");
  const loss = [worst.clean, worst.clean - worst.loss, worst.hardest].map((value) => percent(value));
  return [
    sure > 0 && say("risk.sure", sure, count(total), percent(answers.mistake?.probability)),
    masks && masks.rightBeside > 0 && say("risk.beside", masks.rightBeside, masks.rightAnswers),
    worst.loss > fragile && say("risk.corruption", worst.name, ...loss),
    calibration.ece > miscalibrated && say("risk.calibration", percent(calibration.ece), way),
    onlyFirst + onlySecond > 0 && say("risk.fragile", onlyFirst + onlySecond, count(total)),
  ].filter((risk): risk is Html => risk !== false && risk !== null);
}

function riskAnswer(report: ReportData, say: Say): Html {
  const found = risks(report, say);
  const words = html`
    <p>${say("answers.why")} ${found.length === 0 && say("answers.noRisk")}</p>
    ${found.length > 0 && html`<ul class="risks">${found.map((risk) => html`<li>${risk}</li>`)}</ul>`}`;
  return besides(
    words,
    html`<figure><figcaption>${say("answers.trust")}</figcaption>${reliabilityDiagram(report.calibration, say)}</figure>`,
  );
}

/** The figures of a proposal as its sentence shows them. */
function details({ kind, details: values }: Improvement): (string | number)[] {
  if (kind === "testImages") return values.map((value) => points(Number(value)));
  if (["pair", "background", "epochs"].includes(kind)) return [...values];
  return values.map((value) => (typeof value === "number" ? percent(value) : value));
}

function improvementAnswer(report: ReportData, say: Say): Html {
  const improvements = rankImprovements(report);
  if (improvements.length === 0) return html`<p>${say("answers.nothing")}</p>`;
  const words = html`
    <p>${say("answers.ranked")}</p>
    <ol class="risks">${improvements.map((each) => html`<li>${say(`improve.${each.kind}`, ...details(each))}</li>`)}</ol>`;
  return besides(words, html`<figure>${improvementChart(improvements, say)}</figure>`);
}
