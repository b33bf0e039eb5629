//! What stands at the end of `--help`: examples.

use crate::method::objective::GRAMMAR;

pub(crate) const TOP: &str = "\
Weights, the choice of kernels and what the driver compiled are kept in the user's cache folder, or in the one that \
PROTOGPU_CACHE names. PROTOGPU_PIPELINES=off keeps nothing of the driver's, PROTOGPU_TUNE=off chooses no kernels.

Exit codes: 0; 2 for usage and bad input; 1 for failures; 130 after Ctrl-C.";

const RUN: &str = "\
Examples:
  protogpu run
      A prototype of the embedded network's first class, in ./out
  protogpu run --class umbrella,moth --batch 2 --seed 7
      Two at once, in ./out/14_umbrella_seed7 and ./out/8_moth_seed7
  protogpu run --class all
      One of every class, as many at once as the adapter takes; out/index.html and out/contact.png show all of them
  protogpu run --class 0..4,moth --per-class 3 --animate
      Three of each of six classes (a range has both its ends), with seeds 0 to 2, each with prototype.apng of its way
  protogpu run --weights resnet18_imagenet.safetensors --class goldfish
      One of a network of your own: a ResNet-18, a GoogLeNet or an InceptionV1 with torchvision's names
  protogpu run --weights imagenet --model googlenet --class goldfish
      One of torchvision's, which `protogpu weights pull googlenet` fetches
  protogpu run --weights tuned.pth --class 2 --input-mean 0,0,0 --input-std 1,1,1
      One of a network that was trained on pixels as they are
  protogpu run --weights resnet18_imagenet.safetensors --class goldfish --resume
      Goes on after Ctrl-C or a crash, to the same bits as without it
  protogpu run --preset lucent --class moth --lr 0.02
      By Lucent's spectrum and transforms, one of whose settings is another; `protogpu presets` shows them all
  protogpu run --preset letter --class moth
      As the paper has it, where the defaults differ: `protogpu presets`
  protogpu run --config out/1_goldfish_seed0/run.json --out again
      The same prototype once more, bit for bit on the same adapter
  protogpu run --objective channel:layer3.1:17 --objective channel:layer3.1:18 --batch 2
      Two channels at once, in ./out/channel_layer3.1_17_seed0 and so on; layers after the last module are not run
  protogpu run --objective '0.7*logit:moth - 0.3*logit:butterfly'
      A weighted sum

Each prototype's folder holds prototype.png, prototype.safetensors (the pixels as numbers, unclamped),
run.json (every setting, the losses, the final top 5) and checkpoint.safetensors.
One that fails has failed.txt, which says why, if its folder takes it; the others go on, and the exit code is 1.

Logit and probability of a step are of the picture as that step's transforms show it; the top 5 are of the picture itself.";

pub(crate) const INDEX: &str = "\
Example:
  protogpu index out

A run of several prototypes ends with it. index.html shows every finished prototype in DIR, from whichever run, and those that
failed; it links to their folders and needs nothing else. contact.png has at most 4096 pixels a side: many prototypes
are shrunk, and of more than some 2700 the last are left out.";

pub(crate) const FIGURE6: &str = "\
Examples:
  protogpu figure6 --class lighthouse
      Six prototypes by the embedded network, in ./figure6, with figure6.png and figure6.json
  protogpu figure6 --weights resnet18_imagenet.safetensors --class goldfish --count 4
  protogpu figure6 --objective channel:layer3.1:17

What grows from nothing, in equal parts, to the values of --preset or of the options: the weight of the total variation, the
weight decay, and how far each step's warp rotates, shifts and scales. Each prototype's folder has its run.json.";

/// Of `run`, with the grammar of objectives.
pub(crate) fn run() -> String {
    format!("Objectives:\n{}\n\n{RUN}", GRAMMAR.lines().map(|line| format!("  {line}\n")).collect::<String>())
}

pub(crate) const WORLD: &str = "\
Examples:
  protogpu world --out world/train --per-class 1500 --seed 1
  protogpu world --out world/no-badge --per-class 100 --seed 2 --class umbrella --without-bias cue

Each class gets a folder, <index>_<name>; pictures.csv lists every picture with the biases that it carries.";

pub(crate) const CLASSIFY: &str = "\
Examples:
  protogpu classify photo.jpg --weights resnet18_imagenet.safetensors
  protogpu classify photo.jpg --weights inception_v1_bvlc.safetensors
      Of pixels to 255 less Caffe's mean, as such networks expect them; `protogpu weights inspect` says what a file's does
  protogpu classify pictures/ --top 1 --json

Pictures that cannot be read are told on stderr, and under `unreadable` in JSON; the others go on, and the exit code is 1.";

pub(crate) const ACTIVATIONS: &str = "\
Examples:
  protogpu activations photo.jpg --out activations.safetensors
  protogpu activations photo.jpg --module layer1,layer4.1.relu --semantics torch-alias --out two.safetensors
  protogpu activations mean imagenette/train --class 'golf ball' --out golf_ball.safetensors
      What every module shows on average, for `protogpu similarity --mean golf_ball.safetensors`";

pub(crate) const MEAN: &str = "\
Example:
  protogpu activations mean imagenette/train --class 'golf ball' --out golf_ball.safetensors

The file holds a tensor for each distinct output of a module, the mean picture as `pixels`, and in its metadata the weights'
sha256, the input they expect, and the list of pictures with theirs.";

pub(crate) const GRADIENT: &str = "\
Example:
  protogpu gradient photo.jpg --class lighthouse --out gradient.safetensors --png gradient.png";

pub(crate) const MODELS: &str = "\
Example:
  protogpu models --json

`protogpu weights inspect FILE` says the same of any file, and what the network expects of its input.";

pub(crate) const PRESETS: &str = "\
Examples:
  protogpu presets
  protogpu presets lucent > mine.json
      A file to change, and then: protogpu run --preset mine.json";

pub(crate) const INSPECT: &str = "\
Examples:
  protogpu weights inspect checkpoint.pth
  protogpu weights inspect checkpoint.pth --architecture googlenet
      Everything in which it is no GoogLeNet, even where it looks more like another network";

pub(crate) const PULL: &str = "\
Examples:
  protogpu weights pull resnet18
  protogpu weights pull googlenet
  protogpu weights pull resnet18 --from https://mirror.example/resnet18-f37072fd.pth
  protogpu weights pull resnet18 --from resnet18-f37072fd.pth
      On a machine without a network, of a file that was carried there

Files are kept in the user's cache folder, or in the folder that PROTOGPU_CACHE names.
Proxies are those of HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, but for the hosts of NO_PROXY.
A download that broke off goes on where it was.";

pub(crate) const CONVERT: &str = "\
Examples:
  protogpu weights convert checkpoint.pth weights.safetensors
  protogpu weights convert checkpoint.pth average.safetensors --key model_ema

Other subcommands read PyTorch's files as well, each time anew; a converted one opens at once.";

pub(crate) const SIMILARITY: &str = "\
Examples:
  protogpu similarity --prototype out --images imagenette/val --out report
      Every prototype in out/, against pictures in imagenette/val/574_golf_ball/ and so on
  protogpu similarity --prototype out/574_golf_ball_seed0 --images imagenette/val --out report --control dog=dog.jpg
  protogpu similarity --prototype runs/paper --control lucent=runs/lucent --images imagenette/val --out report

Read report/report.html. The numbers are Spearman's rank correlations with the mean activations of natural pictures of the
class, layer by layer. They mean something only beside those of the controls, which stand in the same table.";

pub(crate) const STUDY: &str = "\
Examples:
  protogpu study --demo
      The three biases that were planted in the drawn world: their prototypes, and what each is worth, in ./study/report.html
  protogpu study --class mortarboard --class 'academic gown' --images gowns/lighter --images gowns/darker --weights imagenet
      The paper's question of people in academic gowns: accuracy and mean probability in either folder, and whether they differ
  protogpu study --class umbrella --images world/badge/014_umbrella --images world/no-badge/014_umbrella --paired \
--prototype out/14_umbrella_seed0
      The same pictures with and without something, in pairs by file name, beside the prototype that suggested it

Read report.html in the folder of --out. A folder is one group, whatever folders are in it. Accuracies are compared by Fisher's exact
test, or McNemar's with --paired, mean probabilities by permutations; p-values are corrected for being many (Holm).";

pub(crate) const SWEEP: &str = "\
Examples:
  protogpu sweep --images imagenette/val --out sweep --set hf_weight=0.01,0.02,0.05 --set fill=mean,black
      Six points, each all classes of the folder, ranked by path similarity
  protogpu sweep --images imagenette/val --out sweep --set 'scale=0.7,1.3;0.5,1.5'
      Values with commas of their own are separated by semicolons; one alone ends with one, as in 'fill=0.5,0.5,0.5;'
  protogpu sweep --images imagenette/val --out table3 --preset table3 --class goldfish
      The paper's 125 affine protocols

  protogpu sweep --images imagenette/val --out part1 --set lr=0.02,0.05 --shard 1/2
  protogpu sweep merge part1 part2 --out whole
      In parts, on different machines, and the parts joined

The same command goes on where an earlier one stopped. Points are kept in OUT/points, each as a file that is named by its values.";

pub(crate) const SWEEP_MERGE: &str = "\
Example:
  protogpu sweep merge part1 part2 part3 --out whole

Overrides must be of the same grid, settings, weights and pictures; a point may be in several of them if it is the same. The files are
those that one sweep alone would have written.";

pub(crate) const BENCH: &str = "\
Examples:
  protogpu bench
      Every architecture at full width with generated weights, one, 8 and 32 images at once
  protogpu bench --batch 1 --kernels
      One image, and the time of every dispatch
  protogpu bench --weights resnet18_imagenet.safetensors --batch 4,16 --json

Kernels are chosen as for `protogpu run`: see --tune.
A step is timed by the clock, a kernel by the adapter's own, each dispatch by itself. GFLOP/s count what the mathematics
needs, GB/s the extents of what is bound, each once; they are held against a copy of 128 MiB and against multiply-adds in
registers, measured at the start. benches/README.md says what the numbers are not.";

pub(crate) const TUNE: &str = "\
Examples:
  protogpu tune
  protogpu tune --weights resnet18_imagenet.safetensors
  protogpu tune --batch 8
      What `protogpu run --batch 8 --tune batch` then uses

Each direction of each convolution is computed by every variant that fits it; the fastest counts if its output stays within
1e-3 of a plain sum's, with the weights at hand. The outcome is kept for this adapter, driver and version in the user's cache folder, or in the
one that PROTOGPU_CACHE names. A run records its kernels in run.json, and a replay uses these.";
