// Histogram equalisation of images of 0 to 255, NHWC, in whole numbers and so the same everywhere. v = floor(clip(x) + 1/2).
//   histogram:       counts[n, c, v] = number of pixels of channel c with value v   one workgroup per (n, c), integer atomics
//   equaliseTable:   table[n, c, v] = min(255, ⌊(Σ_{u<v} counts + ⌊step/2⌋) / step⌋),  step = ⌊(pixels − last count) / 255⌋,
//                    where the last count is that of the greatest value there is; v itself when step is 0. One workgroup per (n, c).
//   lookUp:          y[n, y, x, c] = table[n, c, v] where switched[n] is not 0, else x       one invocation per element
// Bytes: histogram 4 per element, lookUp 8. A NaN is not counted, and stays.

struct Params {
  count: u32, // elements of all images
  pixels: u32, // per image
  channels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<f32>;
@group(0) @binding(4) var<storage, read> switched: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<u32>; // counts, or the bits of floats

override WORKGROUP: u32 = 64;

var<workgroup> bins: array<atomic<u32>, 256>;

fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

fn valueOf(value: f32) -> u32 {
  return u32(floor(clamp(value, 0.0, 255.0) + 0.5));
}

@compute @workgroup_size(WORKGROUP)
fn histogram(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let line = group.x + group.y * groups.x;
  if (line >= params.count / params.pixels) { return; }
  let image = line / params.channels * params.pixels;
  let c = line % params.channels;
  for (var pixel = lane; pixel < params.pixels; pixel += WORKGROUP) {
    let value = x[(image + pixel) * params.channels + c];
    if (!isNan(value)) { atomicAdd(&bins[valueOf(value)], 1u); }
  }
  workgroupBarrier();
  for (var v = lane; v < 256u; v += WORKGROUP) { y[256u * line + v] = atomicLoad(&bins[v]); }
}

@compute @workgroup_size(1)
fn equaliseTable(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let line = group.x + group.y * groups.x;
  if (line >= params.count) { return; }
  let first = 256u * line;
  var total = 0u;
  var last = 0u;
  for (var v = 0u; v < 256u; v++) {
    let here = counts[first + v];
    total += here;
    if (here > 0u) { last = here; }
  }
  let step = (total - last) / 255u;
  var below = step / 2u;
  for (var v = 0u; v < 256u; v++) {
    y[first + v] = bitcast<u32>(f32(select(min(below / max(step, 1u), 255u), v, step == 0u)));
    below += counts[first + v];
  }
}

@compute @workgroup_size(WORKGROUP)
fn lookUp(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.count) { return; }
  let value = x[at];
  let pixel = at / params.channels;
  let image = pixel / params.pixels;
  if (switched[image] == 0.0 || isNan(value)) {
    y[at] = bitcast<u32>(value);
    return;
  }
  y[at] = bitcast<u32>(table[256u * (image * params.channels + at % params.channels) + valueOf(value)]);
}
