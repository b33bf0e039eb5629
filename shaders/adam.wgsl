// adam: m = beta1 m + (1 - beta1) dx; v = beta2 v + (1 - beta2) dx^2;
// x = x - d (x - towards) - lr/(1 - beta1^t) * m / (sqrt(v)/sqrt(1 - beta2^t) + eps), then clamped to [0,1] if asked. Kingma and Ba
// (2015), the decay d = lr * weight_decay after Loshchilov and Hutter (2019), towards a colour and not 0; in PyTorch's order. Step
// size, decay and bias corrections come from the schedule. x, dx, m, v: [N,C,H,W]. Memory-bound, 28 B an element.
#import lib/clock
#import lib/index
#import lib/nan

struct Params {
    steps: u32,
    len: u32,
    beta1: f32,
    beta2: f32,
    one_minus_beta1: f32,
    one_minus_beta2: f32,
    eps: f32,
    clamp: u32,
    plane: u32,      // H W
    channels: u32,
}

// What differs from step to step; mirrors `AdamRow` in src/ops/adam.rs.
struct AdamRow {
    step_size: f32,        // lr / (1 - beta1^t)
    decay: f32,            // lr * weight_decay
    inv_sqrt_bias2: f32,   // 1 / sqrt(1 - beta2^t)
    reset: f32,            // 1: m and v count as zero before this step
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dx: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;
@group(0) @binding(5) var<storage, read> schedule: array<AdamRow>;   // [steps]
@group(0) @binding(6) var<storage, read> towards: array<f32>;   // [C]

@compute @workgroup_size(WORKGROUP)
fn step(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i >= params.len {
        return;
    }
    let row = schedule[step_now()];
    let g = dx[i];
    // Chosen and not multiplied: a reset must also end what is NaN or infinite.
    let moments = select(vec2f(m[i], v[i]), vec2f(), row.reset != 0.0);
    let m_new = params.beta1 * moments.x + params.one_minus_beta1 * g;
    let v_new = params.beta2 * moments.y + params.one_minus_beta2 * g * g;
    m[i] = m_new;
    v[i] = v_new;
    let decayed = x[i] - row.decay * (x[i] - towards[i / params.plane % params.channels]);
    var x_new = decayed - row.step_size * m_new / (sqrt(v_new) * row.inv_sqrt_bias2 + params.eps);
    if params.clamp != 0u {
        x_new = within_unit(x_new);
    }
    x[i] = x_new;
}
