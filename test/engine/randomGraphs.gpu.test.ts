import { expect, it } from "vitest";
import { testDevice } from "../device.ts";
import { checkRandomGraph, checkRandomGraphs } from "./randomGraphs.ts";

/** How many graphs, and the first seed; or one seed to replay: TEPAL_GRAPHS=10000, TEPAL_GRAPH_SEED=17. */
const count = Number(process.env.TEPAL_GRAPHS ?? 1000);
const replay = process.env.TEPAL_GRAPH_SEED;

it.runIf(replay)(`random graph ${replay}`, async () => {
  expect((await checkRandomGraph(await testDevice(), Number(replay))).fault).toBeNull();
});

it.skipIf(replay)(
  `${count} random graphs agree with float64 and with themselves, and write nowhere else`,
  { timeout: 600_000 + count * 600 },
  async () => {
    const { faults, nodes, weak } = await checkRandomGraphs(await testDevice(), 0, count);
    expect(faults).toEqual([]);
    // The graphs are not trivial, and few of them magnify errors so much that they are checked weakly.
    expect(nodes / count).toBeGreaterThan(10);
    expect(weak / count).toBeLessThan(0.03);
  },
);
