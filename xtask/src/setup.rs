//! What the tests need beside cargo: installed where that is possible without asking, named where not.

use std::process::Command;

use crate::workspace::{has, root, run};

/// A browser and the packages that drive it. `Err` says in one line what is missing.
pub(crate) fn console_tests() -> Result<(), String> {
    if !has("node") || !has("npm") {
        return Err("console tests need node and npm (Debian: apt-get install nodejs npm)".to_owned());
    }
    if !has("chromium") && !apt_install(&["chromium"]) {
        return Err("console tests need chromium (Debian: apt-get install chromium)".to_owned());
    }
    let folder = root().join("tests/console");
    if !folder.join("node_modules").exists() {
        let prefix = folder.display().to_string();
        run("npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", &prefix])
            .map_err(|error| format!("console tests need npm packages: {error}"))?;
    }
    Ok(())
}

/// Installs Debian packages when we may.
fn apt_install(packages: &[&str]) -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !is_root || !has("apt-get") {
        return false;
    }
    let _ = run("apt-get", &["update", "-qq"]);
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(packages);
    run("apt-get", &arguments).is_ok()
}
