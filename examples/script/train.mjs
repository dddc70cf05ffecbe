// Trains a small network on stripes that this script draws, and saves it: node train.mjs [FOLDER]
import { createClassifier, hostSource, initialise, trainNetwork, uniform, weightShapesOf } from "tepal";
import { openDevice, saveModel } from "tepal/node";

const size = 32;
const classNames = ["horizontal", "vertical", "diagonal"];

/** Stripes of any phase and width with noise: pixels [size, size, 3] of 0 to 255. The same seed draws the same set. */
function stripes(label, seed, image) {
  const random = (counter) => uniform(seed, image, counter);
  const phase = 6.3 * random(0);
  const frequency = 0.5 + random(1);
  return Float32Array.from({ length: size * size * 3 }, (_, at) => {
    const pixel = Math.floor(at / 3);
    const [x, y] = [pixel % size, Math.floor(pixel / size)];
    const along = [y, x, (x + y) / Math.SQRT2][label];
    return Math.min(255, Math.max(0, 128 + 90 * Math.sin(frequency * along + phase) + 60 * (random(at + 2) - 0.5)));
  });
}

function drawSet(count, seed) {
  const labels = Int32Array.from({ length: count }, (_, index) => index % classNames.length);
  const images = Array.from(labels, (label, index) => stripes(label, seed, index));
  const batch = (indices) => {
    const pixels = new Float32Array(indices.length * size * size * 3);
    indices.forEach((index, row) => pixels.set(images[index], row * size * size * 3));
    return pixels;
  };
  return hostSource({ count, labels, batch });
}

const device = await openDevice();
const architecture = { name: "smallCnn", inputSize: [size, size], classes: classNames.length, channels: [8, 16] };
const shapes = weightShapesOf(architecture);
const values = initialise(shapes, 1);
const tensors = new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name) }]));
const preprocessing = { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "aspect" };
const classifier = createClassifier(device, { architecture, preprocessing, classNames, tensors });

const { best } = await trainNetwork(
  classifier,
  { train: drawSet(180, 1), validation: drawSet(60, 2) },
  { epochs: 8, batch: 20, learningRate: 0.01, onEpoch: ({ epoch, loss }) => console.log(`epoch ${epoch}: loss ${loss.toFixed(3)}`) },
);
const folder = process.argv[2] ?? "stripes";
await saveModel(folder, { manifest: classifier.manifest({ seed: 1 }), tensors: await classifier.tensors() });
console.log(`validation accuracy ${best.valAccuracy.toFixed(3)}; saved in ${folder}`);
process.exit(best.valAccuracy > 0.8 ? 0 : 1);
