// Mixing within a batch; partner[n] is the sample mixed into sample n. A partner outside the batch gives NaN. The sample comes from
// the grid: whole-number division is slow where a CPU does the work. Bytes: 12 per element.
//   mixUp:    y[n] = λ[n]·x[n] + (1 − λ[n])·x[partner[n]]     any shape: images, and their soft labels; one invocation per element
//   cutMix:   y[n] = x[partner[n]] inside the box (top, left, height, width in pixels), else x[n]   NHWC; one invocation per pixel

struct Params {
  samples: u32,
  perSample: u32,
  height: u32, width: u32, channels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> partner: array<u32>;
@group(0) @binding(3) var<storage, read> amounts: array<f32>; // λ of mixUp, boxes of cutMix
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;
// Pixels of a workgroup of cutMix.
override COLUMNS: u32 = 16;
override ROWS: u32 = 4;

fn notANumber() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

@compute @workgroup_size(WORKGROUP)
fn mixUp(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let inside = id.x + id.y * groups.x * WORKGROUP;
  if (inside >= params.perSample || id.z >= params.samples) { return; }
  let at = id.z * params.perSample + inside;
  let lambda = amounts[id.z];
  if (partner[id.z] >= params.samples) {
    y[at] = notANumber();
    return;
  }
  y[at] = lambda * x[at] + (1.0 - lambda) * x[partner[id.z] * params.perSample + inside];
}

@compute @workgroup_size(COLUMNS, ROWS)
fn cutMix(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.width || id.y >= params.height || id.z >= params.samples) { return; }
  let inside = (id.y * params.width + id.x) * params.channels;
  let row = f32(id.y) - amounts[4u * id.z];
  let column = f32(id.x) - amounts[4u * id.z + 1u];
  let isInside = row >= 0.0 && column >= 0.0 && row < amounts[4u * id.z + 2u] && column < amounts[4u * id.z + 3u];
  let start = select(id.z, partner[id.z], isInside) * params.perSample + inside;
  let to = id.z * params.perSample + inside;
  let isPartner = partner[id.z] < params.samples;
  for (var c = 0u; c < params.channels; c++) { y[to + c] = select(notANumber(), x[start + c], isPartner); }
}
