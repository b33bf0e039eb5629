//! "Did you mean ...?": names similar to one that was not found.

/// The most names that a message suggests.
const AT_MOST: usize = 4;
/// Longer names are not compared, because the cost is the product of both lengths.
const LONGEST: usize = 120;
/// The least similarity of a suggestion: 1 is equal, 0 has no letter in common.
const SIMILAR: f64 = 0.55;

/// The candidates that resemble `query`, best first: those that contain it, then those a few typing errors away.
pub(crate) fn near_misses<'a, T>(query: &str, candidates: impl Iterator<Item = (&'a str, T)>) -> Vec<(&'a str, T)> {
    let query = query.to_lowercase();
    if query.is_empty() || query.len() > LONGEST {
        return Vec::new();
    }
    let mut scored: Vec<_> = candidates
        .filter(|(name, _)| name.len() <= LONGEST)
        .filter_map(|(name, value)| {
            let lower = name.to_lowercase();
            let alike = strsim::normalized_damerau_levenshtein(&query, &lower);
            let score = if lower.contains(&query) { 1.0 + alike } else { alike };
            (score >= SIMILAR).then_some((score, name, value))
        })
        .collect();
    // A stable sort: equally good names keep their order.
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(AT_MOST).map(|(_, name, value)| (name, value)).collect()
}

/// Makes text from outside safe for a message: escapes control characters, and cuts at 80 characters.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST_SHOWN: usize = 80;
    let mut shown = String::new();
    for c in text.chars().take(LONGEST_SHOWN) {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    if text.chars().nth(LONGEST_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Names for a message: the first six in backquotes, and how many more there are.
pub(crate) fn listed(names: &[impl AsRef<str>]) -> String {
    const AT_MOST: usize = 6;
    let first: Vec<String> = names.iter().take(AT_MOST).map(|name| format!("`{}`", shown(name.as_ref()))).collect();
    let more = if names.len() > AT_MOST { format!(" and {} more", names.len() - AT_MOST) } else { String::new() };
    first.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containing_names_come_before_similar_ones() {
        let names = ["tabby", "tiger cat", "tiger", "tench"];
        let found = near_misses("tigr", names.into_iter().zip(0..));
        assert_eq!(found, [("tiger", 2)]);
        let found = near_misses("Tiger", names.into_iter().zip(0..));
        assert_eq!(found, [("tiger", 2), ("tiger cat", 1)]);
        assert!(near_misses(&"x".repeat(1_000_000), names.into_iter().zip(0..)).is_empty());
    }

    #[test]
    fn shown_text_is_short_and_on_one_line() {
        assert_eq!(shown("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(shown(&"é".repeat(1000)).chars().count(), 81);
    }
}
