// conv2d: y[n,m,p] = sum over taps t and channels c of w[t,c,m] * x[n,c,p*x_step + d_t], then the epilogue.
//
// The same product serves both directions. Forward: one phase, x_step = stride, a tap for each (kh,kw).
// Backward to the input: x_step = 1, a phase for each residue of the output's row and column modulo the stride, with just
// the taps that reach it; rows are the input's channels. `src/ops/conv2d.rs` packs w and the table.
// x: [N,C,XH,XW], y: [N,M,YH,YW], w: [M/tile][taps*C][tile/4] of vec4f (tile: rows a kernel computes at a time), table: phases (two entries each), then taps.
#import lib/nan

struct Params {
    rows: u32,         // M: channels of y
    terms: u32,        // taps of all phases * C: length of a column of w
    channels: u32,     // C: channels of x
    images: u32,       // N
    x_h: u32,
    x_w: u32,
    y_h: u32,
    y_w: u32,
    x_step_h: u32,
    x_step_w: u32,
    y_step_h: u32,     // phases in the vertical; rows of a phase are this far apart in y
    y_step_w: u32,
    bias: u32,         // 1: add b[m]
    relu: u32,         // 1: y = max(y, 0), last
    sink: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read> table: array<vec4i>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

struct Phase {
    first_tap: u32,
    taps: u32,
    row0: u32,       // its first row and column in y
    col0: u32,
    h: u32,          // its extents
    w: u32,
    taps_at: u32,    // where the table of taps begins
}

fn phase_of(index: u32) -> Phase {
    let head = table[2u * index];
    let tail = table[2u * index + 1u];
    let taps_at = 2u * params.y_step_h * params.y_step_w;
    return Phase(u32(head.x), u32(head.y), u32(head.z), u32(head.w), u32(tail.x), u32(tail.y), taps_at);
}

// Where a column of the product (an output pixel of one image) reads in x, before a tap moves it.
struct Column {
    base: u32,       // of channel 0 in x
    row: i32,
    col: i32,
    y: u32,          // of channel 0 in y
    live: bool,
}

fn column_of(index: u32, phase: Phase) -> Column {
    let plane = phase.h * phase.w;
    let live = index < params.images * plane;
    let at = select(0u, index, live);
    let n = at / plane;
    let p = at % plane;
    let ph = p / phase.w;
    let pw = p % phase.w;
    let row = ph * params.x_step_h;
    let col = pw * params.x_step_w;
    let base = n * params.channels * params.x_h * params.x_w + row * params.x_w + col;
    let out_row = phase.row0 + ph * params.y_step_h;
    let out_col = phase.col0 + pw * params.y_step_w;
    let out = (n * params.rows * params.y_h + out_row) * params.y_w + out_col;
    return Column(base, i32(row), i32(col), out, live);
}

// The address of a column under a tap, and whether it is inside of x; outside, an address that may be read.
fn under_tap(column: Column, d: vec2i) -> vec2u {
    let row = column.row + d.x;
    let col = column.col + d.y;
    let inside = column.live && row >= 0 && row < i32(params.x_h) && col >= 0 && col < i32(params.x_w);
    let at = i32(column.base) + d.x * i32(params.x_w) + d.y;
    return vec2u(select(0u, u32(at), inside), u32(inside));
}

fn store(column: Column, m: u32, value: f32) {
    let at = column.y + m * params.y_h * params.y_w;
    var out = value;
    if params.bias != 0u {
        out += b[m];
    }
    out = sink(out, at);
    if params.relu != 0u {
        out = rectified(out);
    }
    y[at] = out;
}
