// texels: tensors [N,ceil(C/4),H,W] of vec4f, four channels each, as textures of 4096 texels a row. Channels past C are zero.
// Software adapters fetch a texel with vector loads; of a storage buffer they load each component of each lane by itself.
// `x` is read and `y` written; `epilogue_add` and `epilogue_mask` are those of lib/epilogue, chosen by an override: here a load that is
// not needed would be done all the same.
#import lib/texel

const LANES: u32 = 8;   // invocations of a workgroup: as many as a software adapter computes at a time

override EPILOGUE: u32 = 0; // 1: add `epilogue_add`, 2: mask by `epilogue_mask`
override RELU: u32 = 0; // 1: max(v, 0), last

@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var y: texture_storage_2d<rgba32float, write>;
@group(0) @binding(10) var epilogue_add: texture_storage_2d<rgba32float, read>;
@group(0) @binding(11) var epilogue_mask: texture_storage_2d<rgba32float, read>;

fn load(i: u32) -> vec4f {
    return textureLoad(x, texel(i));
}

fn store(i: u32, v: vec4f) {
    textureStore(y, texel(i), v);
}

fn epilogue(v: vec4f, i: u32) -> vec4f {
    var out = v;
    if (EPILOGUE & 1u) != 0u {
        out += textureLoad(epilogue_add, texel(i));
    }
    if (EPILOGUE & 2u) != 0u {
        out = select(vec4f(), out, textureLoad(epilogue_mask, texel(i)) > vec4f());
    }
    if RELU != 0u {
        out = select(out, vec4f(), out < vec4f());
    }
    return out;
}
