/** The files that `tepal data pull` and `tepal weights pull` know: where they are, how large, and who vouches for them. */

export interface KnownFile {
  readonly name: string;
  /** The publisher's address. */
  readonly url: string;
  /** Bytes of the official file, where known. */
  readonly bytes?: number;
  /** A server that sends more is cut off. */
  readonly maxBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256?: string;
  /** Lower-case hexadecimal; given where it is what the publisher prints. */
  readonly md5?: string;
  /** Who says these hashes: nobody where there are none. A publisher's hold for every mirror. */
  readonly hashesBy?: "the publisher" | "TensorFlow Datasets";
}

const MIB = 2 ** 20;
const OXFORD = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102";
const KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2";

/**
 * Sizes and SHA-256 as tensorflow/datasets lists them for the official addresses (url_checksums/oxford_flowers102.txt
 * and cifar10.txt); Oxford prints no hash. Toronto prints the MD5 (https://www.cs.toronto.edu/~kriz/cifar.html).
 */
export const datasetFiles = {
  flowers102: [
    {
      name: "102flowers.tgz",
      url: `${OXFORD}/102flowers.tgz`,
      bytes: 344_862_509,
      maxBytes: 400 * MIB,
      sha256: "2d01ecc807db462958cfe3d92f57a8c252b4abd240eb955770201e45f783b246",
      hashesBy: "TensorFlow Datasets",
    },
    {
      name: "imagelabels.mat",
      url: `${OXFORD}/imagelabels.mat`,
      bytes: 502,
      maxBytes: MIB,
      sha256: "4903e94206bac23bf772aadf06451916df56b58fc483a62db32a97b82656651d",
      hashesBy: "TensorFlow Datasets",
    },
    {
      name: "setid.mat",
      url: `${OXFORD}/setid.mat`,
      bytes: 14_989,
      maxBytes: MIB,
      sha256: "46b8678f91fd95d3c8f4feab80d271a6c834a1dd896fe29fd3e6ad9ce5c8dccd",
      hashesBy: "TensorFlow Datasets",
    },
  ],
  cifar10: [
    {
      name: "cifar-10-binary.tar.gz",
      url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
      bytes: 170_052_171,
      maxBytes: 200 * MIB,
      sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
      md5: "c32a1d4ab5d03f1284b67883e8d87530",
      hashesBy: "the publisher",
    },
  ],
} as const satisfies Record<string, readonly KnownFile[]>;

export type PullableDataset = keyof typeof datasetFiles;

const kerasWeights = (suffix: string): KnownFile => {
  const name = `mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224${suffix}.h5`;
  return { name, url: `${KERAS}/${name}`, maxBytes: 64 * MIB };
};

/** MobileNetV2 1.0 as Keras publishes it, with its 1000-class head and without. Keras gives no hash for it. */
export const weightFiles: { readonly withHead: KnownFile; readonly withoutHead: KnownFile } = {
  withHead: kerasWeights(""),
  withoutHead: kerasWeights("_no_top"),
};
