import { ImageClassifier } from "tepal";

const text = document.querySelector("output");
const canvas = document.querySelector("canvas");

/** A picture to begin with: upright stripes. */
function drawStripes() {
  const picture = new OffscreenCanvas(64, 64);
  const context = picture.getContext("2d");
  for (let x = 0; x < 64; x++) {
    context.fillStyle = Math.floor(x / 5) % 2 === 0 ? "#e8e4da" : "#2b3a55";
    context.fillRect(x, 0, 1, 64);
  }
  return picture.convertToBlob();
}

function show({ width, height, data }) {
  const image = new ImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++)
    image.data.set([data[3 * pixel], data[3 * pixel + 1], data[3 * pixel + 2], 255], 4 * pixel);
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

try {
  const classifier = await ImageClassifier.load("./model/");
  const explain = async (photo) => {
    const [best] = await classifier.classify(photo);
    const { picture } = await classifier.explain(photo, { target: best.index });
    show(picture);
    text.textContent = `${best.name}, ${(100 * best.probability).toFixed(0)} %`;
  };
  document.querySelector("input").addEventListener("change", (event) => explain(event.target.files[0]));
  await explain(await drawStripes());
} catch (error) {
  text.textContent = error.message;
}
