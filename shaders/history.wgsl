// history: the step's losses, kept on the adapter until somebody asks, and the clock's tick that ends a step.
// write: history[t,n] = (loss, loss_hf, loss_pv, logit, probability), with loss = w_class L_c + w_pv L_pv + w_hf L_hf.
// One workgroup an image. partial: [N,P] of total_variation, values: [N] of objective.
#import lib/reduce
#import lib/schedule

struct Params {
    steps: u32,
    images: u32,
    partials: u32,   // P
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read> values: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> history: array<f32>;
@group(0) @binding(4) var<storage, read_write> ticking: array<u32>;

@compute @workgroup_size(LANES)
fn write(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let n = group.x;
    var sum = 0.0;
    for (var i = lane; i < params.partials; i += LANES) {
        sum += partial[n * params.partials + i];
    }
    let loss_hf = reduce_sum(sum, lane);
    if lane == 0u {
        let row = row_now();
        let value = values[n];
        let at = 5u * (step_now() * params.images + n);
        history[at] = row.w_pv * value.x + row.w_class * value.w + row.w_hf * loss_hf;
        history[at + 1u] = loss_hf;
        history[at + 2u] = value.x;
        history[at + 3u] = value.y;
        history[at + 4u] = value.z;
    }
}

@compute @workgroup_size(1)
fn tick() {
    ticking[0] += 1u;
}
