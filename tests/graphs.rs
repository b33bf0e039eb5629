//! A graph computes the same function when it is fused, when concatenations are written in place, with any kernels for convolutions,
//! and with any other images in the batch. Tested on small graphs with difficult concatenations, and on narrow networks.

use std::sync::{Arc, LazyLock};

use super::harness::forward;
use super::twin::generated::generated;
use super::twin::golden::norm;
use protogpu::gpu::{AdapterChoice, Capabilities, Context, Plan, Recording};
use protogpu::graph::{Graph, NodeId, Retain};
use protogpu::method::{Job, Session, Settings};
use protogpu::networks::{Architecture, Network};
use protogpu::ops::{
    Add, ChannelAffine, Concat, Conv2d, ConvAlgorithms, GlobalAvgPool2d, Linear, LocalResponseNorm, MaxPool2d, Op,
    Relu, ScaleShift, Tensor,
};
use protogpu::{Result, Shape};

/// Outputs, as the L2 norm of the difference over that of the output: 20 layers of sums in another order.
const OUTPUTS: f64 = 1e-4;
/// The gradient jumps where rounding tips a ReLU or the choice of a maximum: one unit in two million is 1e-3.
const GRADIENT: f64 = 1e-3;

/// One device for all tests: each convolution is compiled once.
static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new(&AdapterChoice::Best).expect("an adapter"));

/// |got − want| / |want|, L2.
fn relative(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let difference: Vec<f64> = got.iter().zip(want).map(|(g, w)| g - w).collect();
    norm(&difference) / norm(want)
}

/// The commands of a graph, with four tensors: its input, its output, and the gradients of the output and of the input.
fn recorded(
    graph: &Graph,
    algorithms: &ConvAlgorithms,
    keep: Retain,
    batch: usize,
) -> Result<(Recording, [Tensor; 4])> {
    let mut rec = Recording::new();
    let of_batch = |id| graph.node(id).shape.with_batch(batch);
    let x = Tensor::kept(&mut rec, "pixels", of_batch(graph.input()));
    let dy = Tensor::kept(&mut rec, "dlogits", of_batch(graph.output()));
    rec.section("forward");
    let acts = graph.record_forward(&mut rec, algorithms, x, keep)?;
    rec.section("backward");
    let dx = graph.record_backward(&mut rec, algorithms, &acts, dy)?;
    let y = acts.of(graph.output());
    Ok((rec, [x, y, dy, dx]))
}

/// The output, and the gradient of its sum under fixed weights.
fn evaluate(graph: &Graph, algorithms: &ConvAlgorithms, keep: Retain, batch: usize) -> Result<[Vec<f64>; 2]> {
    let (rec, [x, y, dy, dx]) = recorded(graph, algorithms, keep, batch)?;
    let plan = Plan::new(&CONTEXT, rec)?;
    plan.write(x.id, &generated("pixels", x.shape.extents(), 0))?;
    plan.write(dy.id, &generated("dlogits", &[dy.shape.len()], 0))?;
    let read = |t: Tensor| -> Result<Vec<f64>> { Ok(plan.read(t.id)?.into_iter().map(f64::from).collect()) };
    plan.submit("forward", 1);
    let y = read(y)?;
    plan.submit("backward", 1);
    Ok([y, read(dx)?])
}

/// Fails unless two results agree that were computed with sums in different orders.
fn same_function(what: &str, a: &[Vec<f64>; 2], b: &[Vec<f64>; 2]) {
    let [output, gradient] = [relative(&a[0], &b[0]), relative(&a[1], &b[1])];
    println!("{what}: output {output:.1e}, gradient {gradient:.1e}");
    assert!(output <= OUTPUTS, "{what}: output {output:.1e}");
    assert!(gradient <= GRADIENT, "{what}: gradient {gradient:.1e}");
}

/// Workgroups alone, subgroups, and texels: those that this adapter runs.
fn capabilities() -> Vec<(&'static str, Capabilities)> {
    let own = CONTEXT.capabilities();
    let buffers = Capabilities { texels: false, ..own };
    let mut all = vec![("workgroups", Capabilities { subgroup_size: None, ..buffers })];
    for (what, capabilities) in [("subgroups", buffers), ("texels", own)] {
        if all.iter().any(|(_, known)| *known == capabilities) {
            println!("skipped: this adapter has no kernels for {what}");
        } else {
            all.push((what, capabilities));
        }
    }
    all
}

/// Dispatches of a kernel.
fn count(rec: &Recording, file: &str) -> usize {
    rec.commands().iter().filter(|command| command.shader() == file).count()
}

/// A graph that grows by layers with generated weights.
struct Layers(Graph);

impl Layers {
    fn conv(&mut self, name: &str, x: NodeId, channels: usize, window: usize) -> NodeId {
        let w_shape = [channels, self.0.node(x).shape.c(), window, window];
        let w = generated(&format!("{name}.weight"), &w_shape, 0);
        let b: Arc<[f32]> = generated(&format!("{name}.bias"), &[channels], 0).into();
        let conv = Conv2d::new(w, w_shape, Some(b), [1, 1], [window / 2; 4]);
        self.0.push(name, conv, &[x]).expect("a convolution")
    }

    fn relu(&mut self, x: NodeId) -> NodeId {
        let name = format!("{} relu", self.0.node(x).name);
        self.0.push(name, Relu, &[x]).expect("a relu")
    }

    fn unit(&mut self, name: &str, x: NodeId, channels: usize, window: usize) -> NodeId {
        let conv = self.conv(name, x, channels, window);
        self.relu(conv)
    }

    fn pool(&mut self, name: &str, x: NodeId) -> NodeId {
        let pool = MaxPool2d { kernel: [3; 2], stride: [1; 2], pad: [1; 4], ceil_mode: true };
        self.0.push(name, pool, &[x]).expect("a pool")
    }

    fn concat(&mut self, name: &str, inputs: &[NodeId]) -> NodeId {
        self.0.push(name, Concat, inputs).expect("a concatenation")
    }
}

/// A small graph, and how many inputs of its concatenations are copied after it was fused.
type Small = (&'static str, usize, fn(&mut Layers, NodeId) -> NodeId);

/// Each begins with a unit of eight channels. A convolution reads the node that it returns.
const SMALL: [Small; 11] = [
    ("units in place", 0, |g, x| {
        let branches = [("a", 4, 1), ("b", 8, 3), ("c", 12, 5), ("d", 4, 1)].map(|(n, c, k)| g.unit(n, x, c, k));
        g.concat("cat", &branches)
    }),
    ("channels that are no quads", 0, |g, x| {
        let branches = [("a", 3, 1), ("b", 5, 3), ("c", 1, 1)].map(|(n, c, k)| g.unit(n, x, c, k));
        g.concat("cat", &branches)
    }),
    ("quads but for the last", 0, |g, x| {
        let branches = [("a", 4, 3), ("b", 8, 1), ("c", 3, 3)].map(|(n, c, k)| g.unit(n, x, c, k));
        g.concat("cat", &branches)
    }),
    ("no relus", 0, |g, x| {
        let branches = [("a", 4, 3), ("b", 8, 1)].map(|(n, c, k)| g.conv(n, x, c, k));
        g.concat("cat", &branches)
    }),
    ("blocks that read blocks", 0, |g, x| {
        let mut x = x;
        for block in ["3", "4"] {
            let name = |branch: &str| format!("{block}.{branch}");
            let one = g.unit(&name("1"), x, 4, 1);
            let reduced = g.unit(&name("2.0"), x, 3, 1);
            let three = g.unit(&name("2.1"), reduced, 8, 3);
            let pooled = g.pool(&name("4.0"), x);
            let four = g.unit(&name("4.1"), pooled, 4, 1);
            let block = g.concat(block, &[one, three, four]);
            let norm = LocalResponseNorm { size: 5, alpha: 0.5, beta: 0.75, k: 1.0 };
            x = g.0.push(name("norm"), norm, &[block]).expect("a norm");
        }
        x
    }),
    ("a pool", 2, |g, x| {
        let branches = [g.unit("a", x, 4, 3), g.pool("b", x)];
        g.concat("cat", &branches)
    }),
    ("a convolution that another reads too", 2, |g, x| {
        let a = g.unit("a", x, 4, 3);
        let b = g.unit("b", a, 8, 3);
        g.concat("cat", &[a, b])
    }),
    ("some relus", 2, |g, x| {
        let branches = [g.unit("a", x, 4, 3), g.conv("b", x, 8, 1)];
        g.concat("cat", &branches)
    }),
    ("the same input twice", 3, |g, x| {
        let (a, b) = (g.unit("a", x, 4, 3), g.unit("b", x, 8, 1));
        g.concat("cat", &[a, b, a])
    }),
    ("concatenations of concatenations", 3, |g, x| {
        let inner = [("a", 4, 1), ("b", 8, 3)].map(|(n, c, k)| g.unit(n, x, c, k));
        let inner = g.concat("inner", &inner);
        let (c, d) = (g.unit("c", inner, 5, 3), g.unit("d", x, 3, 1));
        g.concat("outer", &[inner, c, d])
    }),
    ("the graph's own input, and one input alone", 2, |g, x| {
        let (a, input) = (g.unit("a", x, 4, 3), g.0.input());
        let alone = g.concat("alone", &[a]);
        g.concat("cat", &[input, alone])
    }),
];

fn built(layers: fn(&mut Layers, NodeId) -> NodeId) -> Graph {
    let mut g = Layers(Graph::new(Shape::new(1, 5, 9, 7)));
    let input = g.0.input();
    let x = g.unit("first", input, 8, 3);
    let x = layers(&mut g, x);
    // Two nodes read the output.
    let ends = [g.unit("end 1", x, 6, 3), g.unit("end 2", x, 6, 1)];
    g.0.push("sum", Add, &ends).expect("a sum");
    g.0
}

#[test]
fn concatenations() {
    for (name, copied, layers) in SMALL {
        let graph = built(layers);
        let fused = graph.fused().expect("a graph");
        // Nothing fused, nothing in place, everything in buffers.
        let plain = ConvAlgorithms::fixed(capabilities()[0].1);
        let want = evaluate(&graph, &plain, Retain::All, 2).expect("a run");
        assert!(want.iter().all(|values| norm(values) > 0.1), "{name}: all but nothing");
        for (what, capabilities) in capabilities() {
            let algorithms = ConvAlgorithms::fixed(capabilities);
            for (how, graph) in [("unfused", &graph), ("fused", &fused)] {
                let got = evaluate(graph, &algorithms, Retain::Needed, 2).expect("a run");
                same_function(&format!("{name}, {what}, {how}"), &got, &want);
            }
            let (rec, _) = recorded(&fused, &algorithms, Retain::Needed, 2).expect("commands");
            assert_eq!(count(&rec, "concat"), 2 * copied, "{name}, {what}: inputs that are copied, both ways");
        }
    }
}

/// A concatenation as the output of the graph.
#[test]
fn a_concatenation_at_the_end() {
    let mut g = Layers(Graph::new(Shape::new(1, 5, 9, 7)));
    let x = g.0.input();
    let branches = [("a", 4, 1), ("b", 3, 3)].map(|(n, c, k)| g.unit(n, x, c, k));
    g.concat("cat", &branches);
    let want = evaluate(&g.0, &ConvAlgorithms::fixed(capabilities()[0].1), Retain::All, 2).expect("a run");
    for (what, capabilities) in capabilities() {
        let fused = g.0.fused().expect("a graph");
        let got = evaluate(&fused, &ConvAlgorithms::fixed(capabilities), Retain::Needed, 2).expect("a run");
        same_function(what, &got, &want);
    }
}

/// A network of a quarter of the width, for tests without a golden.
fn narrow(architecture: Architecture) -> Network {
    // Few units in many layers: with the seeds before, rounding tips a ReLU of ResNet-50 that moves its gradient by a hundredth.
    let seed = if architecture == Architecture::ResNet50 { 4 } else { 0 };
    Network::generated(architecture, 16, 15, seed).expect("a network")
}

const ALL: [Architecture; 4] =
    [Architecture::ResNet18, Architecture::ResNet50, Architecture::GoogLeNet, Architecture::InceptionV1];

fn fusing_changes_nothing(architecture: Architecture, want: [usize; 2]) {
    let network = narrow(architecture);
    let fused = network.graph().fused().expect("a graph");
    let nodes = [network.graph(), &fused].map(|graph| graph.nodes().len());
    assert_eq!(nodes, want);
    let algorithms = ConvAlgorithms::fixed(CONTEXT.capabilities());
    let [a, b] = [network.graph(), &fused].map(|graph| evaluate(graph, &algorithms, Retain::Needed, 1).expect("a run"));
    same_function("fused", &a, &b);
}

fn the_convolutions_kernels_agree(architecture: Architecture) {
    let graph = narrow(architecture).graph().fused().expect("a graph");
    let run = |capabilities| evaluate(&graph, &ConvAlgorithms::fixed(capabilities), Retain::Needed, 1).expect("a run");
    let all = capabilities();
    let any = run(all[0].1);
    all[1..].iter().for_each(|(what, capabilities)| same_function(what, &run(*capabilities), &any));
}

fn a_batch_changes_no_bit(architecture: Architecture) {
    let network = narrow(architecture);
    let settings = Settings { steps: 2, ..Settings::default() };
    let run = |jobs: &[Job]| {
        let mut session = Session::new(&CONTEXT, &network, &settings, jobs).expect("a plan");
        session.advance(2).expect("two steps");
        (session.states().expect("a readback"), session.histories().to_vec(), session.logits().expect("logits"))
    };
    let jobs: Vec<Job> = (0..64).map(|i| Job { class: i % 15, seed: i as u64 / 15, init: None }).collect();
    let (states, histories, logits) = run(&jobs);
    for i in [0, 37, 63] {
        let alone = run(&jobs[i..=i]);
        assert!(alone.0[0] == states[i], "image {i}: pixels and Adam's state");
        assert_eq!(alone.1[0], histories[i], "image {i}: losses");
        assert_eq!(alone.2[0], logits[i], "image {i}: logits");
    }
    assert_ne!(states[0], states[15], "another seed, another image");
}

macro_rules! of_networks {
    ($($network:ident: $architecture:ident, $nodes:expr;)*) => {$(
        mod $network {
            use super::Architecture::$architecture;

            #[test]
            fn fusing_changes_nothing() {
                super::fusing_changes_nothing($architecture, $nodes);
            }

            #[test]
            fn the_convolutions_kernels_agree() {
                super::the_convolutions_kernels_agree($architecture);
            }

            #[test]
            fn a_batch_changes_no_bit() {
                super::a_batch_changes_no_bit($architecture);
            }
        }
    )*};
}

// Left are the input, normalize and fc (as a convolution), and: 20 or 53 convolutions and two pools; 57 convolutions, 14 pools and nine
// concatenations, of which BVLC's network has two norms more.
of_networks! {
    resnet18: ResNet18, [70, 25];
    resnet50: ResNet50, [176, 58];
    googlenet: GoogLeNet, [197, 83];
    inception_v1: InceptionV1, [142, 85];
}

/// For every kind of adapter, without needing one: each branch of each block writes in place, and between the pixels and the last
/// layer, nothing leaves texels.
#[test]
fn every_branch_of_every_block_is_in_place() {
    let kinds = [(None, false), (Some(8), false), (Some(8), true)];
    for (architecture, width) in ALL.into_iter().flat_map(|a| [16, 64].map(|width| (a, width))) {
        let network = Network::generated(architecture, width, 15, 0).expect("a network");
        let fused = network.graph().fused().expect("a graph");
        for capabilities in kinds.map(|(subgroup_size, texels)| Capabilities { subgroup_size, texels }) {
            let algorithms = ConvAlgorithms::fixed(capabilities);
            let (rec, _) = recorded(&fused, &algorithms, Retain::Needed, 1).expect("commands");
            assert_eq!(count(&rec, "concat"), 0, "{architecture}: inputs that are copied");
            // One conversion for the pixels and one for their gradient; and those into and out of the last layer, forward and backward.
            let between = if capabilities.texels { 2 + 4 } else { 0 };
            assert_eq!(count(&rec, "texels"), between, "{architecture}: between buffers and texels");
        }
        let blocks = fused.nodes().iter().filter(|node| node.op.name() == "concat").count();
        let is_resnet = matches!(architecture, Architecture::ResNet18 | Architecture::ResNet50);
        assert_eq!(blocks, if is_resnet { 0 } else { 9 });
    }
}

/// Constants are identified by their sources and not by labels: two networks with the same layer names in one recording keep their
/// own weights.
#[test]
fn networks_in_one_recording_keep_their_weights() {
    let network = |architecture, seed| Network::generated(architecture, 16, 15, seed).expect("a network");
    let networks =
        [network(Architecture::ResNet18, 0), network(Architecture::ResNet18, 1), network(Architecture::GoogLeNet, 0)];
    let algorithms = ConvAlgorithms::fixed(CONTEXT.capabilities());
    let logits = |networks: &[Network]| -> Vec<Vec<f32>> {
        let mut rec = Recording::new();
        let x = Tensor::kept(&mut rec, "pixels", networks[0].graph().node(NodeId(0)).shape);
        let record = |network: &Network| {
            let graph = network.graph().fused().expect("a graph");
            let acts = graph.record_forward(&mut rec, &algorithms, x, Retain::Needed).expect("commands");
            // Keep a copy, so that no tensor of another network takes its memory.
            let y = acts.of(graph.output());
            let kept = Tensor::kept(&mut rec, "logits", y.shape);
            forward(&mut rec, &Concat, &[y], kept).expect("a copy");
            kept
        };
        let outputs: Vec<Tensor> = networks.iter().map(record).collect();
        let plan = Plan::new(&CONTEXT, rec).expect("a plan");
        plan.write(x.id, &generated("pixels", x.shape.extents(), 0)).expect("pixels");
        plan.submit("step", 1);
        outputs.iter().map(|y| plan.read(y.id).expect("logits")).collect()
    };
    let together = logits(&networks);
    for (i, (got, network)) in together.iter().zip(&networks).enumerate() {
        assert_eq!(got, &logits(std::slice::from_ref(network))[0], "network {i} beside the others");
    }
    assert_ne!(together[0], together[1], "other weights, other logits");
}

/// The same weights with a batch norm and without it, and other weights under the same name, in one graph.
#[test]
fn layers_of_one_name_keep_their_weights() {
    let graph = |names: [&str; 4]| {
        let mut graph = Graph::new(Shape::new(1, 4, 6, 5));
        let w: Arc<[f32]> = generated("w", &[4, 4, 3, 3], 0).into();
        let conv = |w: Arc<[f32]>| Conv2d::new(w, [4, 4, 3, 3], None, [1, 1], [1; 4]);
        let norm = ScaleShift(ChannelAffine::new(vec![0.5, 2.0, -1.0, 3.0], vec![1.0, 0.0, -2.0, 0.25]));
        let a = graph.push(names[0], conv(Arc::clone(&w)), &[graph.input()]).expect("a convolution");
        let b = graph.push(names[1], conv(w), &[a]).expect("a convolution");
        let normed = graph.push("norm", norm, &[b]).expect("a norm");
        let c = graph.push(names[2], conv(generated("v", &[4, 4, 3, 3], 0).into()), &[normed]).expect("a convolution");
        graph.push(names[3], Add, &[a, c]).expect("a sum");
        graph
    };
    for (what, capabilities) in capabilities() {
        let algorithms = ConvAlgorithms::fixed(capabilities);
        let run = |graph: &Graph| evaluate(graph, &algorithms, Retain::Needed, 1).expect("a run");
        let [own, same] = [["a", "b", "c", "d"], ["a"; 4]].map(|names| graph(names).fused().expect("a graph"));
        assert_eq!(run(&own), run(&same), "{what}: names change nothing");
        same_function(what, &run(&same), &run(&graph(["a"; 4])));
    }
}

/// Ops on images refuse other ranks; an activation takes any rank, forward and backward.
#[test]
fn ops_say_which_rank_they_take() {
    let mut graph = Graph::new(Shape::of(&[1, 4, 6]).expect("a shape"));
    let x = graph.input();
    let pool = MaxPool2d { kernel: [1; 2], stride: [1; 2], pad: [0; 4], ceil_mode: false };
    let norm = LocalResponseNorm { size: 5, alpha: 0.5, beta: 0.75, k: 1.0 };
    let refused: [(&str, Arc<dyn Op>); 7] = [
        ("conv2d", Arc::new(Conv2d::new(vec![0.0; 16], [4, 4, 1, 1], None, [1, 1], [0; 4]))),
        ("max_pool2d", Arc::new(pool)),
        ("local_response_norm", Arc::new(norm)),
        ("global_avg_pool2d", Arc::new(GlobalAvgPool2d)),
        ("linear", Arc::new(Linear { w: vec![0.0; 24].into(), b: vec![0.0].into() })),
        ("scale_shift", Arc::new(ScaleShift(ChannelAffine::new(vec![1.0; 4], vec![0.0; 4])))),
        ("concat", Arc::new(Concat)),
    ];
    for (name, op) in refused {
        let error = graph.push_shared("layer", op, &[x]).expect_err("three extents").to_string();
        assert_eq!(error, format!("{name} (layer): x is [1,4,6], of rank 3, and must be [N,C,H,W]"));
    }
    let error = graph.push("layer", Add, &[x]).expect_err("one operand").to_string();
    assert_eq!(error, "add (layer): takes 2 inputs, not 1");
    graph.push("relu", Relu, &[x]).expect("any rank");
    let plain = ConvAlgorithms::fixed(capabilities()[0].1);
    let [y, dx] = evaluate(&graph, &plain, Retain::Needed, 2).expect("a run");
    let of =
        |name: &str, shape: &[usize]| -> Vec<f64> { generated(name, shape, 0).into_iter().map(f64::from).collect() };
    let (x, dy) = (of("pixels", &[2, 4, 6]), of("dlogits", &[48]));
    assert_eq!(y, x.iter().map(|x| x.max(0.0)).collect::<Vec<_>>());
    assert_eq!(dx, x.iter().zip(dy).map(|(&x, dy)| if x > 0.0 { dy } else { 0.0 }).collect::<Vec<_>>());
}

#[test]
fn groups_that_do_not_divide_channels_are_refused_by_name() {
    let conv = || Conv2d::new(vec![0.0; 36], [4, 1, 3, 3], None, [1, 1], [1; 4]);
    for (conv, what) in [
        (Conv2d { groups: 3, ..conv() }, "4 channels of y are not divisible into 3 groups"),
        (Conv2d { groups: 0, ..conv() }, "4 channels of y are not divisible into 0 groups"),
        (Conv2d { groups: 2, ..conv() }, "C is 4 in x [1,4,5,6] but 1 for each of 2 groups in w [4, 1, 3, 3]"),
        (Conv2d { groups: 4, dilation: [0, 1], ..conv() }, "a window of 3x3 does not fit x [1,4,5,6]"),
        (Conv2d { groups: 4, dilation: [4, 1], ..conv() }, "a window of 3x3 does not fit x [1,4,5,6]"),
    ] {
        let error = Graph::new(Shape::new(1, 4, 5, 6)).push("layer1.conv", conv, &[NodeId(0)]).unwrap_err().to_string();
        assert_eq!(error, format!("conv2d (layer1.conv): {what}"));
    }
}

/// A mistake of a host is an error, and not an endless wait.
#[test]
fn what_cannot_be_read_back_is_an_error() {
    let mut rec = Recording::new();
    let used = Tensor::kept(&mut rec, "used", Shape::new(1, 1, 1, 4));
    let unused = rec.transient("unused", 4);
    let out = Tensor::kept(&mut rec, "out", Shape::new(1, 1, 1, 4));
    forward(&mut rec, &Relu, &[used], out).expect("a command");
    let plan = Plan::new(&CONTEXT, rec).expect("a plan");
    let error = plan.read(unused).expect_err("no buffer").to_string();
    assert_eq!(error, "`unused` cannot be read: nothing uses it, or it is a texture");
    let mut encoder = CONTEXT.device().create_command_encoder(&Default::default());
    let readback = plan.record_read(&mut encoder, &[out.id]).expect("it has a buffer");
    let error = readback.wait().expect_err("never submitted").to_string();
    assert!(error.contains("before the encoder with its copies was submitted"), "{error}");
}

/// A readback arrives in each of three ways, and reused buffers do not mix up the elements of two.
#[test]
fn what_is_read_back_is_what_was_there() {
    let mut rec = Recording::new();
    let tensors: Vec<_> = (0..3).map(|i| rec.kept(format!("t{i}"), 1000 + i)).collect();
    let plan = Plan::new(&CONTEXT, rec).expect("a plan");
    let values = |round: usize, i: usize| vec![(10 * round + i) as f32; 1000 + i];
    for round in 0..4 {
        for (i, &tensor) in tensors.iter().enumerate() {
            plan.write(tensor, &values(round, i)).expect("it fits");
        }
        // Several at once, each in its own buffer.
        let later = |i: usize| plan.read_later(&[tensors[i], tensors[2]]).expect("it has a buffer");
        let [waited, mut asked, awaited, dropped] = [0, 1, 0, 1].map(later);
        let want = |i: usize| vec![values(round, i), values(round, 2)];
        assert_eq!(waited.wait().expect("it arrives"), want(0));
        assert_eq!(asked.try_take().expect("it has arrived"), Some(want(1)));
        assert!(asked.try_take().is_err(), "it was taken");
        assert_eq!(pollster::block_on(awaited.read()).expect("it has arrived"), want(0));
        drop(dropped);
    }
    let mut encoder = CONTEXT.device().create_command_encoder(&Default::default());
    let mut never = plan.record_read(&mut encoder, &tensors).expect("they have buffers");
    assert_eq!(never.try_take().expect("not yet"), None);
    drop(encoder);
    assert!(never.try_take().is_err(), "the encoder was dropped");
}

#[test]
fn the_nodes_after_a_node_compute_the_rest_of_the_function() {
    let network = Network::generated(Architecture::ResNet18, 8, 5, 1).expect("a narrow network");
    let graph = network.graph();
    let at = graph.find("layer4.0.relu").expect("a block of the last stage");
    let (head, tail) = (graph.truncated(&[at]), graph.after(at).expect("all nodes after a block read it"));
    let algorithms = ConvAlgorithms::fixed(CONTEXT.capabilities());
    let mut rec = Recording::new();
    let x = Tensor::kept(&mut rec, "pixels", graph.node(graph.input()).shape);
    rec.section("step");
    let whole = graph.record_forward(&mut rec, &algorithms, x, Retain::All).expect("it fits").of(graph.output());
    let middle = head.record_forward(&mut rec, &algorithms, x, Retain::All).expect("it fits").of(head.output());
    let parts = tail.record_forward(&mut rec, &algorithms, middle, Retain::All).expect("it fits").of(tail.output());
    let plan = Plan::new(&CONTEXT, rec).expect("a plan");
    plan.write(x.id, &generated("pixels", x.shape.extents(), 0)).expect("it fits");
    plan.submit("step", 1);
    assert_eq!(plan.read(parts.id).unwrap(), plan.read(whole.id).unwrap());
    let within = graph.find("layer4.1.conv1").expect("a layer within a block, around which its input goes");
    let refused = graph.after(within).expect_err("its block adds what comes before it").to_string();
    assert!(refused.contains("it reads the output of a layer before layer4.1.conv1"), "{refused}");
}
