import type { Tensor } from "./graph.ts";
import type { DType, TensorType } from "./types.ts";

// biome-ignore lint/suspicious/noExplicitAny: each op states its own attributes
export type Attributes = Readonly<Record<string, any>>;

/** A WGSL file of `src/shaders`. */
export interface Shader {
  readonly name: string;
  readonly code: string;
}

/** A 32-bit word of a kernel's uniform block: a number is a `u32` (negative: `i32`), `{ f32 }` is a float. */
export type UniformWord = number | { readonly f32: number };

/**
 * What a storage binding of a kernel refers to. `null` binds a small buffer of zeros (an optional operand left out), "scratch" one
 * that may be written and that nobody reads (an optional result left out).
 */
export type Binding = { readonly input: number } | { readonly output: number } | "scratch" | null;

/** One dispatch: which entry point runs, with what specialisation, over which grid, and what it costs. */
export interface KernelCall {
  readonly shader: Shader;
  readonly entryPoint: string;
  /** Specialises the pipeline; equal calls share one. */
  readonly overrides?: Readonly<Record<string, number>>;
  /** The uniform block at binding 0, in the order of the shader's `Params`. */
  readonly uniforms: readonly UniformWord[];
  /** Storage bindings from 1 on; by default every input, then every output. */
  readonly bindings?: readonly Binding[];
  readonly grid: readonly [number, number, number];
  /** Floating-point operations, and the bytes that must move through memory at least. */
  readonly flops: number;
  readonly bytes: number;
}

/** What a kernel may choose by. Its results must not depend on it. */
export interface AdapterTraits {
  readonly software: boolean;
  readonly maxInvocations: number;
  /** Invocations of a subgroup, where there are subgroups and all have one size; else 0. */
  readonly subgroupSize: number;
  readonly float16: boolean;
}

/** A workgroup or tile that a kernel can be given instead of its own, by names that the op knows. It changes times, never a bit. */
export type Choice = Readonly<Record<string, number>>;

export interface KernelContext {
  readonly inputs: readonly TensorType[];
  readonly outputs: readonly TensorType[];
  readonly attributes: Attributes;
  readonly adapter: AdapterTraits;
  /** One of the op's candidates; left out, the kernel chooses by shapes and adapter. */
  readonly choice?: Choice;
}

export interface GradientContext {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: Attributes;
  /** The gradient of each output, `null` where it is zero. */
  readonly upstream: readonly (Tensor | null)[];
}

/** The stages that a producing kernel can apply before it writes, in this order. */
export type EpilogueStage = "bias" | "relu" | "relu6" | "add" | "mask";

/** A kernel that takes a one-bit mask (`bitMasks.wgsl`) as its last stage, and can write one of its result. */
export interface MaskSupport {
  /** Rows per word of the masks that it writes: those of its tiles; 0 when the tiles do not own whole words. */
  readonly writesRows: number;
}

/** What passes, the planner and the checks may know of an op. They read these, never its name. */
export interface Traits {
  /** A value from outside the graph. */
  readonly source?: "input" | "parameter" | "constant";
  /** The output shares the storage of input 0. */
  readonly view?: boolean;
  /** Reads several samples of a batch at once, so a batch cannot be cut. */
  readonly couplesBatch?: boolean | ((context: { inputs: readonly TensorType[]; attributes: Attributes }) => boolean);
  /** Inputs (parameters) that the kernel changes in place; such a node has no outputs. */
  readonly updates?: readonly number[];
  /** Exchanging input 0 and 1 changes nothing. */
  readonly commutative?: boolean;
  /** Can be applied by the kernel that produces input 0, as this stage; `operand` is the input that it brings. */
  readonly epilogue?: { readonly stage: EpilogueStage; readonly operand?: number };
  /** Can apply epilogue stages to its output. */
  readonly acceptsEpilogue?: boolean;
  /** The kernel that runs for these types knows one-bit masks in its epilogue, or null; see {@link MaskSupport}. */
  readonly masks?: (context: Omit<KernelContext, "adapter" | "choice">) => MaskSupport | null;
  /** Input 1 where 0 < input 0 < the float whose bits are `below`, else 0: the gradient of a clipped activation from its output. */
  readonly mask?: { readonly below: number };
  /** Linear in input 0 with these weights, whose last axis is the one that a scale of `scales` runs along. */
  readonly linear?: {
    readonly weights: number;
    readonly scales: "output" | "input";
    /** The weights are a matrix, transposed where the scales are the input's. */
    readonly isMatrix?: boolean;
  };
  /** y = x · scale[c] (+ shift[c]) over the last axis; the numbers are input indices. */
  readonly channelAffine?: { readonly scale: number; readonly shift?: number };
}

export interface Op {
  readonly name: string;
  /** The types of the outputs; throws a ShapeError that says what was expected. */
  readonly infer: (inputs: readonly TensorType[], attributes: Attributes) => readonly TensorType[];
  /** The gradient of each input as new nodes (Griewank and Walther 2008, reverse mode); `null` where there is none. */
  readonly gradient?: (context: GradientContext) => readonly (Tensor | null)[];
  /** The dispatch that computes the outputs. */
  readonly kernel?: (context: KernelContext) => KernelCall;
  /** What the kernel may be given instead of its own workgroup and tile: the same bits at another speed, for a tuner to time. */
  readonly candidates?: (context: KernelContext) => readonly Choice[];
  /** Or: the same value in terms of other ops, expanded when a graph is compiled. */
  readonly lower?: (inputs: readonly Tensor[], attributes: Attributes) => readonly Tensor[];
  readonly traits: Traits;
  /** Number of inputs without epilogue operands. */
  readonly arity: number;
}

export interface OpDescription extends Omit<Op, "name" | "traits"> {
  readonly traits?: Traits;
}

/** Defines an op. Its reference and its cases are separate exports, listed in `ops/registry.ts`, so that bundles can drop them. */
/* @__NO_SIDE_EFFECTS__ */
export const defineOp = (name: string, description: OpDescription): Op => ({ name, traits: {}, ...description });

/** A tensor of the float64 reference interpreter. */
export interface ReferenceTensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: Float64Array;
}

/** The op in plain float64 loops: the oracle of every test. Returns the data of each output (or, for updates, of each updated input). */
export type Reference = (
  inputs: readonly ReferenceTensor[],
  context: { readonly attributes: Attributes; readonly outputs: readonly TensorType[] },
) => readonly Float64Array[];

/**
 * A case from which tests of forward, gradient and non-finite values are generated. Ops export functions that give theirs: what is not
 * called, a bundler leaves out.
 */
export interface OpCase {
  readonly inputs: readonly {
    readonly shape: readonly number[];
    readonly dtype?: DType;
    /** Where random values come from: `normal` times `scale` plus `offset`, or integers below `below`. */
    readonly scale?: number;
    readonly offset?: number;
    readonly below?: number;
    /** Of i32: each word is two normal float16 numbers below 2 in size. */
    readonly halves?: boolean;
    readonly positive?: boolean;
    /** Values kept at a distance from these kinks, where the derivative jumps. */
    readonly avoid?: readonly number[];
  }[];
  readonly attributes?: Attributes;
  /** Inputs whose gradient is checked; by default all f32 inputs when the op has a gradient rule. */
  readonly differentiate?: readonly number[];
  /** Values of different inputs or positions that must not tie (max pooling). */
  readonly distinct?: boolean;
}

export interface OpEntry {
  readonly op: Op;
  readonly reference?: Reference;
  readonly cases: readonly OpCase[];
}
