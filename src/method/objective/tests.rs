//! Parsing, writing and resolving objectives.

use proptest::prelude::*;

use super::resolve::{Form, ModuleUnit};
use super::*;
use crate::networks::{Architecture, Network};
use crate::tensor_file::TensorFile;

fn parsed(text: &str) -> Objective {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// The first line of the message, and the character above the caret.
fn fault(error: Error) -> (String, Option<char>) {
    assert!(error.is_input());
    let message = error.to_string();
    let lines: Vec<Vec<char>> = message.lines().map(|line| line.chars().collect()).collect();
    let [what, shown, caret] = &lines[..] else { panic!("{message}") };
    assert_eq!(caret.last(), Some(&'^'), "{message}");
    (what.iter().collect(), shown.get(caret.len() - 1).copied())
}

#[test]
fn texts_and_how_they_are_written_back() {
    for (text, expected) in [
        ("class", "class"),
        (" logit:goldfish ", "logit:goldfish"),
        ("0.7*logit:1 - 0.3*logit:2", "0.7*logit:1 - 0.3*logit:2"),
        ("0.7 * logit:1-.3*logit:2", "0.7*logit:1 - 0.3*logit:2"),
        ("-1e-3*prob:golf ball + layer:layer2", "-0.001*prob:golf ball + layer:layer2"),
        ("+logprob:black-and-tan coonhound", "logprob:black-and-tan coonhound"),
        ("logodds:jack-o'-lantern/\"a/b\"", "logodds:\"jack-o'-lantern\"/\"a/b\""),
        (r#"logit:'it\'s "x" \\'"#, r#"logit:"it's \"x\" \\""#),
        ("channel:layer3.1:17", "channel:layer3.1:17"),
        ("neuron:inception4c:5@7,7", "neuron:inception4c:5@7,7"),
        ("neuron:inception4c:005", "neuron:inception4c:5"),
        ("direction:layer1:[1, -.5,2e1 ]", "direction:layer1:[1,-0.5,20]"),
        ("direction:layer1:a/b.safetensors", "direction:layer1:\"a/b.safetensors\""),
        ("1*diversity:layer4", "diversity:layer4"),
    ] {
        let objective = parsed(text);
        assert_eq!(objective.to_string(), expected, "{text}");
        assert_eq!(parsed(expected), objective, "{text}");
        let json = serde_json::to_string(&objective).unwrap();
        assert_eq!(serde_json::from_str::<Objective>(&json).unwrap(), objective, "{json}");
    }
    let sha256 = "Ab".repeat(32);
    assert_eq!(
        parsed(&format!("direction:a:b.c#{sha256}")).to_string(),
        format!("direction:a:b.c#{}", "ab".repeat(32))
    );
}

#[test]
fn bad_texts_are_pointed_at() {
    let long = "9".repeat(400);
    for (text, expected, at) in [
        ("", "expected one of logit, prob, logprob, logodds, channel, neuron, direction, layer, diversity", None),
        ("logits:1", "`logits` is none of logit, prob", Some('l')),
        ("0.5*chanel:layer1:0", "did you mean channel?", Some('c')),
        ("logit:", "expected a class", None),
        ("logit=1", "expected : after `logit`", Some('=')),
        ("logit:\"\"", "these quotes are empty", Some('"')),
        ("logit:'x", "this quote is not closed", Some('\'')),
        ("0.5 logit:1", "expected * between the weight", Some('l')),
        ("0*logit:1", "a weight of 0 has no effect", Some('0')),
        ("1e99*logit:1", "does not fit into 32 bits", Some('1')),
        ("1.2.3*logit:1", "`1.2.3` is not a number", Some('1')),
        ("1 * 2 * logit:1", "`2` is none of", Some('2')),
        ("logit:moth+logit:2", "put spaces around the + or - between terms", Some(':')),
        ("logit:moth -", "expected one of", None),
        ("logit:1 logit:2", "no", Some(':')),
        ("layer:layer1 layer:layer2", "expected + or - and another term, or the end", Some('l')),
        ("channel:layer3.1", "expected : and a channel", None),
        ("channel:layer3.1:x", "expected a channel, a whole number", Some('x')),
        ("neuron:layer3.1:3@7", "expected , and a column", None),
        ("neuron:layer3.1:3@7,-1", "expected a column, a whole number", Some('-')),
        ("logodds:1", "expected / and the class", None),
        ("direction:layer1:[1,two]", "expected a number of the direction", Some('t')),
        ("direction:layer1:[1;2]", "expected , and another number", Some(';')),
        ("direction:layer1:x#12", "expected a SHA-256", Some('1')),
        ("class + logit:1", "`class` cannot be part of a sum", Some('c')),
        ("logit:1 + class", "`class` cannot be part of a sum", Some('c')),
        ("2*class", "`class` cannot have a weight", Some('2')),
        (&format!("logit:1 + {long}*logit:2"), "does not fit into", Some('9')),
    ] {
        let (what, pointed) = fault(text.parse::<Objective>().expect_err(text));
        assert!(what.contains(expected) && pointed == at, "{text}: {what} at {pointed:?}");
    }
    let many = vec!["logit:1"; 33].join(" + ");
    assert!(fault(many.parse::<Objective>().unwrap_err()).0.contains("at most 32 terms"));
    assert!(fault("x".repeat(1 << 17).parse::<Objective>().unwrap_err()).0.contains("at most 65536 characters"));
    let error = "0.5*logit:1 - channel:layer1:q".parse::<Objective>().unwrap_err().to_string();
    let expected =
        "expected a channel, a whole number\n  0.5*logit:1 - channel:layer1:q\n                               ^";
    assert_eq!(error, expected);
}

fn network() -> Network {
    Network::generated(Architecture::ResNet18, 8, 5, 0).unwrap()
}

#[test]
fn what_a_network_lacks_is_named() {
    let network = network();
    for (text, expected, at) in [
        ("channel:layer3.1:256", "layer3.1 has 32 channels, counted from 0 to 31", '2'),
        ("channel:layer3.1:99999999999999999999999", "layer3.1 has 32 channels", '9'),
        ("logit:1 - layer:layer5", "resnet18 has no module `layer5`; did you mean layer", 'l'),
        ("neuron:layer4:0@7,0", "each channel of layer4 has 7 rows, counted from 0 to 6", '7'),
        ("neuron:layer4:0@0,8", "each channel of layer4 has 7 columns", '8'),
        ("logodds:1/5", "there is no class 5: there are 5 classes, 0 to 4", '5'),
        ("prob:moth", "none of the 5 classes is called `moth`", 'm'),
        ("direction:conv1:[1,2]", "conv1 has 8 channels, but the direction has 2 numbers", '['),
        ("direction:conv1:[0,0,0,0,0,0,0,0]", "the direction is all zeros", '['),
        ("direction:conv1:some.safetensors", "the file some.safetensors was not read", 's'),
    ] {
        let (what, pointed) = fault(parsed(text).resolve(&network).expect_err(text));
        assert!(what.starts_with(expected) && pointed == Some(at), "{text}: {what} at {pointed:?}");
    }
}

#[test]
fn units_are_resolved() {
    let network = network();
    let of = |text: &str| parsed(text).resolve(&network).unwrap();
    let logits = of("2*logodds:1/class_2 - logprob:0").logits;
    let numbers: Vec<_> = logits.iter().map(|term| (term.form, term.class, term.weight)).collect();
    assert_eq!(numbers, [(Form::Logit, 1, 2.0), (Form::Logit, 2, -2.0), (Form::LogProbability, 0, -1.0)]);
    let features = of("neuron:layer4:3@1,2 + neuron:layer4:3 - channel:fc:4").features;
    let kinds: Vec<_> = features.iter().map(|term| term.feature.clone()).collect();
    assert_eq!(kinds, [ModuleUnit::Neuron(3, 9), ModuleUnit::Neuron(3, 24), ModuleUnit::Channel(4)]);
    assert_eq!((features[2].weight, features[2].node), (-1.0, network.graph().output()));

    assert!(of("channel:layer1:1 + logit:0").same_form(&of("2*channel:layer1:2 - logit:3")));
    assert!(!of("channel:layer1:1").same_form(&of("channel:layer2:1")));
    assert!(!of("channel:layer1:1").same_form(&of("layer:layer1")));
    assert!(!of("logit:1").same_form(&of("class")));
    assert_eq!(parsed("logit:class 3").lone_class(&network).unwrap(), Some(3));
    assert_eq!(parsed("2*logit:3").lone_class(&network).unwrap(), None);
}

#[test]
fn a_direction_of_a_file_is_held_to_its_bytes() {
    let network = network();
    let file = |numbers: &[f32]| TensorFile::default().tensor("v", &[numbers.len()], numbers).to_bytes();
    let ones = file(&[1.0; 8]);
    let objective = parsed("direction:conv1:v.safetensors");
    let with = |objective: &Objective, bytes: &[u8]| objective.with_files(|_| Ok(bytes.to_vec()));
    let read = with(&objective, &ones).unwrap();
    let numbers = read.resolve(&network).unwrap().features.remove(0).feature;
    assert_eq!(numbers, ModuleUnit::Direction([1.0; 8].into()));
    let recorded = parsed(&read.to_string());
    assert_eq!(recorded.to_string(), format!("direction:conv1:v.safetensors#{}", sha256_hex(&ones)));
    assert_eq!(with(&recorded, &ones).unwrap(), read);
    let others = file(&[2.0; 8]);
    assert!(fault(with(&recorded, &others).unwrap_err()).0.contains("the file has changed (sha256 "));
    assert!(with(&objective, &others).is_ok());
    let two = TensorFile::default().tensor("v", &[1], &[1.0]).tensor("w", &[1], &[1.0]).to_bytes();
    assert!(fault(with(&objective, &two).unwrap_err()).0.contains("it holds 2 tensors, where one is expected"));
    let missing = objective.with_files(|path| Err(Error::input(format!("cannot read {}", path.display()))));
    assert_eq!(fault(missing.unwrap_err()), ("cannot read v.safetensors".to_owned(), Some('v')));
}

#[test]
fn code_builds_what_text_says() {
    for (built, text) in [
        (Objective::logit("goldfish"), "logit:goldfish"),
        (2.0 * Objective::probability("moth") + Objective::log_probability("1"), "2*prob:moth + logprob:1"),
        (-(Objective::log_odds("a", "b/c") - Objective::layer("x.y")), "-logodds:a/\"b/c\" + layer:x.y"),
        (Objective::channel("layer3.1", 17) * 0.5 * -3.0, "-1.5*channel:layer3.1:17"),
        (Objective::neuron("m", 1, None) - Objective::neuron("m", 2, Some([3, 4])), "neuron:m:1 - neuron:m:2@3,4"),
        (
            Objective::direction("m", [1.0, -0.5]) + 1e-3 * Objective::diversity("m"),
            "direction:m:[1,-0.5] + 0.001*diversity:m",
        ),
    ] {
        assert_eq!(built.to_string(), text);
        assert_eq!(parsed(text), built);
    }
    let network = network();
    let one = || Objective::logit("1");
    for (built, expected, at) in [
        (one() - 2.0 * Objective::channel("layer3.1", 256), "layer3.1 has 32 channels", '2'),
        (one() + Objective::logit("moth"), "none of the 5 classes is called `moth`", 'l'),
        (one() + Objective::class(), "`class` cannot be part of a sum", 'c'),
        (0.0 * one(), "the weight must be a number other than 0", '0'),
        (one() + f64::NAN * Objective::layer("layer1"), "the weight must be a number", 'N'),
        (Objective::direction("conv1", [f32::NAN; 8]), "a direction has a number that is not finite", 'd'),
        ((0..40).fold(one(), |sum, _| sum + one()), "an objective has at most 32 terms", 'l'),
    ] {
        let (what, pointed) = fault(built.resolve(&network).expect_err(expected));
        assert!(what.starts_with(expected) && pointed == Some(at), "{built}: {what} at {pointed:?}");
    }
}

#[test]
fn slugs_are_names_of_folders() {
    for (text, expected) in [
        ("channel:layer3.1:17", "channel_layer3.1_17"),
        ("0.7*logit:1 - 0.3*logit:2", "0.7_logit_1_minus_0.3_logit_2"),
        ("-layer:x", "minuslayer_x"),
        ("direction:a:\"../../b\"", "direction_a_b_"),
    ] {
        let slug = parsed(text).slug();
        assert!(
            slug == expected
                || expected.ends_with('_') && slug.starts_with(expected) && slug.len() == expected.len() + 8,
            "{slug}"
        );
    }
    // Differences that a folder's name cannot express still give different slugs.
    let mut slugs = ["蝶", "蛾", "\"a b\"", "a_b", "a-b", "A_b", "\"..\"", "\"'\""]
        .map(|name| parsed(&format!("logit:{name}")).slug());
    assert!(slugs.iter().all(|slug| slug.starts_with("logit_") && slug.is_ascii()), "{slugs:?}");
    slugs.sort();
    assert!(slugs.windows(2).all(|pair| pair[0] != pair[1]), "{slugs:?}");
    // So do differences in the part that is cut.
    let slugs = ["3", "4"].map(|last| parsed(&(vec!["logit:123"; 20].join(" + ") + last)).slug());
    assert!(slugs[0] != slugs[1] && slugs.iter().all(|slug| slug.len() == 64), "{slugs:?}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
        let _ = text.parse::<Objective>();
    }

    #[test]
    fn what_is_read_is_written_back(text in "[-+]?(class|([0-9.e]{1,4}\\*)?(logit|prob|logodds|channel|neuron|direction|layer):['\"]?[a-z0-9 .:/@,#'\"\\\\+-]{1,12}['\"]?)( [-+] logit:.{1,9})?") {
        if let Ok(objective) = text.parse::<Objective>() {
            prop_assert_eq!(&parsed(&objective.to_string()), &objective);
        }
    }

    #[test]
    fn any_name_is_written_back(name in "\\PC{1,20}") {
        prop_assume!(!name.trim().is_empty());
        let unit = Unit::LogOdds(At { value: name.clone(), at: 0 }, At { value: name, at: 0 });
        let objective = Objective { text: String::new(), terms: vec![Term { weight: 1.0, unit }] };
        prop_assert_eq!(&parsed(&objective.to_string()), &objective);
    }
}
