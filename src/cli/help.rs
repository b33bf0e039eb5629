//! The text after the options in `--help`: examples and notes.

use crate::method::objective::GRAMMAR;

pub(crate) const TOP: &str = "\
protogpu keeps downloaded weights, tuned kernels and compiled pipelines in the user's cache folder, or in the folder that \
PROTOGPU_CACHE names. With PROTOGPU_PIPELINES=off it keeps no compiled \
pipelines, and with PROTOGPU_TUNE=off it times no kernels.

Exit codes: 0 for success, 2 for wrong usage or input, 1 for failures, 130 after Ctrl-C.";

const RUN: &str = "\
Examples:
  protogpu run
      A prototype of the built-in network's first class, in ./out
  protogpu run --class umbrella,moth --seed 7
      Two prototypes, in ./out/14_umbrella_seed7 and ./out/8_moth_seed7
  protogpu run --class all
      A prototype of every class; out/index.html and out/contact.png show all of them
  protogpu run --class 0..4,moth --seeds 3 --animate
      Seeds 0 to 2 of each of six classes (a range includes both ends), each with prototype.apng
  protogpu run --weights checkpoint.pth --class goldfish
      Your own network: a ResNet or an InceptionV1 with torchvision's tensor names
  protogpu run --weights imagenet --model googlenet --class goldfish
      torchvision's weights, which `protogpu weights pull googlenet` downloads
  protogpu run --weights tuned.pth --class 2 --input-mean 0,0,0 --input-std 1,1,1
      A network that was trained on raw pixels
  protogpu run --weights checkpoint.pth --class goldfish --resume
      Continue after Ctrl-C or a crash; the bits are those of an uninterrupted run
  protogpu run --preset lucent --class moth --lr 0.02
      Lucent's spectrum and transforms, with another learning rate; `protogpu presets lucent` prints its settings
  protogpu run --preset natural --class moth
      Keeps activations close to those of photographs, so more of the class's usual appearance shows; a step takes about a quarter longer
  protogpu run --preset paper-strict --class moth
      The paper's method, from which the defaults differ
  protogpu run --config out/1_goldfish_seed0/run.json --out again
      The same prototype again: the same bits on the same adapter and driver
  protogpu run --objective channel:layer3.1:17 --objective channel:layer3.1:18
      Two channels, in ./out/channel_layer3.1_17_seed0 and so on; layers after the last module are not computed
  protogpu run --objective '0.7*logit:moth - 0.3*logit:butterfly'
      A weighted sum of two logits

Each prototype's folder holds prototype.png, prototype.safetensors (the pixels as floats, unclamped), \
run.json (all settings, the losses, the final top 5) and checkpoint.safetensors. \
If one prototype fails, the reason is written to failed.txt in its folder and the rest continue; the exit code is 1.

The logit and probability of a step are those of the transformed image; the final top 5 is that of the untransformed image.";

pub(crate) const INDEX: &str = "\
Example:
  protogpu index out

A run of several prototypes ends with this. index.html shows all prototypes in DIR, of all runs, and the failures. It links to their \
folders. contact.png has at most 4096 pixels a side: it shrinks many prototypes, and leaves out the last if there are more than about \
2700.";

pub(crate) const REGULARIZATION_STRIP: &str = "\
Examples:
  protogpu regularization-strip --class lighthouse
      Six prototypes, from no regularisation to all of it
  protogpu regularization-strip --weights checkpoint.pth --class goldfish --count 4
  protogpu regularization-strip --objective channel:layer3.1:17

The weight of the total variation, the weight decay and the reach of the warps (rotation, shift and scale) grow in equal parts, from nothing to \
the values of the preset or the options. Each prototype's folder has its run.json.";

/// For `run`, with the grammar of objectives.
pub(crate) fn run() -> String {
    format!("Objectives:\n{}\n\n{RUN}", GRAMMAR.lines().map(|line| format!("  {line}\n")).collect::<String>())
}

pub(crate) const SYNTH: &str = "\
Examples:
  protogpu synth --out synth/train --images-per-class 1500 --seed 1
  protogpu synth --out synth/no-badge --images-per-class 100 --seed 2 --class umbrella --without-bias cue

Each class gets a folder, <index>_<name>. pictures.csv lists every image and its biases.";

pub(crate) const CLASSIFY: &str = "\
Examples:
  protogpu classify photo.jpg --weights imagenet --model resnet18
  protogpu classify photo.jpg --weights inception_v1_bvlc.safetensors
      A Caffe network, which expects pixels in 0..255; `protogpu weights inspect` prints the input of any file
  protogpu classify images/ --top 1 --json

Images that cannot be read are reported on stderr, and under `unreadable` in JSON. The others continue, and the exit code is 1. Images are turned as \
their Exif data say, and transparent parts are put on white; a note counts these.";

pub(crate) const ACTIVATIONS: &str = "\
Examples:
  protogpu activations photo.jpg --out activations.safetensors
  protogpu activations photo.jpg --module layer1,layer4.1.relu --hook reference --out two.safetensors
  protogpu activations mean imagenette/train --class 'golf ball' --out golf_ball.safetensors
      The mean output of every module, for `protogpu similarity --mean-file golf_ball.safetensors`";

pub(crate) const MEAN: &str = "\
Example:
  protogpu activations mean imagenette/train --class 'golf ball' --out golf_ball.safetensors

The file holds one tensor per distinct module output and the mean image as `pixels`. Its metadata has the SHA-256 of the weights, \
the input that the network expects, and the list of images with their SHA-256.";

pub(crate) const STATISTICS: &str = "\
Examples:
  protogpu statistics --images photographs --out statistics.safetensors
  protogpu statistics --images photographs --weights inception_v1_bvlc.safetensors --out bvlc.safetensors
      Then: protogpu run --weights inception_v1_bvlc.safetensors --class goldfish --natural-weight 1 --natural-form spread \
--natural-statistics bvlc.safetensors

Weights with batch norms hold such statistics of the training images, and need this only for --natural-form spread. Any photographs \
do, a few hundred of many kinds. Batch norms are measured at their outputs; a network without them at the outputs of its convolutions, \
before the ReLUs. The file holds, for each channel, the mean over photographs of their means and of their variances, and how much these \
vary. Its metadata has the SHA-256 of the weights, the input that the network expects, and the list of images with their SHA-256.";

pub(crate) const GRADIENT: &str = "\
Example:
  protogpu gradient photo.jpg --class lighthouse --out gradient.safetensors --png gradient.png";

pub(crate) const MODELS: &str = "\
Example:
  protogpu models --json

`protogpu weights inspect FILE` prints the same about any file, and the input that its network expects.";

pub(crate) const PRESETS: &str = "\
Examples:
  protogpu presets
  protogpu presets lucent > mine.json
      A file to edit; then: protogpu run --preset mine.json";

pub(crate) const INSPECT: &str = "\
Examples:
  protogpu weights inspect checkpoint.pth
  protogpu weights inspect checkpoint.pth --architecture googlenet
      List everything that is missing for a GoogLeNet, even if the file looks more like another network";

pub(crate) const PULL: &str = "\
Examples:
  protogpu weights pull resnet18
  protogpu weights pull googlenet
  protogpu weights pull resnet18 --from https://mirror.example/resnet18-f37072fd.pth
  protogpu weights pull resnet18 --from resnet18-f37072fd.pth
      On an offline machine: copy the file across and pass it with --from

Files go to the user's cache folder, or to the folder that PROTOGPU_CACHE names. \
Proxies come from HTTPS_PROXY, HTTP_PROXY and ALL_PROXY; NO_PROXY lists hosts that need none. \
A download that broke off continues where it stopped.";

pub(crate) const CONVERT: &str = "\
Examples:
  protogpu weights convert checkpoint.pth weights.safetensors
  protogpu weights convert checkpoint.pth average.safetensors --key model_ema

Every subcommand reads PyTorch files directly, but a converted file opens at once.";

pub(crate) const SIMILARITY: &str = "\
Examples:
  protogpu similarity --prototype out --images imagenette/val --out report
      Every prototype in out/, compared with the images in imagenette/val/574_golf_ball/ and so on
  protogpu similarity --prototype out/574_golf_ball_seed0 --images imagenette/val --out report --control dog=dog.jpg
  protogpu similarity --prototype runs/paper --control lucent=runs/lucent --images imagenette/val --out report

Open report/report.html. The numbers are Spearman's rank correlations with the mean activations of natural images of the \
class, layer by layer. Read them beside those of the controls, which are in the same table.";

pub(crate) const JUDGE: &str = "\
Examples:
  protogpu judge --prototype out --with other.safetensors
      How often another network recognises the prototypes in out/
  protogpu judge --prototype out --with a.safetensors --with b.pth --images imagenette/val --images-per-class 40
      Two judges, and photographs of the same classes beside the prototypes
  protogpu judge --prototype runs/a runs/b --with googlenet
      Two folders, compared by a built-in network
  protogpu judge --prototype out --with imagenet:googlenet
      The weights that `protogpu weights pull googlenet` downloaded

Open report.html in the folder of --out. A class counts as recognised (top 1) if no other class has an equal or higher logit. The judge's \
class is the one with the same WordNet id if both networks have ImageNet's classes, otherwise the one with the same name. Classes that the \
judge does not have are listed, and count nowhere. A judge with the weights that made a prototype is no stranger to it, and is marked. With --images, controls such as flat grey are judged too, and KID \
says how far the prototypes' features are from those of the photographs. Several prototypes of a class have a mean pairwise distance, which \
is 1 - cos of their features.";

pub(crate) const ENTANGLE: &str = "\
Examples:
  protogpu entangle --prototype out
      For each class in out/, the other classes that the network finds in its prototypes
  protogpu entangle --prototype out --images imagenette/val --images-per-class 40
      And how often these are the classes that the network confuses on photographs
  protogpu entangle --prototype out --candidates 30 --no-gradients

Open report.html in the folder of --out. The network is the one that made the prototypes. Candidates are the classes with the \
highest mean logarithm of their probability, ordered by the alignment of their gradients with those of the class. Each alignment takes a forward \
and a backward pass per prototype.";

pub(crate) const ISOLATE: &str = "\
Examples:
  protogpu isolate --image photo.jpg
      The region of the photograph that keeps its likeliest class, in ./isolate/report.html
  protogpu isolate --image photo.jpg --class tench --class 'coho salmon' --weights imagenet
      A region for each of two classes
  protogpu isolate --prototype out --out regions
      The region of each prototype that keeps its class
  protogpu isolate --images imagenette/val --images-per-class 10 --evaluate --weights imagenet
      Photographs, with insertion and deletion beside Grad-CAM and plain gradients

Open report.html in the folder of --out. Each image has a folder with mask.png, kept.png (only the region) and without.png (only the rest). The \
region is the smallest in which the class has --keep of its probability in the whole image.";

pub(crate) const COMPARE: &str = "\
Examples:
  protogpu compare epoch10 epoch20 epoch30
      The same classes and seeds of three checkpoints side by side, in the order of training
  protogpu compare epoch10 epoch20 --with kept/epoch10.pth
      The weights of a run, if they are no longer where the run found them

Make each folder with `protogpu run --weights CHECKPOINT --class ... --seeds N --out FOLDER`, with the same settings. Settings that differ are named. \
Open report.html in the folder of --out: each run's prototypes, how each run's network sees the others', and how far they moved from one run \
to the next.";

pub(crate) const STUDY: &str = "\
Examples:
  protogpu study --demo
      The three planted biases: their prototypes, and how much the network depends on each bias, in ./study/report.html
  protogpu study --class mortarboard --class 'academic gown' --images gowns/lighter --images gowns/darker --weights imagenet
      The paper's question about people in academic gowns: accuracy and mean probability per folder, and whether they differ
  protogpu study --class umbrella --images badge/014_umbrella --images no-badge/014_umbrella --paired \
--prototype out/14_umbrella_seed0
      The same images with and without a cue, paired by file name, beside the prototype that suggested the cue

Open report.html in the folder of --out. Each --images folder is one group, including its subfolders. Accuracies are compared by Fisher's exact \
test, or McNemar's with --paired, and mean probabilities by permutations; p-values are corrected for multiple testing (Holm).";

pub(crate) const SWEEP: &str = "\
Examples:
  protogpu sweep --images imagenette/val --out sweep --set tv_weight=0.01,0.02,0.05 --set fill=mean,black
      Six points, each with a prototype of every class in the folder, ranked by path similarity
  protogpu sweep --images imagenette/val --out sweep --set 'scale=0.7,1.3;0.5,1.5'
      Separate values that contain commas by semicolons; end a single such value with one: 'fill=0.5,0.5,0.5;'
  protogpu sweep --images imagenette/val --out table3 --preset table3 --class goldfish
      The paper's 125 affine protocols
  protogpu sweep --images imagenette/val --out sweep --set tv_weight=0.01,0.02 --judge bvlc.safetensors --rank-by similarity,bvlc:probability
      Asks another network about the prototypes, and ranks by the Pareto fronts of two measures

  protogpu sweep --images imagenette/val --out part1 --set lr=0.02,0.05 --shard 1/2
  protogpu sweep merge part1 part2 --out whole
      Half of the points each on two machines, then merged

Run the same command again after an interruption, and it continues. OUT/points has a file per finished point, named by its values.";

pub(crate) const SWEEP_MERGE: &str = "\
Example:
  protogpu sweep merge part1 part2 part3 --out whole

Parts must share grid, settings, weights and images. If several parts have the same point, they must agree. The result has \
the same files as a single sweep.";

pub(crate) const BENCH: &str = "\
Examples:
  protogpu bench
      Five architectures at full width with generated weights, in batches of 1, 8 and 32 images
  protogpu bench --batch 1 --kernels
      One image, with the time of every dispatch
  protogpu bench --weights checkpoint.pth --batch 4,16 --json

`bench` uses the kernels that `protogpu run` would use; see --tune.

It times steps by the clock, and kernels by the adapter's timestamps, one dispatch at a time. GFLOP/s count the operations that the \
mathematics needs, and GB/s each bound buffer once. Both are compared with peak rates, measured at the start: a copy of 128 MiB, and \
multiply-adds in registers. benches/README.md explains the limits of these numbers.";

pub(crate) const TUNE: &str = "\
Examples:
  protogpu tune
  protogpu tune --weights checkpoint.pth
  protogpu tune --batch 8
      For `protogpu run --batch 8 --tune batch`

For each direction of each convolution, tune times every kernel that fits. It keeps the fastest one whose output stays within 1e-3 of a \
plain sum with these weights. The algorithms for this adapter, driver and version are kept in the user's cache folder, or in the folder that \
PROTOGPU_CACHE names. A run records its kernels in run.json, and a replay uses the recorded ones.";
