import { describe, expect, it } from "vitest";
import { DataError } from "../../src/engine/errors.ts";
import { count, duration, label, percent, shorten, small } from "../../src/report/format.ts";
import { escapeHtml, html, scriptJson } from "../../src/report/html.ts";
import { shrink } from "../../src/report/images.ts";
import { meanOf, wilsonInterval } from "../../src/report/statistics.ts";

describe("wilsonInterval", () => {
  it("solves (p − share)² = z² p (1 − p) / n, from which Wilson defines it", () => {
    for (const [correct, total] of [
      [54, 60],
      [1, 10],
      [700, 734],
      [3, 5],
    ]) {
      for (const bound of wilsonInterval(correct, total)) {
        const left = (bound - correct / total) ** 2;
        expect(left).toBeCloseTo((1.959963984540054 ** 2 * bound * (1 - bound)) / total, 12);
      }
    }
  });

  it("stays inside [0, 1] and open where all or none are right", () => {
    const [low, high] = wilsonInterval(10, 10);
    expect(high).toBe(1);
    expect(low).toBeCloseTo(10 / (10 + 1.959963984540054 ** 2), 12);
    expect(wilsonInterval(0, 10)[0]).toBe(0);
    expect(wilsonInterval(0, 10)[1]).toBeCloseTo(1 - low, 12);
  });

  it("refuses impossible counts", () => {
    for (const [correct, total] of [
      [0, 0],
      [5, 4],
      [-1, 4],
      [Number.NaN, 4],
    ]) {
      expect(() => wilsonInterval(correct, total)).toThrow(DataError);
    }
  });
});

describe("html", () => {
  it("escapes what is interpolated and keeps what is markup", () => {
    expect(html`<p title="${`"'`}">${"<&>"}${html`<b>${1}</b>`}${[html`<i>`, "<"]}${null}${false}</p>`.text).toBe(
      '<p title="&quot;&#39;">&lt;&amp;&gt;<b>1</b><i>&lt;</p>',
    );
    expect(escapeHtml("plain")).toBe("plain");
  });

  it("writes JSON that cannot end its element and reads back the same", () => {
    const value = { name: "</script><!-- -->", n: [1, 2.5] };
    const { text } = scriptJson(value);
    expect(text).not.toMatch(/<|-->/);
    expect(JSON.parse(text)).toEqual(value);
  });
});

describe("numbers for people", () => {
  it("formats", () => {
    expect([percent(0.9312), percent(Number.NaN), percent(null), percent(1, 0)]).toEqual([
      "93.1\u00a0%",
      "–",
      "–",
      "100\u00a0%",
    ]);
    expect([0.0123, 2.345, 75.4, 119.9, 59.99].map(duration)).toEqual([
      "12\u00a0ms",
      "2.3\u00a0s",
      "1\u00a0min 15\u00a0s",
      "2\u00a0min 0\u00a0s",
      "60.0\u00a0s",
    ]);
    expect([0, 0.0123, 3.14e-5, -2.5e-7, 12.4].map(small)).toEqual([
      "0",
      "0.012",
      "3.1\u00a0×\u00a010⁻⁵",
      "-2.5\u00a0×\u00a010⁻⁷",
      "12",
    ]);
    expect([7, 1234, 1234567].map(count)).toEqual(["7", "1\u202f234", "1\u202f234\u202f567"]);
    expect(["weightsSha256", "batch_size", "loadData", "step 1"].map(label)).toEqual([
      "Weights sha256",
      "Batch size",
      "Load data",
      "step 1",
    ]);
    expect([shorten("tulip", 5), shorten("sunflower", 5)]).toEqual(["tulip", "sunf…"]);
    expect(meanOf([0.5, null, Number.NaN, 1])).toBe(0.75);
    expect(meanOf([null])).toBeNull();
  });
});

describe("shrink", () => {
  it("averages whole blocks and leaves small images alone", () => {
    const image = { width: 4, height: 2, data: Uint8Array.from({ length: 24 }, (_, i) => 10 * Math.floor(i / 3)) };
    expect(shrink(image, 2)).toBe(image);
    const square = { width: 4, height: 4, data: Uint8Array.from({ length: 48 }, (_, i) => 5 * Math.floor(i / 3)) };
    const small = shrink(square, 2);
    expect([small.width, small.height]).toEqual([2, 2]);
    // Pixels 0, 1, 4, 5 of the first block hold 0, 5, 20, 25.
    expect([small.data[0], small.data[3], small.data[6], small.data[9]]).toEqual([13, 23, 53, 63]);
  });
});
