//! The report of `protogpu similarity`: what is written, that it reads back, and that nothing in it is taken from elsewhere.

use std::collections::BTreeMap;

use crate::Result;
use crate::analysis::similarity::{
    ClassSimilarity, Counts, Holds, LayerSimilarity, Likely, Measured, OnePrototype, Overall, Similarity, Spread, Way,
};
use crate::networks::Semantics;
use crate::report::{ClassPictures, Pictures, SimilarityReport, similarity_files};
use serde_json::{Map, Value, json};

const LAYERS: usize = 12;
/// What a stranger may call a class: it must show as it is, and do nothing.
const EVIL: &str = r#"<script>alert("Tom & 'Jerry'")</script> \ 鯉 é"#;

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

/// A wave that differs by layer and row, within `[0, 1]`, with few digits.
fn wave(layer: usize, row: usize) -> f64 {
    (((layer * 7 + row * 13) % 11) as f64 / 40.0 + 0.3 + row as f64 / 50.0).min(1.0)
}

fn layer(index: usize, class: usize) -> LayerSimilarity {
    let (prototype, same, different) = (wave(index, 2 + class), 0.62 + wave(index, 1) / 4.0, wave(index, 0) / 1.5);
    let mut layer = LayerSimilarity {
        module: format!("layer{}.{index}", index / 4),
        measured: Measured {
            prototype: Some(prototype),
            prototype_std: None,
            same: Some(same),
            same_std: Some(0.05),
            different: Some(different),
            different_std: Some(0.07),
            normalised: Some((prototype - different) / (same - different)),
        },
        holds: Some(prototype >= same),
        controls: object(json!({ "noise": 0.2, "flat grey": 0.7 })),
        undefined: 0,
    };
    // One layer is undefined for the prototype and a control, one for everything; one is far off when normalised.
    match index {
        3 => {
            (layer.measured.prototype, layer.measured.normalised) = (None, None);
            (layer.holds, layer.undefined) = (None, 1);
            layer.controls = object(json!({ "noise": 0.2, "flat grey": null }));
        }
        6 => {
            layer = LayerSimilarity { module: layer.module, undefined: 24, ..LayerSimilarity::default() };
        }
        9 => (layer.measured.different, layer.measured.normalised) = (Some(same - 0.01), Some(-7.25)),
        _ => {}
    }
    layer
}

fn class(index: usize, name: &str) -> ClassSimilarity {
    let top = |rank: usize| Likely { index: rank, name: format!("{name} {rank}"), probability: 0.5 / rank as f64 };
    ClassSimilarity {
        index,
        name: name.to_string(),
        measured: Measured {
            prototype: Some(0.52),
            prototype_std: None,
            same: Some(0.71),
            same_std: Some(0.04),
            different: Some(0.41),
            different_std: Some(0.06),
            normalised: Some(0.366),
        },
        holds: Holds { layers: 3, of: 10 },
        layers: (0..LAYERS).map(|i| layer(i, index % 2)).collect(),
        controls: object(json!({ "noise": 0.2, "flat grey": 0.7 })),
        prototypes: vec![OnePrototype {
            folder: "out/<b>&'".into(),
            seed: u64::MAX,
            similarity: Some(0.52),
            top: (1..=5).map(top).collect(),
        }],
        pictures: Counts { mean: 100, same: 12, different: 12 },
    }
}

fn similarity() -> Similarity {
    let spread = |mean, std| Spread { mean: Some(mean), std: Some(std) };
    let (prototype, same, different) = (spread(0.52, 0.02), spread(0.71, 0.01), spread(0.41, 0.015));
    let holds = Holds { layers: 4, of: 10 };
    let way = |semantics, over: &str| Way { semantics, over: over.into(), prototype, same, different, holds };
    Similarity {
        format: "protogpu-similarity-1".into(),
        classes: vec![class(7, "golf ball"), class(1, EVIL)],
        overall: Overall {
            prototype,
            same,
            different,
            holds,
            normalised: Some(0.366),
            controls: object(
                json!({ "noise": { "mean": 0.2, "std": 0.01 }, "flat grey": { "mean": 0.7, "std": null } }),
            ),
            layers: (0..LAYERS).map(|i| layer(i, 0)).collect(),
        },
        ways: vec![way(Semantics::Snapshot, "names"), way(Semantics::TorchAlias, "tensors")],
        warnings: vec!["The control \"flat grey\" scores .700, the prototypes .520: <beware>.".into()],
        settings: object(json!({
            "network": { "name": "world-resnet18 & co", "sha256": "ab\"c" }, "seed": 3, "folders": ["a", "<b>"],
        })),
        skipped: vec!["bad/<x>.png: not a picture".into()],
        notes: Vec::new(),
    }
}

fn png(shade: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(8, 6, image::Rgb([shade; 3])).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn pictures() -> Pictures {
    let one = |shade| ClassPictures {
        prototypes: vec![png(shade)],
        controls: vec![("noise".into(), png(1)), (EVIL.into(), png(128))],
        natural: vec![png(2), png(3)],
    };
    Pictures { classes: vec![one(10), one(20)] }
}

fn made(similarity: &Similarity, pictures: &Pictures) -> Result<BTreeMap<String, Vec<u8>>> {
    let report = SimilarityReport { similarity: similarity.clone(), judges: Vec::new() };
    let files = similarity_files(&report, pictures)?;
    let last = files.last().unwrap().0.clone();
    assert_eq!(last, "similarity.json", "the JSON comes last");
    let count = files.len();
    let by_name = BTreeMap::from_iter(files);
    assert_eq!(by_name.len(), count, "each file once");
    Ok(by_name)
}

fn written() -> (Similarity, BTreeMap<String, Vec<u8>>) {
    let similarity = similarity();
    let files = made(&similarity, &pictures()).unwrap();
    (similarity, files)
}

fn text<'a>(files: &'a BTreeMap<String, Vec<u8>>, name: &str) -> &'a str {
    let bytes = files.get(name).unwrap_or_else(|| panic!("no {name} among {:?}", files.keys()));
    std::str::from_utf8(bytes).unwrap_or_else(|e| panic!("{name}: {e}"))
}

const FIGURES: [&str; 7] = [
    "class-1-normalised",
    "class-1-raw",
    "class-7-normalised",
    "class-7-raw",
    "overall-normalised",
    "overall-raw",
    "overall-rows",
];

#[test]
fn every_file_is_there_and_nothing_else() {
    let (_, files) = written();
    let mut expected: Vec<String> = ["report.html", "similarity.csv", "similarity.json"].map(String::from).to_vec();
    expected.extend(FIGURES.iter().flat_map(|name| ["png", "svg"].map(|kind| format!("plots/{name}.{kind}"))));
    expected.sort();
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), expected);
}

#[test]
fn json_is_the_measurement() {
    let (similarity, files) = written();
    let read: Similarity = serde_json::from_str(text(&files, "similarity.json")).unwrap();
    assert_eq!(read, similarity);
    // Controls keep their order, which is not that of the alphabet.
    assert_eq!(read.overall.controls.keys().collect::<Vec<_>>(), ["noise", "flat grey"]);
}

#[test]
fn csv_has_a_row_for_each_class_and_layer_and_blanks_where_undefined() {
    let (similarity, files) = written();
    let mut reader = csv::Reader::from_reader(text(&files, "similarity.csv").as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    assert_eq!(header[..5], ["class_index", "class", "layer", "module", "prototype"]);
    assert_eq!(header[header.len() - 3..], ["undefined", "control:noise", "control:flat grey"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2 * LAYERS);
    let at = |row: usize, name: &str| rows[row][header.iter().position(|h| h == name).unwrap()].to_string();
    for (index, layer) in similarity.classes.iter().flat_map(|class| &class.layers).enumerate() {
        let number = |name: &str| at(index, name).parse::<f64>().ok();
        assert_eq!(number("prototype"), layer.measured.prototype, "row {index}");
        assert_eq!(number("different_std"), layer.measured.different_std, "row {index}");
        assert_eq!(number("normalised"), layer.measured.normalised, "row {index}");
        assert_eq!(number("control:flat grey"), layer.controls.get("flat grey").and_then(Value::as_f64), "row {index}");
        assert_eq!(at(index, "holds").parse::<bool>().ok(), layer.holds, "row {index}");
        assert_eq!(at(index, "module"), layer.module);
    }
    assert_eq!((at(LAYERS, "class"), at(LAYERS, "layer")), (EVIL.to_string(), "1".to_string()));
    assert_eq!((at(6, "same"), at(6, "undefined")), (String::new(), "24".to_string()));
}

#[test]
fn page_takes_nothing_from_elsewhere_and_runs_nothing_of_a_strangers() {
    let (_, files) = written();
    let page = text(&files, "report.html");
    for name in ["src=", "href=", "url(", "@import"] {
        for (at, _) in page.match_indices(name) {
            let value = page[at + name.len()..].trim_start_matches('"');
            let fine = value.starts_with("data:image/png;base64,") || value.starts_with("#class-");
            assert!(fine, "{name} of {}", &value[..value.len().min(60)]);
        }
    }
    // The one address is the name of SVG's own namespace, which nobody fetches.
    let addresses = page.matches("http://").count() + page.matches("https://").count();
    assert_eq!(addresses, page.matches(r#"xmlns="http://www.w3.org/2000/svg""#).count());
    assert_eq!(page.matches("<script").count(), 1, "only the page's own script");
    assert!(!page.contains("<beware>") && !page.contains("<b>") && !page.contains("<x>"), "text is escaped");
    assert!(page.contains("&lt;script&gt;alert(&quot;Tom &amp; &#x27;Jerry&#x27;&quot;)&lt;&#x2f;script&gt; \\ 鯉 é"));
    // Two classes with one prototype, two controls and two natural pictures each.
    assert_eq!(page.matches("<img").count(), 2 * (1 + 2 + 2));
    assert_eq!(page.matches("<svg").count(), FIGURES.len());
}

#[test]
fn page_says_what_matters_first_and_everything_in_the_end() {
    let (similarity, files) = written();
    let page = text(&files, "report.html");
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{}", &page[..80]);
    let order = [
        "<h1>Path similarity: world-resnet18 &amp; co</h1>",
        "flat grey&quot; scores .700",
        "What the number means",
        "0.520 <span class=\"std\">± 0.020</span>",
        "above the prototype",
        "4 of 10 (40.0 %)",
        "torch-alias",
        "id=\"class-7\"",
        "Seed 18446744073709551615, similarity 0.520",
        "50.0 %",
        "id=\"class-1\"",
        "network.sha256",
        "a, &lt;b&gt;",
        "bad&#x2f;&lt;x&gt;.png: not a picture",
    ];
    let mut from = 0;
    for part in order {
        let found = page[from..].find(part);
        from += found.unwrap_or_else(|| panic!("no {part:?} after byte {from}"));
    }
    for layer in &similarity.classes[1].layers {
        assert!(page.contains(&format!(">{}<", layer.module)), "{} is in the table", layer.module);
    }
    assert_eq!(page.matches("<details>").count(), 3, "a table of layers over all and for each class");
}

#[test]
fn page_without_a_warning_has_no_box() {
    let mut calm = similarity();
    calm.warnings.clear();
    assert!(!text(&made(&calm, &pictures()).unwrap(), "report.html").contains("Read this first"));
}

#[test]
fn plots_are_whole_and_svg_and_png_are_of_one_shape() {
    let (_, files) = written();
    for name in FIGURES {
        let svg = text(&files, &format!("plots/{name}.svg"));
        let document = roxmltree::Document::parse(svg).unwrap_or_else(|e| panic!("{name}.svg: {e}"));
        let size = |name: &str| document.root_element().attribute(name).unwrap().parse::<u32>().unwrap();
        let picture = image::load_from_memory(&files[&format!("plots/{name}.png")]).unwrap();
        assert_eq!((picture.width(), picture.height()), (2 * size("width"), 2 * size("height")), "{name}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}: numbers are numbers");
        let dark = picture.to_rgb8().pixels().filter(|pixel| pixel.0.iter().all(|&c| c < 100)).count();
        assert!(dark > 2000, "{name}: {dark} dark pixels, so there is no text");
    }
    let titles = roxmltree::Document::parse(text(&files, "plots/class-1-raw.svg")).unwrap();
    let title = titles.descendants().find(|node| node.has_tag_name("title")).unwrap();
    assert_eq!(title.text(), Some(format!("Similarity by layer: {EVIL}").as_str()));
}

/// Undefined layers 4 and 7 part the prototype's curve in three; a value beyond the axis is a triangle and a sentence.
#[test]
fn gaps_are_gaps_and_what_is_cut_off_is_said() {
    let (_, files) = written();
    let lines = |name: &str| {
        let svg = text(&files, &format!("plots/{name}.svg"));
        svg.lines().filter(|line| line.contains("#d55e00") && line.starts_with("<polyline")).count()
    };
    // And the legend's.
    assert_eq!(lines("class-7-raw"), 3 + 1);
    let normalised = text(&files, "plots/class-7-normalised.svg");
    assert!(normalised.contains("Triangles: 1 layer lies beyond the axis (layer2.9 −7.25)."), "{normalised}");
    assert!(normalised.contains("In 1 layer same and different class are less than 0.02 apart"));
}

#[test]
fn the_same_measurement_makes_the_same_bytes() {
    let (first, second) = (written().1, written().1);
    for (name, bytes) in &first {
        assert!(second[name] == *bytes, "{name} differs");
    }
}

#[test]
fn a_measurement_without_classes_or_values_is_a_report_too() {
    let mut nothing = Similarity { classes: Vec::new(), overall: Overall::default(), ways: Vec::new(), ..similarity() };
    nothing.settings.clear();
    let files = made(&nothing, &Pictures::default()).unwrap();
    assert!(text(&files, "report.html").contains("a network without a name"));
    assert_eq!(text(&files, "similarity.csv").lines().count(), 1);
}

#[test]
fn what_cannot_be_shown_is_one_clear_error() {
    let error = made(&similarity(), &Pictures::default()).unwrap_err();
    assert_eq!(error.to_string(), "the report has 2 classes, but images of 0: give one set for each");

    let mut wrong = pictures();
    wrong.classes[1].natural[0] = b"GIF89a".to_vec();
    let error = made(&similarity(), &wrong).unwrap_err();
    assert!(error.to_string().contains("neither PNG nor JPEG"), "{error}");
}

/// The example of a plot.
#[test]
fn a_scene_is_svg_and_png() {
    use crate::report::plot::{Axis, Curves, Line, Role};
    let line = Line::new("prototype", Role::Prototype, vec![(1.0, Some(0.2)), (2.0, None), (3.0, Some(0.4))]);
    let axis = |title: &str| Axis { title: title.into(), ..Axis::default() };
    let (x, y) = (axis("layer"), axis("similarity"));
    let scene = Curves { title: "Similarity by layer".into(), x, y, lines: vec![line], ..Curves::default() }.scene();
    assert!(scene.svg().unwrap().starts_with("<svg"));
    assert_eq!(scene.png().unwrap()[1..4], *b"PNG");
}
