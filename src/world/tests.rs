//! The guarantees of the synthetic images: reproducible images, biases as documented, and settings that change only their own bias.

use super::bias::Truth;
use super::canvas::SIDE;
use super::*;
use image::RgbImage;

#[test]
fn classes_and_biases_are_in_order() {
    for (place, class) in classes().iter().enumerate() {
        assert_eq!(class.index, place, "{}", class.name);
        assert_eq!(find_class(class.name).map(|class| class.index).ok(), Some(place));
        assert_eq!(find_class(&place.to_string()).map(|class| class.name).ok(), Some(class.name));
    }
    let named: Vec<_> = biases().iter().map(|bias| (bias.name, bias.class_name(), bias.neighbour_name())).collect();
    assert_eq!(named, [("cue", "umbrella", "parasol"), ("light", "moth", "butterfly"), ("companion", "teacup", "cup")]);
}

#[test]
fn unknown_names_are_errors_that_list_the_known_ones() {
    let class = find_class("unicorn").err().map(|error| error.to_string()).unwrap_or_default();
    assert!(class.contains("unicorn") && class.contains("umbrella"), "{class}");
    let bias =
        Biases::default().with("sound", Setting::Removed).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(bias.contains("sound") && bias.contains("companion"), "{bias}");
    assert!(draw(99, 0, 0, Biases::default()).is_err());
}

#[test]
fn a_picture_depends_on_each_argument_and_on_nothing_else() {
    let picture =
        |class, seed, number| draw(class, seed, number, Biases::default()).map(RgbImage::into_raw).unwrap_or_default();
    let first = picture(4, 7, 9);
    assert_eq!(first.len(), (SIDE * SIDE * 3) as usize);
    assert_eq!(first, picture(4, 7, 9));
    for (name, other) in [("class", picture(5, 7, 9)), ("seed", picture(4, 8, 9)), ("number", picture(4, 7, 10))] {
        assert_ne!(first, other, "another {name}");
    }
}

/// The embedded networks were trained on exactly these images. If you change a drawing, train them again.
#[test]
#[cfg(target_arch = "x86_64")]
fn the_pictures_are_those_of_the_embedded_network() {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for class in classes() {
        let picture = draw(class.index, 1, 0, Biases::default()).map(RgbImage::into_raw).unwrap_or_default();
        for byte in picture {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    assert_eq!(format!("{hash:016x}"), "f88741634589f670");
}

#[test]
fn biases_show_as_often_as_documented() {
    let share = |class, biases, carries: fn(Truth) -> bool| {
        (0..2000).filter(|&number| carries(truth(class, 11, number, biases))).count() as f32 / 2000.0
    };
    let carries: [fn(Truth) -> bool; 3] = [|truth| truth.cue, |truth| truth.light, |truth| truth.companion];
    for (bias, carries) in biases().iter().zip(carries) {
        for setting in [Setting::Planted, Setting::Removed, Setting::Swapped] {
            let settings = Biases::default().with(bias.name, setting).unwrap_or_default();
            for class in classes() {
                let (drawn, documented) = (share(class.index, settings, carries), bias.share_in(class.index, setting));
                assert!(
                    (drawn - documented).abs() < 0.035,
                    "{} in {}, {setting:?}: {drawn}, not {documented}",
                    bias.name,
                    class.name
                );
            }
        }
    }
}

#[test]
fn without_a_bias_the_rest_of_the_picture_stays() {
    for bias in biases() {
        let without = Biases::default().with(bias.name, Setting::Removed).unwrap_or_default();
        let carries = |truth: Truth| [truth.cue, truth.light, truth.companion].contains(&true);
        let number = (0..).find(|&number| carries(truth(bias.class, 1, number, Biases::default()))).unwrap_or_default();
        let bytes = |biases| draw(bias.class, 1, number, biases).map(RgbImage::into_raw).unwrap_or_default();
        let (with, without) = (bytes(Biases::default()), bytes(without));
        let changed =
            with.chunks(3).zip(without.chunks(3)).filter(|(a, b)| a != b).count() as f32 / (SIDE * SIDE) as f32;
        assert!(changed > 0.001, "{}: nothing changed", bias.name);
        assert!(changed < 0.6, "{}: {changed} of the picture changed", bias.name);
    }
}
