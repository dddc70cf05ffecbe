/** A trainer that is killed goes on to the bytes of one that was not; 100 kills are in killedTraining.long.ts. */
import { expect, it } from "vitest";
import { killTrainings } from "./kills.ts";

it("reaches one history through 6 kills, with no unreadable checkpoint", async () => {
  const report = await killTrainings(6, 4);
  expect(report.insideWrite).toBeGreaterThanOrEqual(2);
  expect(report.midEpoch).toBeGreaterThanOrEqual(1);
  expect(report.resumed).toBeGreaterThanOrEqual(3);
  for (const history of report.histories) expect(history).toBe(report.undisturbed);
});
