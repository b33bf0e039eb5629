// phase: s[r,k] = (cos p, sin p), a spectrum of magnitude 1 from phases, over the half k = 0 to W/2 of the frequencies. The columns k = 0 and
// k = W/2 hold both members of each pair of opposite frequencies: there p = phi[r,k] up to the row H/2, and p = -phi[H-r,k] below it, so that
// no magnitude depends on phases. dphi[r,k] = -sin p ds_re + cos p ds_im, summed over the places of phi. phi: [N,C,H,W/2+1], s: pairs (re, im).
#import lib/index

struct Params {
    h: u32,
    columns: u32,    // W/2 + 1
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> phi: array<f32>;
@group(0) @binding(2) var<storage, read_write> s: array<vec2f>;
@group(0) @binding(3) var<storage, read> ds: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> dphi: array<f32>;

const TURN: f32 = 6.283185307179586;

// (cos p, sin p). The nearest whole turn off first: adapters need not be exact far from 0.
fn direction(p: f32) -> vec2f {
    let near = p - TURN * round(p / TURN);
    return vec2f(cos(near), sin(near));
}

// Whether a column holds pairs of opposite frequencies.
fn is_paired(column: u32) -> bool {
    return column == 0u || column == params.columns - 1u;
}

// Grid: columns, rows and planes.
@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.columns {
        return;
    }
    let first = id.z * params.h * params.columns + id.x;
    if is_paired(id.x) && 2u * id.y > params.h {
        let opposite = direction(phi[first + (params.h - id.y) * params.columns]);
        s[first + id.y * params.columns] = vec2f(opposite.x, -opposite.y);
    } else {
        s[first + id.y * params.columns] = direction(phi[first + id.y * params.columns]);
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= params.columns {
        return;
    }
    let first = id.z * params.h * params.columns + id.x;
    let i = first + id.y * params.columns;
    let d = direction(phi[i]);
    var slope = d.x * ds[i].y - d.y * ds[i].x;
    if is_paired(id.x) {
        if 2u * id.y > params.h {
            slope = 0.0;
        } else if id.y > 0u && 2u * id.y < params.h {
            let opposite = ds[first + (params.h - id.y) * params.columns];
            slope -= d.x * opposite.y + d.y * opposite.x;
        }
    }
    dphi[i] = slope;
}
