import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { type KernelReport, laddersOf, rungsOf, shortName } from "../../src/cli/kernels/measured.ts";

/** Every rung of a shader's ladders on the adapter's roofline (Williams, Waterman and Patterson 2009), both axes logarithmic. */
export function rooflinePlot(report: KernelReport, shader: string): string {
  const points = laddersOf(report, shader).flatMap((ladder) =>
    rungsOf(ladder).map(({ kernel, gflopsPerSecond }) => ({
      ladder: `${ladder.op} ${ladder.layer} ${ladder.shapes}`,
      kernel,
      intensity: ladder.flops / ladder.bytes,
      speed: gflopsPerSecond,
    })),
  );
  const { multiplyAddGflopsPerSecond: peak, copyGigabytesPerSecond: bandwidth } = report.roofline;
  const intensities = points.map(({ intensity }) => intensity);
  const [low, high] = [
    Math.min(...intensities, peak / bandwidth) / 1.6,
    Math.max(...intensities, peak / bandwidth) * 1.6,
  ];
  const roof = [low, peak / bandwidth, high].map((intensity) => ({
    intensity,
    speed: Math.min(peak, bandwidth * intensity),
  }));
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const drawing = Plot.plot({
    document,
    width: 700,
    height: 380,
    marginLeft: 54,
    marginBottom: 44,
    marginTop: 24,
    style: { fontSize: "12px", fontFamily: "inherit", background: "none" },
    x: { type: "log", domain: [low, high], label: "FLOP per byte", labelAnchor: "center", labelArrow: "none" },
    y: { type: "log", label: "GFLOP/s", labelArrow: "none", grid: true, tickFormat: "~g" },
    color: { legend: false, domain: [...new Set(points.map(({ kernel }) => kernel))], scheme: "Observable10" },
    marks: [
      Plot.line(roof, { x: "intensity", y: "speed", stroke: "currentColor", strokeWidth: 2 }),
      Plot.text(roof.slice(-1), {
        x: "intensity",
        y: "speed",
        text: () => `${peak.toFixed(1)} GFLOP/s, ${bandwidth.toFixed(1)} GB/s`,
        textAnchor: "end",
        dy: -8,
        fill: "currentColor",
      }),
      Plot.line(points, { x: "intensity", y: "speed", z: "ladder", stroke: "currentColor", strokeOpacity: 0.18 }),
      Plot.dot(points, { x: "intensity", y: "speed", fill: "kernel", r: 3.4 }),
    ],
  } as Plot.PlotOptions);
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", `roofline of ${shader} on ${shortName(report.adapter)}`);
  drawing.querySelector("style")?.remove();
  drawing.setAttribute("style", "max-width:100%;height:auto;font:12px sans-serif");
  return drawing.outerHTML;
}

/** The colours that {@link rooflinePlot} gives to the kernels, as a line of names. */
export function plotLegend(report: KernelReport, shader: string): string {
  const kernels = [
    ...new Set(laddersOf(report, shader).flatMap((ladder) => rungsOf(ladder).map(({ kernel }) => kernel))),
  ];
  const colour = Plot.scale({ color: { domain: kernels, scheme: "Observable10" } });
  return kernels
    .map(
      (kernel) =>
        `<span style="white-space:nowrap"><span style="color:${colour?.apply(kernel)}">●</span> ${kernel}</span>`,
    )
    .join(" &nbsp; ");
}
