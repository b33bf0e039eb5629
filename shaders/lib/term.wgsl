// term: where a term of the loss finds its weight, leaves its values, and delivers its gradient. The first field of its `params` is
// `term: Term`. src/method/losses/slot.rs fills it. No content of weights or clock leads outside of them.
struct Term {
    steps: u32,      // rows of the schedule
    weights: u32,    // where the term's weights begin, one a step
    values: u32,     // where its values begin among those of an image
    stride: u32,     // values of an image, of all terms
}

// 1: another term has delivered a gradient to the same source, which this one adds to.
override ACCUMULATES: u32 = 0;

@group(0) @binding(12) var<storage, read> weights: array<f32>;
@group(0) @binding(13) var<storage, read> clock: array<u32>;
@group(0) @binding(14) var<storage, read_write> values: array<f32>;
@group(0) @binding(15) var<storage, read_write> dx: array<f32>;

fn step_now() -> u32 {
    return min(clock[0], params.term.steps - 1u);
}

fn weight_now() -> f32 {
    return weights[params.term.weights + step_now()];
}

// The place of the term's value i of an image. A value may be left as partial sums, one after the other.
fn value_at(image: u32, i: u32) -> u32 {
    return image * params.term.stride + params.term.values + i;
}

// A weighted gradient: every element of dx gets one.
fn deliver(i: u32, gradient: f32) {
    if ACCUMULATES != 0u {
        dx[i] += gradient;
    } else {
        dx[i] = gradient;
    }
}
