// avg_pool2d_texels: as avg_pool2d, four channels at a time. Of the grid x is the position in the plane, y the quad of channels and z the image.
// Memory-bound.
#import lib/texels
#import lib/avg_pool2d

struct Params {
    quads: u32,      // ceil(C/4)
    h: u32,
    w: u32,
    oh: u32,
    ow: u32,
    pad_top: u32,
    pad_left: u32,
    pad_bottom: u32,
    pad_right: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

fn rows() -> Axis {
    return Axis(params.h, params.oh, params.pad_top, params.pad_bottom, KERNEL_H, STRIDE_H);
}

fn columns() -> Axis {
    return Axis(params.w, params.ow, params.pad_left, params.pad_right, KERNEL_W, STRIDE_W);
}

@compute @workgroup_size(LANES)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    let across = columns();
    let along = rows();
    if id.x >= along.out * across.out {
        return;
    }
    let plane = id.z * params.quads + id.y;
    let p_row = id.x / across.out;
    let down = window(p_row, along);
    let right = window(id.x - p_row * across.out, across);
    var sum = vec4f();
    for (var row = down.start; row < down.end; row++) {
        for (var col = right.start; col < right.end; col++) {
            sum += load((plane * along.len + row) * across.len + col);
        }
    }
    store(plane * along.out * across.out + id.x, sum / f32(down.size * right.size));
}

// x is dy, and y is dx.
@compute @workgroup_size(LANES)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    let across = columns();
    let along = rows();
    if id.x >= along.len * across.len {
        return;
    }
    let plane = id.z * params.quads + id.y;
    let q_row = id.x / across.len;
    let p_rows = windows_with(q_row, along);
    let p_cols = windows_with(id.x - q_row * across.len, across);
    var sum = vec4f();
    for (var p_row = p_rows.x; p_row < p_rows.y; p_row++) {
        let height = window(p_row, along).size;
        for (var p_col = p_cols.x; p_col < p_cols.y; p_col++) {
            sum += load((plane * along.out + p_row) * across.out + p_col) / f32(height * window(p_col, across).size);
        }
    }
    let to = plane * along.len * across.len + id.x;
    store(to, epilogue(sum, to));
}
