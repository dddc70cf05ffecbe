/** How long a practical will still take, from how long its first training took. */
import type { Terminal } from "../terminal.ts";

/** Images of each kind of work. */
export interface Work {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
  readonly seeds: number;
  readonly epochs: number;
  /** True when a training without augmentation looks at each image once, through a frozen backbone. */
  readonly cached: boolean;
  /** Pictures that are corrupted for both models. */
  readonly corrupted: number;
  readonly explained: number;
  readonly mapped: number;
  readonly curved: number;
  /** Steps of the network from scratch beside a backbone. */
  readonly scratch: number;
}

/** What an image costs, in forward passes of the network: measured on SwiftShader and lavapipe, right to a third or so. */
const cost = { step: 1.5, corrupted: 2.4, explained: 350, mapped: 4, curved: 120, scratch: 1 };

/** Less is not worth a line. */
const shortSeconds = 300;

/** Seconds after the first training, which is one without augmentation. */
export function secondsLeft(work: Work, firstSeconds: number): number {
  const { train, validation, test, seeds, epochs, cached } = work;
  const whole = epochs * (cost.step * train + validation);
  const first = cached ? train + validation : whole;
  const trainings = (seeds - 1) * first + seeds * (whole + 2 * test);
  const rest = (["corrupted", "explained", "mapped", "curved", "scratch"] as const).reduce(
    (sum, kind) => sum + cost[kind] * work[kind],
    0,
  );
  return ((trainings + rest) * firstSeconds) / first;
}

/** Says how long it will take where that is long. */
export function tellSecondsLeft(work: Work, firstSeconds: number, terminal: Terminal): void {
  const seconds = secondsLeft(work, firstSeconds);
  if (seconds < shortSeconds) return;
  const minutes = Math.round(seconds / 60);
  terminal.line(
    `about ${minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`} left; what is finished is kept: after an interruption the same command with --resume goes on`,
  );
}
