//! Which packages the code of a project imports.

use std::collections::BTreeSet;
use std::path::PathBuf;

use bartizan_supply::imports::imported_by;

/// Python files whose imports are read, and bytes of each.
const MOST_PYTHON_FILES: usize = 20_000;
const LARGEST_PYTHON_FILE: u64 = 2 << 20;

/// The canonical names of packages that Python code and notebooks below some paths import; `None`
/// where there is no such code, or more than is read. Links, hidden folders and installed packages
/// are passed over.
pub fn imported(paths: &[PathBuf]) -> Option<BTreeSet<String>> {
    let mut packages = BTreeSet::new();
    let mut waiting: Vec<PathBuf> = paths.to_vec();
    let mut files = 0;
    while let Some(path) = waiting.pop() {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            let own = entries.filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                !name.starts_with('.') && !matches!(name.as_ref(), "site-packages" | "node_modules" | "target")
            });
            waiting.extend(own.map(|entry| entry.path()));
        } else if metadata.is_file() && path.extension().is_some_and(|kind| kind == "py" || kind == "ipynb") {
            files += 1;
            if files > MOST_PYTHON_FILES || metadata.len() > LARGEST_PYTHON_FILE {
                return None;
            }
            let text = std::fs::read(&path).ok()?;
            imported_by(&String::from_utf8_lossy(&text), &mut packages);
        }
    }
    (files > 0).then_some(packages)
}
