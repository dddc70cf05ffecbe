// Pictures of different sizes, packed as bytes, brought to one size by weights that the host computed for each line:
//   y[n, oy, ox, c] = Σ_r rowWeights[n, oy, r] · Σ_k columnWeights[n, ox, k] · picture[n][firstRows[n, oy] + r, firstColumns[n, ox] + k, c]
// Weights are whole numbers of 2^−22, so sums along a row are exact. ROUND = 1 rounds half up to a byte after each pass, as PIL
// does; ROUND = 0 keeps fractions. A pixel without weight is not read.
// One invocation per output pixel. Bytes: the pictures, the lines and the output once. FLOPs: 6 per pixel and pair of taps.

struct Params {
  samples: u32,
  slotBytes: u32, // of each picture: rows of `width` pixels of 3 bytes from its start, four bytes to a word, little endian
  outHeight: u32, outWidth: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pictures: array<u32>;
@group(0) @binding(2) var<storage, read> widths: array<u32>;
@group(0) @binding(3) var<storage, read> firstRows: array<u32>;
@group(0) @binding(4) var<storage, read> rowWeights: array<i32>;
@group(0) @binding(5) var<storage, read> firstColumns: array<u32>;
@group(0) @binding(6) var<storage, read> columnWeights: array<i32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

// Pixels of a workgroup.
override COLUMNS: u32 = 16;
override ROWS: u32 = 4;
override TAPS: u32 = 2;
override ROUND: u32 = 0;

const unit = 4194304.0; // 2^22

fn byteAt(position: u32) -> i32 {
  return i32((pictures[position / 4u] >> (8u * (position % 4u))) & 0xffu);
}

fn rounded(sum: vec3i) -> vec3i {
  return clamp((sum + vec3i(2097152)) >> vec3u(22u), vec3i(0), vec3i(255));
}

// The weighted sum along a picture's row, in units of 2^−22.
fn alongRow(image: u32, row: u32, columnLine: u32) -> vec3i {
  let first = row * widths[image] + firstColumns[columnLine];
  var sum = vec3i(0);
  for (var k = 0u; k < TAPS; k++) {
    let weight = columnWeights[columnLine * TAPS + k];
    let position = 3u * (first + k);
    // What lies outside of the picture's slot counts as black.
    if (weight == 0 || position + 3u > params.slotBytes) { continue; }
    let start = image * params.slotBytes + position;
    sum += weight * vec3i(byteAt(start), byteAt(start + 1u), byteAt(start + 2u));
  }
  return sum;
}

@compute @workgroup_size(COLUMNS, ROWS)
fn resample(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.outWidth || id.y >= params.outHeight || id.z >= params.samples) { return; }
  let rowLine = id.z * params.outHeight + id.y;
  let columnLine = id.z * params.outWidth + id.x;
  var whole = vec3i(0);
  var fractional = vec3f(0.0);
  for (var r = 0u; r < TAPS; r++) {
    let weight = rowWeights[rowLine * TAPS + r];
    if (weight == 0) { continue; }
    let sum = alongRow(id.z, firstRows[rowLine] + r, columnLine);
    if (ROUND == 1u) {
      whole += weight * rounded(sum);
    } else {
      fractional += (f32(weight) / unit) * (vec3f(sum) / unit);
    }
  }
  let value = select(fractional, vec3f(rounded(whole)), ROUND == 1u);
  let to = 3u * (rowLine * params.outWidth + id.x);
  y[to] = value.x;
  y[to + 1u] = value.y;
  y[to + 2u] = value.z;
}
