// conv2d for any adapter: a workgroup computes 64 rows x 64 columns of the product, 4 x 4 an invocation, sixteen terms of
// the sum at a time through workgroup memory (8 KiB). Compute-bound: 2*M*C*taps*P FLOP.
// Where y is small and the sum is long, `multiply_part` computes SLICES partial sums beside each other, and conv2d/sum adds them.
#import lib/epilogue
#import lib/conv2d

const DEPTH: u32 = 16;
var<workgroup> w_tile: array<vec4f, 256>;
var<workgroup> x_tile: array<vec4f, 256>;

override SLICES: u32 = 1;

// The sum of these terms for four rows of four columns.
fn partial_sum(columns: array<Column, 4>, group_y: u32, phase: Phase, begin: u32, end: u32, local: u32) -> array<vec4f, 4> {
    let across = local % 16u;
    let down = local / 16u;
    let plane = params.x_h * params.x_w;
    var acc: array<vec4f, 4>;
    for (var i = 0u; i < 4u; i++) {
        acc[i] = vec4f();
    }
    for (var k0 = begin; k0 < end; k0 += DEPTH) {
        // Each invocation brings one vec4 of w and one of x: term `down`, rows or columns `across`.
        let k = k0 + down;
        var w_part = vec4f();
        var x_part = vec4f();
        if k < end {
            w_part = w[(group_y * params.terms + k) * 16u + across];
            let d = table[phase.taps_at + k / params.channels].xy;
            let channel = (k % params.channels) * plane;
            for (var j = 0u; j < 4u; j++) {
                let at = under_tap(columns[j], d);
                if at.y != 0u {
                    x_part[j] = x[at.x + channel];
                }
            }
        }
        w_tile[local] = w_part;
        x_tile[local] = x_part;
        workgroupBarrier();
        for (var term = 0u; term < DEPTH; term++) {
            let a = w_tile[term * 16u + down];
            let v = x_tile[term * 16u + across];
            acc[0] += a.x * v;
            acc[1] += a.y * v;
            acc[2] += a.z * v;
            acc[3] += a.w * v;
        }
        workgroupBarrier();
    }
    return acc;
}

fn columns_of(first: u32, phase: Phase) -> array<Column, 4> {
    return array<Column, 4>(
        column_of(first, phase), column_of(first + 1u, phase), column_of(first + 2u, phase), column_of(first + 3u, phase),
    );
}

@compute @workgroup_size(256)
fn multiply(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let phase = phase_of(group.z);
    if group.x * 64u >= params.images * phase.h * phase.w {
        return;
    }
    let columns = columns_of(group.x * 64u + local % 16u * 4u, phase);
    let begin = phase.first_tap * params.channels;
    let acc = partial_sum(columns, group.y, phase, begin, begin + phase.taps * params.channels, local);
    for (var i = 0u; i < 4u; i++) {
        let row = row_of(group.y * 64u + local / 16u * 4u + i);
        for (var j = 0u; j < 4u; j++) {
            store(columns[j], row, acc[i][j]);
        }
    }
}

// y is [SLICES] of partial sums; z of the grid is phase * SLICES + slice.
@compute @workgroup_size(256)
fn multiply_part(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let phase = phase_of(group.z / SLICES);
    let slice = group.z % SLICES;
    if group.x * 64u >= params.images * phase.h * phase.w {
        return;
    }
    let columns = columns_of(group.x * 64u + local % 16u * 4u, phase);
    let terms = phase.taps * params.channels;
    let each = (terms + SLICES - 1u) / SLICES;
    let begin = min(slice * each, terms);
    let end = min(begin + each, terms);
    let first = phase.first_tap * params.channels;
    let acc = partial_sum(columns, group.y, phase, first + begin, first + end, local);
    let y_len = params.images * params.y_channels * params.y_h * params.y_w;
    for (var i = 0u; i < 4u; i++) {
        let row = row_of(group.y * 64u + local / 16u * 4u + i);
        for (var j = 0u; j < 4u; j++) {
            let to = place(columns[j], row);
            if to.y != 0u {
                y[slice * y_len + to.x] = acc[i][j];
            }
        }
    }
}
