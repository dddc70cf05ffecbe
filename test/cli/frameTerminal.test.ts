import { describe, expect, it } from "vitest";
import { Terminal } from "../../src/cli/terminal.ts";

function terminal(isTTY: boolean, env: Record<string, string> = {}, columns = 80) {
  const state = { text: "", milliseconds: 0 };
  const stream = {
    isTTY,
    columns,
    write: (text: string) => {
      state.text += text;
      return true;
    },
  };
  return { state, terminal: new Terminal(stream as never, env, () => state.milliseconds) };
}

describe("progress", () => {
  it("prints a line every five seconds into a file, with rate and time left", () => {
    const { state, terminal: out } = terminal(false);
    const progress = out.progress("features", 1000);
    for (let i = 1; i <= 120; i++) {
      state.milliseconds = i * 100;
      progress.update(i * 5);
    }
    progress.finish("done");
    expect(state.text.split("\n")).toEqual([
      "features 250/1000 images, 50.0 images/s, 15 s left",
      "features 500/1000 images, 50.0 images/s, 10 s left",
      "features 600/1000 images, 50.0 images/s, 12 s, done",
      "",
    ]);
  });

  it("redraws in place on a terminal, no wider than the window", () => {
    const { state, terminal: out } = terminal(true, { NO_COLOR: "1" }, 40);
    const progress = out.progress("train", 10, "steps");
    progress.update(1);
    state.milliseconds = 50;
    progress.update(2);
    state.milliseconds = 200;
    progress.update(5, "loss 0.123456789");
    const frames = state.text.split("\r\x1b[K").slice(1);
    expect(frames).toHaveLength(2);
    expect(frames[1]).toContain("━━━━━━━━━━━━────────────");
    expect(frames.every((frame) => frame.length < 40)).toBe(true);
    out.line("note");
    expect(state.text.endsWith("\r\x1b[Knote\n")).toBe(true);
  });

  it("survives a total of zero and rates that are not known yet", () => {
    const { state, terminal: out } = terminal(false);
    out.progress("empty", 0).finish();
    expect(state.text).toBe("empty 0/0 images, 0.00 images/s, 0 s\n");
  });
});

describe("colours", () => {
  it("follow the terminal, NO_COLOR and FORCE_COLOR", () => {
    const coloured = (isTTY: boolean, env: Record<string, string>) =>
      terminal(isTTY, env).terminal.colors.red("x") !== "x";
    expect(coloured(true, {})).toBe(true);
    expect(coloured(false, {})).toBe(false);
    expect(coloured(false, { FORCE_COLOR: "1" })).toBe(true);
    expect(coloured(true, { NO_COLOR: "1", FORCE_COLOR: "1" })).toBe(false);
    expect(coloured(true, { TERM: "dumb" })).toBe(false);
  });
});
