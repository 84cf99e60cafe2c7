//! The playbooks that hold when the user brings none.

/// File names and texts of the default playbooks.
pub fn defaults() -> &'static [(&'static str, &'static str)] {
    PACK
}

macro_rules! pack {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../playbooks/", $name)))),+]
    };
}

const PACK: &[(&str, &str)] =
    pack!["extraction.json", "flood.json", "malformed.json", "membership.json", "probing.json", "stolen-key.json"];
