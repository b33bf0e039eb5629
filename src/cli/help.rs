//! What stands at the end of `--help`: examples.

pub(crate) const RUN: &str = "\
Examples:
  protogpu run
      A prototype of the embedded network's first class, in ./out
  protogpu run --class umbrella,moth --batch 2 --seed 7
      Two at once, in ./out/14_umbrella_seed7 and ./out/8_moth_seed7
  protogpu run --weights resnet18_imagenet.safetensors --class goldfish
      One of a network of your own, a ResNet-18 with torchvision's names
  protogpu run --weights imagenet --class goldfish
      One of torchvision's, which `protogpu weights pull resnet18` fetches
  protogpu run --weights resnet18_imagenet.safetensors --class goldfish --resume
      Goes on after Ctrl-C or a crash, to the same bits as without it
  protogpu run --config out/1_goldfish_seed0/run.json --out again
      The same prototype once more, bit for bit on the same adapter

Each prototype's folder holds prototype.png, prototype.safetensors (the pixels as numbers, unclamped),
run.json (every setting, the losses, the final top 5) and checkpoint.safetensors.";

pub(crate) const WORLD: &str = "\
Examples:
  protogpu world --out world/train --per-class 1500 --seed 1
  protogpu world --out world/no-badge --per-class 100 --seed 2 --class umbrella --without-bias cue

Each class gets a folder, <index>_<name>; pictures.csv lists every picture with the biases that it carries.";

pub(crate) const CLASSIFY: &str = "\
Examples:
  protogpu classify photo.jpg --weights resnet18_imagenet.safetensors
  protogpu classify pictures/ --top 1 --json";

pub(crate) const ACTIVATIONS: &str = "\
Examples:
  protogpu activations photo.jpg --out activations.safetensors
  protogpu activations photo.jpg --module layer1,layer4.1.relu --semantics torch-alias --out two.safetensors";

pub(crate) const GRADIENT: &str = "\
Example:
  protogpu gradient photo.jpg --class lighthouse --out gradient.safetensors --png gradient.png";

pub(crate) const PULL: &str = "\
Examples:
  protogpu weights pull resnet18
  protogpu weights pull resnet18 --from https://mirror.example/resnet18-f37072fd.pth
  protogpu weights pull resnet18 --from resnet18-f37072fd.pth
      On a machine without a network, of a file that was carried there

Files are kept in the user's cache folder, or in the folder that PROTOGPU_CACHE names. Proxies are those of
HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, but for the hosts of NO_PROXY. A download that broke off goes on where it was.";

pub(crate) const CONVERT: &str = "\
Examples:
  protogpu weights convert checkpoint.pth weights.safetensors
  protogpu weights convert checkpoint.pth average.safetensors --key model_ema

Other subcommands read PyTorch's files as well, each time anew; a converted one opens at once.";
