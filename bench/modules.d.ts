// The peers are dependencies of the bench alone: the repository is type-checked without them.
declare module "@tensorflow/tfjs-core";
declare module "@tensorflow/tfjs-core/dist/register_all_gradients";
declare module "@tensorflow/tfjs-backend-webgpu";
