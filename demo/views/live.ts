/** The camera with its explanation, frame by frame on the GPU. */
import { compile } from "../../src/engine/compile.ts";
import { softmax } from "../../src/engine/ops/softmax.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { relu } from "../../src/engine/ops/unary.ts";
import type { Plan } from "../../src/engine/plan/plan.ts";
import { BATCH } from "../../src/engine/types.ts";
import { FrameReader } from "../../src/interop/frameReader.ts";
import { OverlayPainter } from "../../src/interop/overlayPainter.ts";
import type { Classifier } from "../../src/nn/classifier.ts";
import { exactCamMap } from "../../src/xai/exactCam.ts";
import { logitsOf } from "../../src/xai/model.ts";
import type { Page, View } from "../main.ts";
import { eachFrame, openCamera } from "../ui/camera.ts";
import { button, element } from "../ui/elements.ts";
import { text } from "../ui/strings.ts";

/** Frames between two readings of the class: the label need not flicker faster than a person reads. */
const LABEL_EVERY = 5;

/** One plan for map and classes of a frame, its reader and its painter. */
class LiveExplainer {
  /** The class that is explained: the likeliest of the last reading. */
  target = 0;

  private constructor(
    private readonly classifier: Classifier,
    private readonly plan: Plan,
    private readonly reader: FrameReader,
    private readonly painter: OverlayPainter,
    private readonly mapSize: readonly [height: number, width: number],
  ) {}

  static async create(classifier: Classifier, canvas: HTMLCanvasElement): Promise<LiveExplainer> {
    const { device, parameters, preprocessing, inputSize } = classifier;
    const logits = logitsOf(classifier.build(classifier.preprocess(classifier.pixelInput())));
    const targets = input("targets", [BATCH, logits.shape[1]]);
    const { map, features } = exactCamMap(logits, targets, "logit");
    const outputs = { map: relu(map), probabilities: softmax(logits) };
    const plan = await compile(device, { outputs }, { parameters });
    const reader = await FrameReader.create(device, inputSize, preprocessing.resize);
    const painter = await OverlayPainter.create(device, canvas);
    return new LiveExplainer(classifier, plan, reader, painter, [features.shape[1], features.shape[2]]);
  }

  /** Explains a frame and draws it; nothing comes back to the host. */
  async draw(video: HTMLVideoElement): Promise<void> {
    const { pixels, texture, window } = this.reader.read(video);
    const [height, width] = this.mapSize;
    await this.plan.runOnDevice({ pixels, targets: this.#oneHot() }, (encoder, { map }) =>
      this.painter.paint(encoder, { texture, window, heatmap: map, height, width }),
    );
  }

  /** The probabilities of a frame, which do come back. */
  async classify(video: HTMLVideoElement): Promise<Float32Array> {
    const { probabilities } = await this.classifier.predict(this.reader.read(video).pixels);
    return probabilities;
  }

  #oneHot(): Float32Array {
    const targets = new Float32Array(this.classifier.classes ?? 1);
    targets[this.target] = 1;
    return targets;
  }

  dispose(): void {
    this.plan.dispose();
    this.reader.dispose();
    this.painter.dispose();
  }
}

export function liveView(page: Page): View {
  const canvas = element("canvas", {
    attributes: { role: "img", "aria-label": text("live"), width: "480", height: "360" },
  });
  const label = element("p", { class: "verdict", attributes: { "aria-live": "polite", id: "live-class" } });
  const rate = element("p", { attributes: { id: "live-rate" } });
  let stop: (() => Promise<void>) | null = null;
  let closed = false;

  const begin = async (): Promise<void> => {
    const camera = await openCamera().catch((error: Error) => {
      throw new Error(text("noCamera", { reason: error.message }));
    });
    canvas.width = camera.video.videoWidth;
    canvas.height = camera.video.videoHeight;
    const explainer = await LiveExplainer.create(page.state.network.classifier, canvas);
    let frames = 0;
    let since = performance.now();
    const halt = eachFrame(camera.video, () =>
      page.attempt(async () => {
        if (frames % LABEL_EVERY === 0) {
          const probabilities = await explainer.classify(camera.video);
          explainer.target = probabilities.indexOf(Math.max(...probabilities));
          const name = page.state.network.classNames[explainer.target];
          label.textContent = `${name}, ${(100 * probabilities[explainer.target]).toFixed(0)} %`;
        }
        await explainer.draw(camera.video);
        frames++;
        if (frames % 10 === 0) {
          rate.textContent = text("frames", { rate: (10_000 / (performance.now() - since)).toFixed(1) });
          since = performance.now();
        }
      }),
    );
    stop = async () => {
      stop = null;
      await halt();
      camera.close();
      explainer.dispose();
    };
    if (closed) await stop();
  };

  const toggle = button(
    text("startCamera"),
    () =>
      void page.attempt(async () => {
        if (stop) await stop();
        else await begin();
        toggle.textContent = text(stop ? "stopCamera" : "startCamera");
      }),
    "main",
  );
  const figure = element("figure", {}, canvas, element("figcaption", { text: text("liveHint") }));
  return {
    node: element("section", { class: "card live" }, toggle, label, figure, rate),
    close() {
      closed = true;
      void stop?.();
    },
  };
}
