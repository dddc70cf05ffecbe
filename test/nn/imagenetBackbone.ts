import { type Classifier, createClassifier } from "../../src/nn/classifier.ts";
import { loadWeights } from "../../src/nn/formats/files.node.ts";
import { KERAS_MOBILENET_V2_PREPROCESSING } from "../../src/nn/formats/inspect.ts";
import { testDevice } from "../device.ts";
import { shared } from "../shared.ts";

/** MobileNetV2 1.0 with Keras' ImageNet weights and no head, for images of this edge. The caller disposes it. */
export async function imagenetBackbone(size: number): Promise<Classifier> {
  const { tensors } = await loadWeights(
    shared("weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"),
  );
  return createClassifier(await testDevice(), {
    architecture: { name: "mobilenetV2", width: 1, inputSize: [size, size], classes: null, head: "gap-dense" },
    preprocessing: KERAS_MOBILENET_V2_PREPROCESSING,
    classNames: null,
    tensors,
  });
}
