// texels: tensors [N,ceil(C/4),H,W] of vec4f, four channels each, as textures of 4096 texels a row. Channels past C are zero.
// Software adapters fetch a texel with vector loads; of a storage buffer they load each component of each lane by itself.
// `x` is read and `y` written; `sink_add` and `sink_mask` are those of lib/sink, chosen by an override: here a load that is
// not needed would be done all the same.
#import lib/texel

const LANES: u32 = 8;   // invocations of a workgroup: as many as a software adapter computes at a time

override SINK: u32 = 0; // 1: add `sink_add`, 2: mask by `sink_mask`
override RELU: u32 = 0; // 1: max(v, 0), last

@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var y: texture_storage_2d<rgba32float, write>;
@group(0) @binding(10) var sink_add: texture_storage_2d<rgba32float, read>;
@group(0) @binding(11) var sink_mask: texture_storage_2d<rgba32float, read>;

fn load(i: u32) -> vec4f {
    return textureLoad(x, texel(i));
}

fn store(i: u32, v: vec4f) {
    textureStore(y, texel(i), v);
}

fn sink(v: vec4f, i: u32) -> vec4f {
    var out = v;
    if (SINK & 1u) != 0u {
        out += textureLoad(sink_add, texel(i));
    }
    if (SINK & 2u) != 0u {
        out = select(vec4f(), out, textureLoad(sink_mask, texel(i)) > vec4f());
    }
    if RELU != 0u {
        out = select(out, vec4f(), out < vec4f());
    }
    return out;
}
