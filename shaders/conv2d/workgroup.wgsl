// conv2d for any adapter: a workgroup computes 64 rows x 64 columns of the product, 4 x 4 an invocation, sixteen terms of
// the sum at a time through workgroup memory (8 KiB). Compute-bound: 2*M*C*taps*P FLOP.
#import lib/sink
#import lib/conv2d

const DEPTH: u32 = 16;
var<workgroup> w_tile: array<vec4f, 256>;
var<workgroup> x_tile: array<vec4f, 256>;

@compute @workgroup_size(256)
fn multiply(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let phase = phase_of(group.z);
    if group.x * 64u >= params.images * phase.h * phase.w {
        return;
    }
    let across = local % 16u;
    let down = local / 16u;
    var columns: array<Column, 4>;
    for (var j = 0u; j < 4u; j++) {
        columns[j] = column_of(group.x * 64u + across * 4u + j, phase);
    }
    let plane = params.x_h * params.x_w;
    let first = phase.first_tap * params.channels;
    let last = first + phase.taps * params.channels;
    var acc: array<vec4f, 4>;
    for (var i = 0u; i < 4u; i++) {
        acc[i] = vec4f();
    }
    for (var k0 = first; k0 < last; k0 += DEPTH) {
        // Each invocation brings one vec4 of w and one of x: term `down`, rows or columns `across`.
        let k = k0 + down;
        var w_part = vec4f();
        var x_part = vec4f();
        if k < last {
            w_part = w[(group.y * params.terms + k) * 16u + across];
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
    for (var i = 0u; i < 4u; i++) {
        let row = row_of(group.y * 64u + down * 4u + i);
        for (var j = 0u; j < 4u; j++) {
            store(columns[j], row, acc[i][j]);
        }
    }
}
