//! One class of a network.

/// One class.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// The WordNet id, such as `n01440764`.
    pub wnid: Option<String>,
    /// The name, such as `tench`. Other classes may have the same name.
    pub name: String,
}

/// Says why a class cannot have this name.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.trim().is_empty() {
        return Err("is empty");
    }
    // Control characters would reach the terminal.
    if name.chars().any(char::is_control) {
        return Err("has control characters");
    }
    Ok(())
}
