// conv2d product: y[m,p] = sum over taps t and channels c of w[t,c,m] * x[c,p*step+t], for subgroups of eight.
// A subgroup computes 4*ROW_GROUPS rows x 8*COLUMNS columns. A lane fetches four channels of each of its columns, and its
// share of w, which shuffles hand to all lanes. x: [N,C/4,H,W], w: [M/tile][taps*C][ROW_GROUPS], texels of four rows;
// y: [N,M/4,YH,YW], with bias, epilogue and relu; x and y are all quads of what is stored, or some. Of Winograd's elements (FLAT)
// y is plain sums: [elements][M/4][columns].
// Compute-bound: 2*M*C*taps*P FLOP.
#import lib/texels
#import lib/conv2d_phase

struct Params {
    row_quads: u32,         // ceil(M/4)
    terms: u32,             // taps of all phases * 4*quads
    quads: u32,             // ceil(C/4)
    x_channel_offset: u32,  // quad at which x begins
    x_channel_stride: u32,  // quads of an image that are stored where x is
    x_h: u32,
    x_w: u32,
    plane: u32,             // from one quad of channels to the next in x
    x_step_h: u32,
    x_step_w: u32,
    y_quads: u32,           // quads of rows, but for folds
    y_channel_offset: u32,  // as x_channel_offset and x_channel_stride
    y_channel_stride: u32,
    y_h: u32,
    y_w: u32,
    y_step_h: u32,          // how far apart a phase's rows are in y
    y_step_w: u32,
    fold_w: u32,            // residues along a row among the rows of the product; 1 where they are phases
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var w: texture_storage_2d<rgba32float, read>;
@group(0) @binding(5) var<storage, read> b: array<vec4f>;

override ROW_GROUPS: u32 = 8;
override COLUMNS: u32 = 8;
// 1: a column is its own place in x, and there is one tap.
override FLAT: u32 = 0;
// 1: x has one quad of channels, so that the loop over these is none.
override SINGLE: u32 = 0;

@compute @workgroup_size(8)
fn multiply(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let phase = phase_of(group.z);
    let first_column = group.x * COLUMNS * 8u + lane;
    let quads = select(params.quads, 1u, SINGLE != 0u);
    let plane = params.plane;
    let size = vec2i(i32(params.x_h), i32(params.x_w));
    // The lane's share of the bias.
    let share_of_b = b[min(group.y * ROW_GROUPS + lane % ROW_GROUPS, params.row_quads - 1u) % params.y_quads];
    // Where the lane's columns begin. Arrays are as long as the loops over them: that lets the driver unroll these.
    var base: array<u32, 8>;
    var spot: array<vec2i, 8>;
    var to: array<vec3u, 8>;   // image, row and column in y
    for (var j = 0u; j < 8u; j++) {
        let column = min(first_column + 8u * j, max(phase.columns, 1u) - 1u);
        if FLAT != 0u {
            base[j] = phase.base + column;
        } else {
            let positions = max(phase.h * phase.w, 1u);
            let image = column / positions;
            let p = column - image * positions;
            let row = p / max(phase.w, 1u);
            let col = p - row * phase.w;
            base[j] = (image * params.x_channel_stride + params.x_channel_offset) * plane;
            spot[j] = vec2i(vec2u(row * params.x_step_h, col * params.x_step_w));
            to[j] = vec3u(image, phase.row0 + row * params.y_step_h, phase.col0 + col * params.y_step_w);
        }
    }
    var acc: array<array<array<f32, 8>, 4>, 8>;
    var w_at = (group.y * params.terms + phase.first_term) * ROW_GROUPS + lane % ROW_GROUPS;
    // One loop over taps and none over their rows: the sums are copied at every loop's begin and end.
    let taps = phase.taps_h * phase.taps_w;
    var tap = vec2u();
    for (var t = 0u; t < taps; t++) {
        var at = base;
        var inside: array<bool, 8>;
        if FLAT == 0u {
            let by = vec2i(phase.tap_row + i32(tap.x), phase.tap_col + i32(tap.y));
            for (var j = 0u; j < 8u; j++) {
                let s = spot[j] + by;
                inside[j] = all(s >= vec2i()) && all(s < size);
                at[j] += u32(select(0, s.x * size.y + s.y, inside[j]));
            }
            let last = tap.y + 1u == phase.taps_w;
            tap = select(vec2u(tap.x, tap.y + 1u), vec2u(tap.x + 1u, 0u), last);
        }
        var away = 0u;
        for (var c = 0u; c < quads; c++) {
            var share: array<vec4f, 4>;
            for (var k = 0u; k < 4u; k++) {
                share[k] = textureLoad(w, texel(w_at + k * ROW_GROUPS));
            }
            var v: array<vec4f, 8>;
            for (var j = 0u; j < 8u; j++) {
                if j < COLUMNS {
                    v[j] = load(at[j] + away);
                    if FLAT == 0u {
                        v[j] = select(vec4f(), v[j], inside[j]);
                    }
                }
            }
            for (var i = 0u; i < 8u; i++) {
                if i < ROW_GROUPS {
                    let a0 = subgroupShuffle(share[0], i);
                    let a1 = subgroupShuffle(share[1], i);
                    let a2 = subgroupShuffle(share[2], i);
                    let a3 = subgroupShuffle(share[3], i);
                    for (var j = 0u; j < 8u; j++) {
                        if j < COLUMNS {
                            let sum = a0 * v[j].x + a1 * v[j].y + a2 * v[j].z + a3 * v[j].w;
                            acc[i][0][j] += sum.x;
                            acc[i][1][j] += sum.y;
                            acc[i][2][j] += sum.z;
                            acc[i][3][j] += sum.w;
                        }
                    }
                }
            }
            away += plane;
            w_at += 4u * ROW_GROUPS;
        }
    }
    for (var i = 0u; i < 8u; i++) {
        let row = group.y * ROW_GROUPS + i;
        if i < ROW_GROUPS && row < params.row_quads {
            let bias = subgroupShuffle(share_of_b, i);
            let fold = row / params.y_quads;
            let quad = row - fold * params.y_quads;
            let down = fold / params.fold_w;
            for (var j = 0u; j < 8u; j++) {
                let column = first_column + 8u * j;
                if j < COLUMNS && column < phase.columns {
                    let sum = vec4f(acc[i][0][j], acc[i][1][j], acc[i][2][j], acc[i][3][j]);
                    if FLAT != 0u {
                        store(phase.first + row * phase.columns + column, sum);
                    } else {
                        let y_row = to[j].y + down;
                        let y_col = to[j].z + fold - down * params.fold_w;
                        if y_row < params.y_h && y_col < params.y_w {
                            let plane_of_y = to[j].x * params.y_channel_stride + params.y_channel_offset + quad;
                            let at = (plane_of_y * params.y_h + y_row) * params.y_w + y_col;
                            store(at, epilogue(sum + bias, at));
                        }
                    }
                }
            }
        }
    }
}
