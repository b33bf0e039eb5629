//! Every op on the adapter: forward and backward against the twins, gradients against central differences, adjoints, and
//! the same bits for an image in any batch. One file and one table per op; see `harness`.

#[path = "ops/activations.rs"]
mod activations;
#[path = "ops/adam.rs"]
mod adam;
#[path = "ops/add.rs"]
mod add;
#[path = "ops/affine_warp.rs"]
mod affine_warp;
#[path = "ops/avg_pool2d.rs"]
mod avg_pool2d;
#[path = "ops/binary.rs"]
mod binary;
#[path = "ops/class_logit.rs"]
mod class_logit;
#[path = "ops/class_terms.rs"]
mod class_terms;
#[path = "ops/colour.rs"]
mod colour;
#[path = "ops/concat.rs"]
mod concat;
#[path = "ops/conv2d.rs"]
mod conv2d;
#[path = "ops/conv2d_channels.rs"]
mod conv2d_channels;
#[path = "ops/conv2d_networks.rs"]
mod conv2d_networks;
#[path = "ops/diversity.rs"]
mod diversity;
#[path = "ops/feature.rs"]
mod feature;
#[path = "ops/global_avg_pool2d.rs"]
mod global_avg_pool2d;
#[path = "ops/group_norm.rs"]
mod group_norm;
#[path = "ops/history.rs"]
mod history;
#[path = "ops/hostile.rs"]
mod hostile;
#[path = "ops/irfft2.rs"]
mod irfft2;
#[path = "ops/l2.rs"]
mod l2;
#[path = "ops/linear.rs"]
mod linear;
#[path = "ops/local_response_norm.rs"]
mod local_response_norm;
#[path = "ops/lucent.rs"]
mod lucent;
#[path = "ops/masked.rs"]
mod masked;
#[path = "ops/matmul.rs"]
mod matmul;
#[path = "ops/max_pool2d.rs"]
mod max_pool2d;
#[path = "ops/moves.rs"]
mod moves;
#[path = "ops/natural_statistics.rs"]
mod natural_statistics;
#[path = "ops/noise.rs"]
mod noise;
#[path = "ops/phase.rs"]
mod phase;
#[path = "ops/probability_variance.rs"]
mod probability_variance;
#[path = "ops/red.rs"]
mod red;
#[path = "ops/reduce.rs"]
mod reduce;
#[path = "ops/reveal.rs"]
mod reveal;
#[path = "ops/roll.rs"]
mod roll;
#[path = "ops/scale_shift.rs"]
mod scale_shift;
#[path = "ops/soft_top_k.rs"]
mod soft_top_k;
#[path = "ops/softmax.rs"]
mod softmax;
#[path = "ops/texels.rs"]
mod texels;
#[path = "ops/total_variation.rs"]
mod total_variation;
