// scale_shift: y = x * scale[c] + shift[c]; dx = dy * scale[c]. Batch norm at inference and normalize are both this, with
// scale and shift computed once in f64 (`src/ops/scale_shift.rs`). x, y: [N,C,H,W]. Memory-bound, 8 B an element.
#import lib/index
#import lib/epilogue

struct Params {
    len: u32,
    channels: u32,
    plane: u32,      // H*W
    epilogue: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read> shift: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

fn channel_of(i: u32) -> u32 {
    return (i / params.plane) % params.channels;
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        let c = channel_of(i);
        y[i] = x[i] * scale[c] + shift[c];
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        dx[i] = epilogue(dy[i] * scale[channel_of(i)], i);
    }
}
