// conv2d finish: y [N,ceil(M/4),YH,YW] from the texels of a product, with bias, sink and relu. One invocation a texel: y of the
// grid is the quad of the product's rows; x and z are the position and the image, or where y is STRIDED the column and the
// phase. Integer divisions are dear, hence the overrides. Memory-bound.
#import lib/texels
#import lib/conv2d_phase

struct Params {
    y_quads: u32,    // ceil(M/4)
    y_h: u32,
    y_w: u32,
    y_step_h: u32,   // how far apart a phase's rows are in y
    y_step_w: u32,
    fold_w: u32,     // residues along a row among the rows of the product; 1 where they are phases
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read> b: array<vec4f>;

// 0: one phase whose positions are those of y. 1: phases, or positions apart from each other.
override STRIDED: u32 = 1;
// 1: residues are rows of the product.
override FOLDED: u32 = 1;

@compute @workgroup_size(LANES)
fn finish(@builtin(global_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u) {
    let phase = phase_of(select(0u, group.z, STRIDED != 0u));
    var quad = group.y;
    var fold = 0u;
    if FOLDED != 0u {
        fold = group.y / params.y_quads;
        quad = group.y - fold * params.y_quads;
    }
    let bias = b[quad];
    let plane = phase.h * phase.w;
    let y_plane = params.y_h * params.y_w;
    if STRIDED == 0u {
        if id.x < plane {
            let v = load(phase.first + group.y * phase.columns + group.z * plane + id.x) + bias;
            let at = (group.z * params.y_quads + quad) * y_plane + id.x;
            store(at, sink(v, at));
        }
        return;
    }
    if id.x >= phase.columns {
        return;
    }
    let v = load(phase.first + group.y * phase.columns + id.x) + bias;
    let image = id.x / plane;
    let p = id.x - image * plane;
    let p_row = p / phase.w;
    var row = phase.row0 + p_row * params.y_step_h;
    var col = phase.col0 + (p - p_row * phase.w) * params.y_step_w;
    if FOLDED != 0u {
        let down = fold / params.fold_w;
        row += down;
        col += fold - down * params.fold_w;
    }
    if row < params.y_h && col < params.y_w {
        let at = (image * params.y_quads + quad) * y_plane + row * params.y_w + col;
        store(at, sink(v, at));
    }
}
