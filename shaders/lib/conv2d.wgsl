// conv2d: y[n,m,p] = sum over taps t and channels c of w[t,c,m] * x[n,c,p*x_step + d_t], then the epilogue.
//
// The same product serves both directions. Forward: one phase, x_step = stride, a tap for each (kh,kw).
// Backward to the input: x_step = 1, a phase for each residue of the output's row and column modulo the stride, with just
// the taps that reach it; rows are the input's channels. Where these are few, the residues are rows instead of phases
// ("folded"): row m is channel m / (fold_h*fold_w), moved by the rest. `src/ops/conv2d/product.rs` packs w and the table.
// x: [N,C,XH,XW], y: [N,M,YH,YW], each some channels of what is stored or all; w: [M/tile][taps*C][tile/4] of vec4f (tile: rows
// a kernel computes at a time), table: phases (two entries each), then taps.
#import lib/nan

struct Params {
    rows: u32,              // M: channels of y, times fold_h*fold_w
    y_channels: u32,        // of y
    y_channel_offset: u32,  // channel at which y begins
    y_channel_stride: u32,  // channels of an image that are stored where y is
    terms: u32,             // taps of all phases * C: length of a column of w
    channels: u32,          // C: channels of x
    x_channel_offset: u32,  // as y_channel_offset and y_channel_stride
    x_channel_stride: u32,
    images: u32,            // N
    x_h: u32,
    x_w: u32,
    y_h: u32,
    y_w: u32,
    x_step_h: u32,
    x_step_w: u32,
    y_step_h: u32,          // how far apart a phase's rows are in y
    y_step_w: u32,
    fold_h: u32,            // residues among the rows of the product; 1 where they are phases
    fold_w: u32,
    phases: u32,
    bias: u32,              // 1: add b[m]
    relu: u32,              // 1: y = max(y, 0), last
    epilogue: u32,
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
    x_base: u32,     // added to its places in x and in y
    y_base: u32,
    taps_at: u32,    // where the table of taps begins
}

fn phase_of(index: u32) -> Phase {
    let head = table[2u * index];
    let tail = table[2u * index + 1u];
    let taps_at = 2u * params.phases;
    let at = vec4u(head);
    let extent = vec4u(tail);
    return Phase(at.x, at.y, at.z, at.w, extent.x, extent.y, extent.z, extent.w, taps_at);
}

// Where a column of the product (an output pixel of one image) reads in x, before a tap moves it.
struct Column {
    base: u32,       // of channel 0 in x
    row: i32,
    col: i32,
    image: u32,
    y_row: u32,      // where it is written, before the row's fold moves it
    y_col: u32,
    y_base: u32,
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
    let base = phase.x_base + (n * params.x_channel_stride + params.x_channel_offset) * params.x_h * params.x_w + row * params.x_w + col;
    let y_row = phase.row0 + ph * params.y_step_h;
    let y_col = phase.col0 + pw * params.y_step_w;
    return Column(base, i32(row), i32(col), n, y_row, y_col, phase.y_base, live);
}

// The address of a column under a tap, and whether it is inside of x; outside, an address that may be read.
fn under_tap(column: Column, d: vec2i) -> vec2u {
    let row = column.row + d.x;
    let col = column.col + d.y;
    let inside = column.live && row >= 0 && row < i32(params.x_h) && col >= 0 && col < i32(params.x_w);
    let at = i32(column.base) + d.x * i32(params.x_w) + d.y;
    return vec2u(select(0u, u32(at), inside), u32(inside));
}

// Where a row of the product goes in y: its channel, and how far its fold moves the column's position.
struct Row {
    channel: u32,
    down: u32,
    right: u32,
}

fn row_of(m: u32) -> Row {
    let folds = params.fold_h * params.fold_w;
    return Row(m / folds, m % folds / params.fold_w, m % params.fold_w);
}

// row_of(m + 1) without a division.
fn next_row(row: Row) -> Row {
    var next = Row(row.channel, row.down, row.right + 1u);
    if next.right == params.fold_w {
        next = Row(row.channel, row.down + 1u, 0u);
    }
    if next.down == params.fold_h {
        next = Row(row.channel + 1u, 0u, 0u);
    }
    return next;
}

// Where one element of the product goes in y, and whether it lies in y.
fn place(column: Column, row: Row) -> vec2u {
    let y_row = column.y_row + row.down;
    let y_col = column.y_col + row.right;
    let live = column.live && row.channel < params.y_channels && y_row < params.y_h && y_col < params.y_w;
    let channel = column.image * params.y_channel_stride + params.y_channel_offset + row.channel;
    let at = column.y_base + (channel * params.y_h + y_row) * params.y_w + y_col;
    return vec2u(at, u32(live));
}

// Stores one element of the product, if it lies in y.
fn store(column: Column, row: Row, value: f32) {
    let to = place(column, row);
    if to.y == 0u {
        return;
    }
    let at = to.x;
    var out = value;
    if params.bias != 0u {
        out += b[row.channel];
    }
    out = epilogue(out, at);
    if params.relu != 0u {
        out = rectified(out);
    }
    y[at] = out;
}
