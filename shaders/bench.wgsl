// bench: what an adapter does at best, to hold other kernels against. copy: y = x. peak: v = v·factor + addend, over and over.
// x, y: [len] vectors of four, far more than caches hold; memory-bound, 32 B a vector.
// sums: [invocations]; bound by arithmetic, 2·FUSED·CHAINS FLOP a round and invocation, and next to no memory.
#import lib/index

struct Params {
    len: u32,
    rounds: u32,
    factor: f32,
    addend: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

// Vectors that an invocation copies, one after the other: 1 lets the lanes of a graphics card touch neighbours, more spare a
// software adapter part of what it computes for each address. len is a multiple of it.
override RUN: u32 = 1;

@compute @workgroup_size(WORKGROUP)
fn copy(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let first = flat_index(id, groups) * RUN;
    if first < params.len {
        for (var k = 0u; k < RUN; k++) {
            y[first + k] = x[first + k];
        }
    }
}

// Multiply-adds of one chain in a round, unrolled: a turn of the outer loop costs more than they do.
const FUSED: u32 = 16;

// Twelve chains that know nothing of each other hide the latency of each, and fit a processor's 16 vector registers. The
// numbers come from outside, so that no compiler foresees the result, which is written, so that none leaves it out.
@compute @workgroup_size(WORKGROUP)
fn peak(@builtin(global_invocation_id) id: vec3u) {
    let factor = vec4f(params.factor);
    let addend = vec4f(params.addend);
    var a = vec4f(0.0, 0.25, 0.5, 0.75) + f32(id.x % 64u);
    var b = a + 64.0;
    var c = b + 64.0;
    for (var round = 0u; round < params.rounds; round++) {
        for (var i = 0u; i < FUSED; i++) {
            a = fma(a, factor, addend);
            b = fma(b, factor, addend);
            c = fma(c, factor, addend);
        }
    }
    if id.x < params.len {
        sums[id.x] = dot(a + b + c, vec4f(1.0));
    }
}
