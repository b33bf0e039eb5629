// history: the step's losses, kept on the device until somebody asks, and the clock's tick that ends a step.
// write: history[t,n] = (loss, columns), loss = sum over the terms of w times the term's value, a value being the sum of its
// partial sums. One workgroup an image. values: [N,S], S = term.stride, history: [steps,N,R].
#import lib/reduce
#import lib/term

struct Params {
    term: Term,
    images: u32,     // N
    terms: u32,
    columns: u32,
    row: u32,        // R: numbers of an image and step
}

// Mirrors `ColumnRow` in src/method/losses/ledger.rs.
struct Column {
    first: u32,      // its partial sums among an image's values
    count: u32,
    weight: u32,     // 1 + the term whose loss it is; 0: it is no loss
    place: u32,      // where it stands in a row of the history; 0: nowhere
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> columns: array<Column>;
@group(0) @binding(2) var<storage, read_write> history: array<f32>;
@group(0) @binding(3) var<storage, read_write> ticking: array<u32>;

@compute @workgroup_size(LANES)
fn write(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let n = group.x;
    let now = step_now();
    let at = (now * params.images + n) * params.row;
    let stride = params.term.stride;
    var loss = 0.0;
    for (var c = 0u; c < params.columns; c++) {
        // Whatever the table of columns says, it stays within an image's values and a row.
        let column = columns[c];
        let first = min(column.first, stride);
        let count = min(column.count, stride - first);
        var sum = 0.0;
        for (var i = lane; i < count; i += LANES) {
            sum += values[n * stride + first + i];
        }
        let value = reduce_sum(sum, lane);
        if lane == 0u {
            if column.weight != 0u {
                loss += weights[min(column.weight - 1u, params.terms - 1u) * params.term.steps + now] * value;
            }
            if column.place != 0u {
                history[at + min(column.place, params.row - 1u)] = value;
            }
        }
    }
    if lane == 0u {
        history[at] = loss;
    }
}

@compute @workgroup_size(1)
fn tick() {
    ticking[0] += 1u;
}
