// texel: where an element of a tensor in a texture is; 4096 texels a row, as `TEXTURE_WIDTH` of `src/gpu/recording/tensor.rs`.
fn texel(i: u32) -> vec2u {
    return vec2u(i & 4095u, i >> 12u);
}
