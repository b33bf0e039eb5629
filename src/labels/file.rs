//! Reads the names of classes from the files that people have.

use serde_json::{Map, Value};

use super::label::{Label, check_name};
use crate::suggest::shown;

/// A class with its index, or, without one, the next.
type Entry = (Option<usize>, Label);

/// The labels in a text, in the order of their indices. Messages do not name the file.
///
/// # Errors
/// If it has no labels, a label cannot be a name, or the indices are not 0, 1, 2 and so on.
pub(super) fn parse(text: &str) -> Result<Vec<Label>, String> {
    // Windows editors put a byte order mark before the first line; lines() handles their line ends.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end();
    let begins = text.trim_start();
    let entries = match begins.starts_with(['{', '[']).then(|| serde_json::from_str::<Value>(begins)) {
        Some(Ok(json)) => of_json(&json)?,
        // A dictionary as Python prints it.
        Some(Err(error)) if begins.starts_with('{') => of_python(begins).ok_or_else(|| not_json(&error))?,
        // A name may begin with a bracket.
        _ => of_lines(text)?,
    };
    in_order(entries)
}

fn not_json(error: &serde_json::Error) -> String {
    format!("begins like JSON but is none: {}", shown(&error.to_string()))
}

fn in_order(entries: Vec<Entry>) -> Result<Vec<Label>, String> {
    let len = entries.len();
    let mut classes: Vec<Option<Label>> = vec![None; len];
    let from_one = entries.iter().all(|(index, _)| index.is_some_and(|index| index > 0 && index <= len));
    if from_one && len > 0 {
        return Err(format!("its indices go from 1 to {len}, and those of outputs begin with 0: subtract 1 from each"));
    }
    for (at, (index, label)) in entries.into_iter().enumerate() {
        let index = index.unwrap_or(at);
        let place = classes
            .get_mut(index)
            .ok_or_else(|| format!("`{index}` is not an index below the number of labels, {len}"))?;
        if place.replace(label).is_some() {
            return Err(format!("index {index} occurs twice"));
        }
    }
    // There are as many labels as indices, all below `len` and none twice, so every place is taken.
    let classes: Vec<Label> = classes.into_iter().flatten().collect();
    if classes.is_empty() { Err("has no labels".to_owned()) } else { Ok(classes) }
}

fn label(wnid: Option<&str>, name: &str) -> Result<Label, String> {
    let name = name.trim();
    check_name(name).map_err(|what| format!("the name {what}"))?;
    let wnid = wnid.map(str::trim).filter(|wnid| !wnid.is_empty()).map(str::to_owned);
    Ok(Label { wnid, name: name.to_owned() })
}

/// A list of names; names by index, also below `id2label` or with a WordNet id before each as Keras has them; or indices by name.
fn of_json(json: &Value) -> Result<Vec<Entry>, String> {
    match json {
        Value::Array(names) => {
            let entry = |(at, name): (usize, &Value)| {
                let (wnid, name) = name_of(name).ok_or_else(|| format!("its entry {at} is no name"))?;
                Ok((None, label(wnid, name).map_err(|what| format!("entry {at}: {what}"))?))
            };
            names.iter().enumerate().map(entry).collect()
        }
        Value::Object(map) => {
            for key in ["id2label", "label2id", "class_to_idx"] {
                if let Some(Value::Object(inner)) = map.get(key) {
                    return of_map(inner);
                }
            }
            of_map(map)
        }
        _ => Err("is neither a list nor an object".to_owned()),
    }
}

fn of_map(map: &Map<String, Value>) -> Result<Vec<Entry>, String> {
    let entry = |(key, value): (&String, &Value)| {
        let unclear = || format!("its entry `{}` is neither a name by an index nor an index by a name", shown(key));
        let (index, wnid, name) = match (key.parse().ok(), name_of(value), value.as_u64()) {
            (Some(index), Some((wnid, name)), _) => (index, wnid, name),
            (_, _, Some(index)) => (usize::try_from(index).map_err(|_| unclear())?, None, &key[..]),
            _ => return Err(unclear()),
        };
        Ok((Some(index), label(wnid, name).map_err(|what| format!("entry `{}`: {what}", shown(key)))?))
    };
    map.iter().map(entry).collect()
}

/// A name, or a WordNet id and a name.
fn name_of(value: &Value) -> Option<(Option<&str>, &str)> {
    match value {
        Value::String(name) => Some((None, name)),
        Value::Array(both) => match &both[..] {
            [Value::String(wnid), Value::String(name)] => Some((Some(wnid), name)),
            _ => None,
        },
        _ => None,
    }
}

/// `{0: 'tench', 1: "goldfish"}`, one entry a line.
fn of_python(text: &str) -> Option<Vec<Entry>> {
    let inner = text.strip_prefix('{')?.trim_end().strip_suffix('}')?;
    let entry = |line: &str| {
        let (index, name) = line.trim().trim_end_matches(',').split_once(':')?;
        let name = name.trim();
        let quote = name.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let name = name.strip_prefix(quote)?.strip_suffix(quote)?;
        Some((Some(index.trim().parse().ok()?), label(None, &name.replace("\\'", "'")).ok()?))
    };
    inner.lines().filter(|line| !line.trim().is_empty()).map(entry).collect()
}

/// One name per line; or, in every line, an index, a WordNet id, or both before it, separated by tabs, commas, colons or spaces; or the
/// index after the name. Indices after spaces alone must be in order: names may begin with numbers.
fn of_lines(text: &str) -> Result<Vec<Entry>, String> {
    let lines: Vec<&str> = text.lines().collect();
    let place = |number: usize, what: String| format!("line {}: {what}", number + 1);
    let tabbed = text.contains('\t');
    let all = |is: &dyn Fn(&str) -> bool| lines.len() > 1 && lines.iter().all(|line| is(line));
    let spaced = |(at, line): (usize, &&str)| before(line, &is_index).is_some_and(|(word, _)| word.parse() == Ok(at));
    let separated =
        |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with([',', ':', ';', '\t']);
    let indexed = all(&|line| before(line, &is_index).is_some())
        && (lines.iter().enumerate().all(spaced) || lines.iter().all(|line| separated(line.trim())));
    let indexed_after = !indexed && counts(lines.iter().map(|line| after(line).map(|(_, index)| index)));
    let with_wnid = all(&|line| before(line, &is_wnid).is_some());
    let each = |(number, line): (usize, &&str)| {
        let entry = if tabbed {
            tabbed_line(line, lines[0].split('\t').count())
        } else if indexed {
            let (index, rest) = before(line, &is_index).unwrap_or(("", line));
            let (wnid, name) = before(rest, &is_wnid).map_or((None, rest), |(wnid, name)| (Some(wnid), name));
            label(wnid, name).map(|label| (index.parse().ok(), label))
        } else if indexed_after {
            let (name, index) = after(line).unwrap_or((line, 0));
            label(None, name).map(|label| (Some(index), label))
        } else if with_wnid {
            let (wnid, name) = before(line, &is_wnid).unwrap_or(("", line));
            label(Some(wnid), name).map(|label| (None, label))
        } else {
            label(None, line).map(|label| (None, label))
        };
        entry.map_err(|what| place(number, what))
    };
    lines.iter().enumerate().map(each).collect()
}

/// The name and index of a line that ends with a comma, a semicolon or a space and an index.
fn after(line: &str) -> Option<(&str, usize)> {
    let (name, index) = line.trim().rsplit_once([',', ';', ' '])?;
    let name = name.trim_end_matches([',', ';', ' ']);
    (!name.is_empty() && is_index(index)).then_some(())?;
    Some((name, index.parse().ok()?))
}

/// Whether these are 0, 1, 2 and so on in any order, and more than one.
fn counts(indices: impl Iterator<Item = Option<usize>>) -> bool {
    let Some(mut indices) = indices.collect::<Option<Vec<usize>>>() else { return false };
    indices.sort_unstable();
    indices.len() > 1 && indices.iter().enumerate().all(|(at, &index)| at == index)
}

/// The first word of a line if it `is` what is wanted, and the rest after a separator.
fn before<'a>(line: &'a str, is: &dyn Fn(&str) -> bool) -> Option<(&'a str, &'a str)> {
    let line = line.trim();
    let end = line.find(|c: char| c.is_whitespace() || matches!(c, ',' | ':' | ';'))?;
    let (word, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ':' | ';'));
    (is(word) && !rest.is_empty()).then_some((word, rest))
}

fn is_index(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
}

/// `n` and digits.
fn is_wnid(word: &str) -> bool {
    word.strip_prefix('n').is_some_and(is_index)
}

/// Index, WordNet id and name; or only two of them, of which the last is the name. Every line has as many columns as the first.
fn tabbed_line(line: &str, wanted: usize) -> Result<Entry, String> {
    let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
    let index = |text: &str| text.parse::<usize>().map_err(|_| format!("`{}` is not an index", shown(text)));
    match columns[..] {
        _ if columns.len() != wanted => Err(format!("{} columns, but the first line has {wanted}", columns.len())),
        [at, wnid, name] => Ok((Some(index(at)?), label(Some(wnid), name)?)),
        [at, name] if is_index(at) => Ok((Some(index(at)?), label(None, name)?)),
        [wnid, name] => Ok((None, label(Some(wnid), name)?)),
        _ => Err(format!("{} columns, but index, WordNet id and name are expected", columns.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let spoken = |label: Label| label.wnid.map_or(label.name.clone(), |wnid| format!("{wnid}={}", label.name));
        parse(text).unwrap().into_iter().map(spoken).collect()
    }

    #[test]
    fn files_are_read_as_what_they_are() {
        for text in [
            "cat\ndog\ncow\n",
            "\u{feff}cat\r\ndog\r\ncow\r\n",
            r#"["cat", "dog", "cow"]"#,
            "[\n \"cat\",\n \"dog\",\n \"cow\"\n]",
            r#"{"0": "cat", "2": "cow", "1": "dog"}"#,
            r#"{"cat": 0, "dog": 1, "cow": 2}"#,
            r#"{"model_type": "resnet", "id2label": {"0": "cat", "1": "dog", "2": "cow"}}"#,
            r#"{"label2id": {"dog": 1, "cat": 0, "cow": 2}}"#,
            "0 cat\n1 dog\n2 cow",
            "0: cat\n1: dog\n2: cow",
            "0,cat\n2,cow\n1,dog",
            "1\tdog\n0\tcat\n2\tcow",
            "cow,2\ncat,0\ndog,1",
            "cow 2\ncat 0\ndog 1",
            "{0: 'cat',\n1: \"dog\",\n 2: 'cow'}",
        ] {
            assert_eq!(names(text), ["cat", "dog", "cow"], "{text}");
        }
        for text in [
            "n01,cat\nn02,dog",
            "n01 cat\nn02 dog",
            "n01\tcat\nn02\tdog",
            "0\tn01\tcat\n1\tn02\tdog",
            "0 n01 cat\n1 n02 dog",
            r#"{"0": ["n01", "cat"], "1": ["n02", "dog"]}"#,
        ] {
            assert_eq!(names(text), ["n01=cat", "n02=dog"], "{text}");
        }
        // Names that only look like something else.
        assert_eq!(names("3 of hearts\nace, of spades"), ["3 of hearts", "ace, of spades"]);
        assert_eq!(names("[unknown]\ncat"), ["[unknown]", "cat"]);
        assert_eq!(names("great white shark, white shark\ncat"), ["great white shark, white shark", "cat"]);
        assert_eq!(names("8"), ["8"]);
        assert_eq!(names("2 wheels\n0 wheels\n1 wheel"), ["2 wheels", "0 wheels", "1 wheel"]);
        assert_eq!(names("route 66\nroute 1"), ["route 66", "route 1"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, expected) in [
            ("1,cat\n2,dog", "its indices go from 1 to 2, and those of outputs begin with 0"),
            ("0,cat\n5,dog", "`5` is not an index below the number of labels, 2"),
            ("0,cat\n0,dog", "index 0 occurs twice"),
            (r#"{"cat": 0, "dog": 0}"#, "index 0 occurs twice"),
            (r#"{"cat": "dog"}"#, "its entry `cat` is neither a name by an index nor an index by a name"),
            (r#"["cat", 3]"#, "its entry 1 is no name"),
            (r#"["cat", ""]"#, "entry 1: the name is empty"),
            (r#"{"cat": 0,"#, "begins like JSON but is none"),
            ("{0: cat}", "begins like JSON but is none"),
            ("[]", "has no labels"),
            ("cat\n\ndog", "line 2: the name is empty"),
            ("0\t1\t2\t3", "line 1: 4 columns"),
            ("0\tn1\tcat\nn2\tdog", "line 2: 2 columns, but the first line has 3"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.starts_with(expected), "{expected}: {message}");
        }
    }
}
