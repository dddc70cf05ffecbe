/** The promise on checkpoints in full: 100 kills, at least a third of them inside a write or in mid-epoch. */
import { expect, it } from "vitest";
import { killTrainings } from "./kills.ts";

const KILLS = 100;

it(`reaches one history through ${KILLS} kills, with no unreadable checkpoint`, async () => {
  const report = await killTrainings(KILLS, 12);
  const { kills, insideWrite, midEpoch, resumed, histories } = report;
  console.log(
    `${kills} kills in ${histories.length} trainings: ${insideWrite} inside a write, ${midEpoch} in mid-epoch; ${resumed} resumed`,
  );
  expect(kills).toBe(KILLS);
  expect(insideWrite).toBeGreaterThanOrEqual(KILLS / 4);
  expect(insideWrite + midEpoch).toBeGreaterThanOrEqual(KILLS / 3);
  expect(report.resumed).toBeGreaterThanOrEqual(KILLS / 2);
  for (const history of histories) expect(history).toBe(report.undisturbed);
});
