// nan: operations that keep NaN, so that a fault shows in the loss. WGSL's max, min and clamp may drop it, and compilers may
// take v != v for false: hence the bits.
fn is_nan(v: f32) -> bool {
    return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

// max(v, 0).
fn rectified(v: f32) -> f32 {
    return select(max(v, 0.0), v, is_nan(v));
}

// v within [0,1].
fn within_unit(v: f32) -> f32 {
    return select(clamp(v, 0.0, 1.0), v, is_nan(v));
}

// `is_nan` of four.
fn are_nan(v: vec4f) -> vec4<bool> {
    return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}
