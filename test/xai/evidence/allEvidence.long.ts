import { expect, it } from "vitest";
import { renderPetal } from "../../../src/data/petals.ts";
import { createClassifier } from "../../../src/nn/classifier.ts";
import { loadWeights } from "../../../src/nn/formats/files.node.ts";
import { inspectWeights } from "../../../src/nn/formats/inspect.ts";
import { EvidenceBench } from "../../../src/xai/evidence/evidence.ts";
import { methodNamed } from "../../../src/xai/methods.ts";
import { testDevice } from "../../device.ts";
import { weightsFile } from "../../reference.ts";
import { hasShared, shared } from "../../shared.ts";

// Time of the processor, not of the clock: other programs of the machine do not count. Two cores for three minutes are 360 s.
for (const name of ["gradcam", "ig"])
  it.skipIf(!hasShared)(
    `all evidence for one map of ${name} on MobileNetV2 takes at most three minutes on two cores`,
    async () => {
      const weights = await loadWeights(shared(weightsFile));
      const classifier = createClassifier(await testDevice(), {
        architecture: { name: "mobilenetV2", width: 1, inputSize: [224, 224], classes: 1000, head: "gap-dense" },
        preprocessing: inspectWeights(weights).preprocessing,
        classNames: null,
        tensors: weights.tensors,
      });
      const { image, mask } = renderPetal({ seed: 1, index: 4, species: 4, size: 224 });
      const started = process.cpuUsage();
      using bench = await EvidenceBench.create(classifier.explainable, methodNamed(name));
      const evidence = await bench.measure(Float32Array.from(image.data), 985, {
        values: mask,
        height: 224,
        width: 224,
      });
      const { user, system } = process.cpuUsage(started);
      const seconds = (user + system) / 1e6;
      console.info(`${name}: ${seconds.toFixed(0)} s of processor time`, JSON.stringify(evidence.randomisation));
      expect(evidence.randomisation.passed).toBe(true);
      expect(seconds).toBeLessThan(360);
      await classifier.dispose();
    },
  );
