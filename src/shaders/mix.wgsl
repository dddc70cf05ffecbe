// Mixing within a batch; partner[n] is the sample mixed into sample n. One invocation per element; a partner outside the
// batch gives NaN. Bytes: 12 per element.
//   mixUp:    y[n] = λ[n]·x[n] + (1 − λ[n])·x[partner[n]]                     any shape: images, and their soft labels
//   cutMix:   y[n] = x[partner[n]] inside the box (top, left, height, width in pixels), else x[n]     NHWC

struct Params {
  count: u32,
  perSample: u32,
  samples: u32,
  width: u32, channels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> partner: array<u32>;
@group(0) @binding(3) var<storage, read> amounts: array<f32>; // λ of mixUp, boxes of cutMix
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;

fn notANumber() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

@compute @workgroup_size(WORKGROUP)
fn mixUp(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.count) { return; }
  let n = at / params.perSample;
  let lambda = amounts[n];
  if (partner[n] >= params.samples) {
    y[at] = notANumber();
    return;
  }
  y[at] = lambda * x[at] + (1.0 - lambda) * x[partner[n] * params.perSample + at % params.perSample];
}

@compute @workgroup_size(WORKGROUP)
fn cutMix(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.count) { return; }
  let n = at / params.perSample;
  if (partner[n] >= params.samples) {
    y[at] = notANumber();
    return;
  }
  let pixel = at % params.perSample / params.channels;
  let row = f32(pixel / params.width) - amounts[4u * n];
  let column = f32(pixel % params.width) - amounts[4u * n + 1u];
  let isInside = row >= 0.0 && column >= 0.0 && row < amounts[4u * n + 2u] && column < amounts[4u * n + 3u];
  y[at] = x[select(at, partner[n] * params.perSample + at % params.perSample, isInside)];
}
