import { expect, it } from "vitest";
import { testDevice } from "../device.ts";
import { checkRandomGraphs } from "./randomGraphs.ts";

it("9,000 more random graphs", async () => {
  const { faults } = await checkRandomGraphs(await testDevice(), 1000, 9000);
  expect(faults).toEqual([]);
});
