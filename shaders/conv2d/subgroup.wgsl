// conv2d for subgroups of eight lanes: a subgroup computes 4*ROW_GROUPS rows x 64 columns of the product.
// A lane keeps eight columns of x and its share of w; shuffles hand each vec4 of w to all lanes, so that no value is
// loaded twice and no workgroup memory or barrier is needed. Compute-bound: 2*M*C*taps*P FLOP.
#import lib/epilogue
#import lib/conv2d

override ROW_GROUPS: u32 = 8;

@compute @workgroup_size(8)
fn multiply(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let phase = phase_of(group.z);
    if group.x * 64u >= params.images * phase.h * phase.w {
        return;
    }
    var columns: array<Column, 8>;
    for (var j = 0u; j < 8u; j++) {
        columns[j] = column_of(group.x * 64u + lane * 8u + j, phase);
    }
    let plane = params.x_h * params.x_w;
    let row4 = group.y * ROW_GROUPS;
    var acc: array<vec4f, 64>;
    for (var t = phase.first_tap; t < phase.first_tap + phase.taps; t++) {
        let d = table[phase.taps_at + t].xy;
        var at: array<vec2u, 8>;
        for (var j = 0u; j < 8u; j++) {
            at[j] = under_tap(columns[j], d);
        }
        var at0 = vec4u(at[0].x, at[1].x, at[2].x, at[3].x);
        var at1 = vec4u(at[4].x, at[5].x, at[6].x, at[7].x);
        let in0 = vec4u(at[0].y, at[1].y, at[2].y, at[3].y) != vec4u();
        let in1 = vec4u(at[4].y, at[5].y, at[6].y, at[7].y) != vec4u();
        var w_at = (group.y * params.terms + t * params.channels) * ROW_GROUPS + lane % ROW_GROUPS;
        for (var c = 0u; c < params.channels; c++) {
            let share = w[w_at];
            let x0 = select(vec4f(), vec4f(x[at0.x], x[at0.y], x[at0.z], x[at0.w]), in0);
            let x1 = select(vec4f(), vec4f(x[at1.x], x[at1.y], x[at1.z], x[at1.w]), in1);
            for (var i = 0u; i < ROW_GROUPS; i++) {
                let a = subgroupShuffle(share, i);
                acc[i * 8u] += a.x * x0;
                acc[i * 8u + 1u] += a.x * x1;
                acc[i * 8u + 2u] += a.y * x0;
                acc[i * 8u + 3u] += a.y * x1;
                acc[i * 8u + 4u] += a.z * x0;
                acc[i * 8u + 5u] += a.z * x1;
                acc[i * 8u + 6u] += a.w * x0;
                acc[i * 8u + 7u] += a.w * x1;
            }
            at0 += plane;
            at1 += plane;
            w_at += ROW_GROUPS;
        }
    }
    // Only constants may index `acc`, or the driver keeps it in memory all along: so the epilogue reads a copy.
    var sum: array<vec4f, 64>;
    for (var i = 0u; i < 8u; i++) {
        for (var j = 0u; j < 8u; j++) {
            sum[i * 8u + j] = acc[i * 8u + j];
        }
    }
    let last = min(params.rows - row4 * 4u, 4u * ROW_GROUPS);
    for (var j = 0u; j < 8u; j++) {
        let column = column_of(group.x * 64u + lane * 8u + j, phase);
        var row = row_of(row4 * 4u);
        for (var i = 0u; i < last; i++) {
            store(column, row, sum[2u * i + j / 4u][j % 4u]);
            row = next_row(row);
        }
    }
}
