// Two models on one device of the host's, a time limit, and nothing left behind: node share.mjs MODEL
import { loadImageClassifier, openDevice } from "tepal/node";

const folder = process.argv[2];
if (!folder) throw new Error("expected the folder of a model, found none; train one with examples/script/train.mjs");
const device = await openDevice();
device.lost.then(({ reason }) => console.log(`the device is gone: ${reason}`));

const first = await loadImageClassifier(folder, { device });
const second = await loadImageClassifier(folder, { device });
const width = 48;
const stripes = Uint8Array.from({ length: width * width * 3 }, (_, at) => (Math.floor(at / (3 * width)) % 8 < 4 ? 230 : 30));
const photo = { width, height: width, data: stripes };

const [best] = await first.classify(photo, { signal: AbortSignal.timeout(60_000) });
const { target, heatmap } = await second.explain(photo, { target: best.name });
const peak = heatmap.values.indexOf(Math.max(...heatmap.values));
console.log(`${target.name} with ${(100 * best.probability).toFixed(0)} %`);
console.log(`most telling: row ${Math.floor(peak / heatmap.width) + 1}, column ${(peak % heatmap.width) + 1} of ${heatmap.height} × ${heatmap.width}`);

await first.dispose();
await second.dispose();
console.log(`buffers left: ${device.liveBuffers}`);
device.destroy();
await device.lost;
process.exit();
