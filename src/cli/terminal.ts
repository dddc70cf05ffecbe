import { stripVTControlCharacters } from "node:util";
import picocolors from "picocolors";

type Stream = Pick<NodeJS.WriteStream, "write"> & { isTTY?: boolean; columns?: number };
type Environment = Record<string, string | undefined>;

const REDRAW_MS = 100;
const LINE_MS = 5000;
const BAR_WIDTH = 24;

export interface Progress {
  /** `done` of the total so far; `note` stands at the end of the line, e.g. `loss 0.31`. */
  update(done: number, note?: string): void;
  /** Ends the line; the rate over the whole time stays visible. */
  finish(note?: string): void;
}

function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  const rest = String(whole % 60).padStart(2, "0");
  return minutes < 60
    ? `${minutes} min ${rest} s`
    : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

const rateText = (rate: number): string => (rate >= 100 ? rate.toFixed(0) : rate.toPrecision(3));

/** Colours and progress for people, on stderr: stdout is kept for results. */
export class Terminal {
  readonly colors: ReturnType<typeof picocolors.createColors>;
  readonly #stream: Stream;
  readonly #now: () => number;
  readonly #live: boolean;
  #lineOpen = false;
  /** Lines of the picture that stands right above the cursor. */
  #pictureLines = 0;

  constructor(stream: Stream, env: Environment = process.env, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#now = now;
    this.#live = Boolean(stream.isTTY) && env.TERM !== "dumb";
    // https://no-color.org: any value but the empty one switches colours off.
    this.colors = picocolors.createColors(!env.NO_COLOR && (this.#live || Boolean(env.FORCE_COLOR)));
  }

  /** A line for the reader on stderr, above a progress bar if one is drawn. */
  line(text: string): void {
    this.#stream.write(`${this.#lineOpen ? "\r\x1b[K" : ""}${text}\n`);
    this.#lineOpen = false;
    this.#pictureLines = 0;
  }

  /** Characters in a line. */
  get columns(): number {
    return this.#stream.columns ?? 80;
  }

  /** Lines that stand in place of those of the last picture, when nothing was written since; only on a live terminal. */
  picture(lines: readonly string[]): void {
    if (!this.#live) return;
    const up = this.#pictureLines > 0 ? `\x1b[${this.#pictureLines}A` : "";
    this.#stream.write(`\r\x1b[K${up}${lines.map((line) => `\x1b[K${line}\n`).join("")}`);
    this.#lineOpen = false;
    this.#pictureLines = lines.length;
  }

  warn(text: string): void {
    this.line(`${this.colors.yellow("warning:")} ${text}`);
  }

  /**
   * Shows how far a job is, its rate and the time left: redrawn in place on a terminal, otherwise one line every few
   * seconds. `unit` names what is counted, in the plural.
   */
  progress(label: string, total: number, unit = "images"): Progress {
    const started = this.#now();
    let last = Number.NEGATIVE_INFINITY;
    let done = 0;
    const every = this.#live ? REDRAW_MS : LINE_MS;
    const text = (note: string, finished: boolean) => {
      const seconds = (this.#now() - started) / 1000;
      const rate = seconds > 0 ? done / seconds : 0;
      const left = finished ? duration(seconds) : `${duration((total - done) / rate)} left`;
      const parts = [`${done}/${total} ${unit}`, `${rateText(rate)} ${unit}/s`, left, note].filter(Boolean);
      return `${label} ${this.#live ? `${this.#bar(done / total)} ` : ""}${parts.join(", ")}`;
    };
    return {
      update: (value, note = "") => {
        done = value;
        const now = this.#now();
        if (!this.#live && last === Number.NEGATIVE_INFINITY) last = started;
        if (now - last < every) return;
        last = now;
        if (this.#live) this.#redraw(text(note, false));
        else this.line(text(note, false));
      },
      finish: (note = "") => this.line(text(note, true)),
    };
  }

  #bar(share: number): string {
    const full = Math.max(0, Math.min(BAR_WIDTH, Math.round((Number.isFinite(share) ? share : 0) * BAR_WIDTH)));
    return this.colors.green("━".repeat(full)) + this.colors.dim("─".repeat(BAR_WIDTH - full));
  }

  #redraw(text: string): void {
    // A line longer than the window would wrap, and the next one could not erase it. Escape codes take no width.
    const visible = stripVTControlCharacters(text);
    const width = this.columns - 1;
    this.#stream.write(`\r\x1b[K${visible.length > width ? visible.slice(0, width) : text}`);
    this.#lineOpen = true;
  }
}
