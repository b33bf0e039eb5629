// conv2d finish: y [N,ceil(M/4),YH,YW] from the texels of a product, with bias, sink and relu. One invocation a texel: x, y, z
// of the grid are the position in a phase, the quad of the product's rows, and phase * N + image. Memory-bound.
#import lib/texels
#import lib/conv2d_phase

struct Params {
    y_quads: u32,    // ceil(M/4)
    images: u32,
    y_h: u32,
    y_w: u32,
    y_step_h: u32,   // how far apart a phase's rows are in y
    y_step_w: u32,
    fold_w: u32,     // residues along a row among the rows of the product; 1 where they are phases
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read> b: array<vec4f>;

// 0: one phase whose positions are those of y.
override STRIDED: u32 = 1;

@compute @workgroup_size(LANES)
fn finish(@builtin(global_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u) {
    var phase: Phase;
    var image = group.z;
    var quad = group.y;
    var fold = 0u;
    if STRIDED == 0u {
        phase = phase_of(0u);
    } else {
        phase = phase_of(group.z / params.images);
        image = group.z % params.images;
        quad = group.y % params.y_quads;
        fold = group.y / params.y_quads;
    }
    let bias = b[quad];
    let plane = phase.h * phase.w;
    if id.x >= plane {
        return;
    }
    let v = load(phase.first + group.y * phase.columns + image * plane + id.x) + bias;
    let to = (image * params.y_quads + quad) * params.y_h * params.y_w;
    if STRIDED == 0u {
        store(to + id.x, sink(v, to + id.x));
        return;
    }
    let row = phase.row0 + id.x / phase.w * params.y_step_h + fold / params.fold_w;
    let col = phase.col0 + id.x % phase.w * params.y_step_w + fold % params.fold_w;
    if row < params.y_h && col < params.y_w {
        let at = to + row * params.y_w + col;
        store(at, sink(v, at));
    }
}
