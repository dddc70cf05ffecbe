import { expect, it } from "vitest";
import { Terminal } from "../../src/cli/terminal.ts";
import { fineMaps, judgeShortcut, type ShortcutPair, trainShortcutPair } from "../../src/cli/xaiBench/shortcuts.ts";
import { shortcutKinds } from "../../src/data/petals-shortcut.ts";
import { methodNamed } from "../../src/xai/methods.ts";
import { testDevice } from "../device.ts";

const terminal = new Terminal(process.stderr);
/** How `xai-bench` trains: a minute and a half of an idle processor for each kind. */
const settings = { epochs: 6, seed: 52, batch: 16, learningRate: 1e-2, policy: null, stem: "cifar" } as const;

for (const kind of shortcutKinds)
  it(`${kind}: the relevance on the shortcut exposes the network that cheats, and no honest one`, async () => {
    const pair = await trainShortcutPair(await testDevice(), kind, settings, undefined, terminal);
    const judge = (of: ShortcutPair) =>
      judgeShortcut(of, methodNamed(fineMaps.method), { layers: fineMaps.layers }, 100);
    const finding = await judge(pair);
    console.info(JSON.stringify(finding));
    expect(finding.auc).toBeGreaterThanOrEqual(0.95);
    expect(finding.exposed).toBe(true);
    expect(finding.words).toContain("cheats");
    // It cheats indeed: without the shortcut it is lost.
    expect(finding.accuracy?.withShortcut).toBeGreaterThanOrEqual(0.9);
    expect(finding.accuracy?.without).toBeLessThanOrEqual(0.6);
    const accused = await judge({ ...pair, cheat: pair.honest, honest: pair.cheat });
    expect(accused.exposed).toBe(false);
    await pair.cheat.dispose();
    await pair.honest.dispose();
  });
