/** The types that the exported functions and classes speak of, so that an application can name them. */
export type { Matrix } from "./data/augment/affine.ts";
export type { AugmentationOptions, AugmentedTensors } from "./data/augment/augmentation.ts";
export type { Field, Fields, Range, Settings } from "./data/augment/fields.ts";
export type { Heatmap as HeatmapToInvert } from "./data/augment/heatmap.ts";
export type { Operation, Parameters } from "./data/augment/layer.ts";
export type { Drawn, SampleAddress } from "./data/augment/parameters.ts";
export type { Policy, PolicyLayer } from "./data/augment/policy.ts";
export type { BatchSample } from "./data/augment/stages.ts";
export type { CorrupterOptions, JpegRoundTrip } from "./data/corruptions/corrupter.ts";
export type { CorruptionChoice } from "./data/corruptions/corruption.ts";
export type {
  CodecFamily,
  CorruptionAddress,
  CorruptionFamily,
  CorruptionGraph,
  GraphFamily,
} from "./data/corruptions/family.ts";
export type { SettingScale, SettingScales } from "./data/corruptions/severities.ts";
export type { LabelledImages } from "./data/datasets.ts";
export type { Image, ImageSize } from "./data/images.ts";
export type { ResizeMode } from "./data/resize.ts";
export type { ClassifyOptions } from "./embed/imageClassifier.ts";
export type { ModelSource } from "./embed/modelSource.ts";
export type { PipelineRequest } from "./engine/device.ts";
export type {
  AdapterTraits,
  Attributes,
  Binding,
  Choice,
  EpilogueStage,
  GradientContext,
  KernelCall,
  KernelContext,
  MaskSupport,
  Op,
  Shader,
  Traits,
  UniformWord,
} from "./engine/op.ts";
export type { Window } from "./engine/ops/convGeometry.ts";
export type { PoolOptions } from "./engine/ops/pool.ts";
export type { BufferRange } from "./engine/plan/buffers.ts";
export type { Step } from "./engine/plan/encoding.ts";
export type { DeviceInputs, DeviceReader, DeviceValue } from "./engine/plan/inputs.ts";
export type { Layout, Storage } from "./engine/plan/layout.ts";
export type { MemoryPlan, Placement } from "./engine/plan/memory.ts";
export type { PlanOptions } from "./engine/plan/plan.ts";
export type { NodeTime } from "./engine/plan/profile.ts";
export type { Schedule as PlanSchedule } from "./engine/plan/schedule.ts";
export type { CounterRandom } from "./engine/random.ts";
export type { TuningEntry } from "./engine/tuning.ts";
export type { TypedArray } from "./engine/types.ts";
export type { ByteSource, FileSource } from "./interop/decode.ts";
export type { FrameWindow } from "./interop/frameReader.ts";
export type { OverlayPaint, PaintableCanvas } from "./interop/overlayPainter.ts";
export type { FrameSource } from "./interop/textures.ts";
export type { EarlyStoppingOptions, PlateauOptions, PlateauState, Waiting } from "./nn/callbacks.ts";
export type {
  ClassifierArchitecture,
  Explainable,
  Pixels,
  PixelType,
  Predictions,
  Provenance,
} from "./nn/classifier.ts";
export type { DistillationData, DistillationOptions } from "./nn/distillation.ts";
export type { Checkpoint } from "./nn/formats/checkpoint.ts";
export type { WeightsInspection } from "./nn/formats/inspect.ts";
export type { Architecture, Head, ModelManifest, Preprocessing, Splits, Stem } from "./nn/formats/manifest.ts";
export type { Model, ModelToStore } from "./nn/formats/model.ts";
export type { SafetensorsFile, StoredTensor, TensorToStore } from "./nn/formats/safetensors.ts";
export type { WeightSet, WeightTensor } from "./nn/formats/weightSet.ts";
export type { HeadData, HeadTraining, LabelledFeatures } from "./nn/headTraining.ts";
export type { BestEpoch, EpochRecord } from "./nn/history.ts";
export type { BatchNormMode, BatchNormRule, TrainingMode } from "./nn/layers.ts";
export type { ClassScore as ClassMetrics, Evaluation } from "./nn/metrics.ts";
export type { MobileNetV2Options } from "./nn/mobilenetV2.ts";
export type { Network } from "./nn/network.ts";
export type { NetworkData, NetworkTrainingOptions } from "./nn/networkTraining.ts";
export type { AdamOptions, Optimiser, Schedule as LearningRateSchedule } from "./nn/optimisers.ts";
export type { BatchPlace, HostPixels, LabelledPixelSource, PixelSource, SourcedTensors } from "./nn/pixelSource.ts";
export type { SmallCnnOptions } from "./nn/smallCnn.ts";
export type { TrainablePart } from "./nn/trainableLayers.ts";
export type {
  CheckpointOptions,
  RecoveryOptions,
  TrainingOptions,
  TrainingOutcome,
  TrainingProgress,
} from "./nn/trainingLoop.ts";
export type { StateTensors, TrainingPosition, TrainingState } from "./nn/trainingState.ts";
export type { BaselineName } from "./xai/baselines.ts";
export type { LayerMaps } from "./xai/camPlan.ts";
export type { Colormap, ColormapName } from "./xai/colormaps.ts";
export type { Convention } from "./xai/conventions.ts";
export type { DisplayOptions } from "./xai/display.ts";
export type { Curve, CurveEvidence, CurveOptions, CurveRequest, CurvesWithControls } from "./xai/evidence/curves.ts";
export type { MapDrift } from "./xai/evidence/drift.ts";
export type { CompletenessEvidence, Evidence, EvidenceOptions } from "./xai/evidence/evidence.ts";
export type { LocationEvidence, Mask, PointingGame } from "./xai/evidence/location.ts";
export type { MethodSummary, RankedMethod } from "./xai/evidence/ranking.ts";
export type { RoadEvidence, RoadOptions } from "./xai/evidence/road.ts";
export type {
  ExplainerFactory,
  RandomisationEvidence,
  RandomisationStage,
  RandomLabelEvidence,
  SanityOptions,
} from "./xai/evidence/sanity.ts";
export type { ClassScores } from "./xai/evidence/scorer.ts";
export type { SensitivityEvidence, SensitivityOptions } from "./xai/evidence/sensitivity.ts";
export type { ShortcutAccuracy, ShortcutFinding, ShortcutMeasurements } from "./xai/evidence/shortcut.ts";
export type { ExactCamOptions } from "./xai/exactCam.ts";
export type { Cost, ExplanationStatus, Method, RawHeatmap, WeightedClass, WorkOptions } from "./xai/explanation.ts";
export type { GradCamMaps, GradCamOptions } from "./xai/gradCam.ts";
export type { Attribution, IntegratedGradientsOptions } from "./xai/integratedGradients.ts";
export type { Clipping, Introspection, LayerReport } from "./xai/introspection.ts";
export type { ExplainableModel, Score } from "./xai/model.ts";
export type { AttributionOptions, Heatmap, HeatmapOptions, OverlayOptions, RgbImage } from "./xai/overlay.ts";
export type { PreprocessingVerdict, Reading } from "./xai/preprocessingVerdict.ts";
export type { PathRule, Quadrature, QuadratureRule } from "./xai/quadrature.ts";
