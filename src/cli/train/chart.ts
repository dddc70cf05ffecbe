/** The history as a small chart of characters, drawn while training goes on. */
import type { EpochRecord } from "../../nn/history.ts";

const ROWS = 6;
const LEVELS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const MARKS = { train: "·", validation: "•", both: "⁑" };

interface Curve {
  readonly title: string;
  readonly train: readonly number[];
  readonly validation: readonly number[];
}

/** The values at `width` places, the first and the last among them, when there are more values than places. */
function sampled(values: readonly number[], width: number): number[] {
  if (values.length <= width) return [...values];
  return Array.from({ length: width }, (_, column) => values[Math.round((column * (values.length - 1)) / (width - 1))]);
}

function curve({ title, train, validation }: Curve, width: number): string[] {
  const [first, second] = [sampled(train, width), sampled(validation, width)];
  const all = [...first, ...second];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const rowOf = (value: number): number => Math.round(((high - value) / (high - low || 1)) * (ROWS - 1));
  const rows = Array.from({ length: ROWS }, (_, row) => {
    const cells = first.map((value, column) => {
      const [isTrain, isValidation] = [rowOf(value) === row, rowOf(second[column]) === row];
      if (isTrain && isValidation) return MARKS.both;
      return isTrain ? MARKS.train : isValidation ? MARKS.validation : " ";
    });
    const label = row === 0 ? high.toFixed(3) : row === ROWS - 1 ? low.toFixed(3) : "";
    return `${label.padStart(7)} ┤${cells.join("").padEnd(width)}`;
  });
  return [`        ${title}`.padEnd(width + 9), ...rows];
}

/**
 * Loss and accuracy side by side, training and validation in each: lines of at most `columns` characters. Beneath, the learning
 * rate as a row of bars.
 */
export function historyChart(history: readonly EpochRecord[], columns: number): string[] {
  const width = Math.max(8, Math.min(40, Math.floor((columns - 1) / 2) - 10));
  const of = (name: keyof EpochRecord): number[] => history.map((record) => record[name]);
  const loss = curve({ title: "loss", train: of("loss"), validation: of("valLoss") }, width);
  const accuracy = curve({ title: "accuracy", train: of("accuracy"), validation: of("valAccuracy") }, width);
  const rates = sampled(of("learningRate"), width);
  const most = Math.max(...rates);
  const bars = rates.map((rate) => LEVELS[Math.round((rate / most) * (LEVELS.length - 1))]).join("");
  return [
    ...loss.map((line, index) => `${line} ${accuracy[index]}`.trimEnd()),
    `   rate  ${bars} ${(rates.at(-1) as number).toPrecision(2)}   ${MARKS.train} training  ${MARKS.validation} validation`,
  ];
}
