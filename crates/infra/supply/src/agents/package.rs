//! Programs that fetch a package and run it, and whether its version is fixed.

/// Whether the same bytes run tomorrow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pin {
    /// An exact version or commit, or a file of the repository.
    Fixed,
    /// Whatever is newest.
    Open,
    /// What is installed, or else whatever is newest.
    OpenUnlessInstalled,
}

/// The package that a command fetches; `None` for commands that fetch none.
pub(super) fn fetched<'a>(program: &str, arguments: &[&'a str]) -> Option<(&'a str, Pin)> {
    let (first, rest) = arguments.split_first()?;
    match (program, *first) {
        ("npm", "exec" | "x") | ("bun", "x") => node(rest),
        ("pnpm" | "yarn", "dlx") => node(rest).map(always),
        ("npx", _) => node(arguments),
        ("bunx" | "pnpx", _) => node(arguments).map(always),
        ("uvx", _) => python(arguments, "--from"),
        ("uv", "tool") if rest.first() == Some(&"run") => python(rest.get(1..)?, "--from"),
        ("pipx", "run") => python(rest, "--spec"),
        ("deno", "run" | "serve") => deno(rest),
        _ => None,
    }
}

fn always((name, pin): (&str, Pin)) -> (&str, Pin) {
    (name, if pin == Pin::OpenUnlessInstalled { Pin::Open } else { pin })
}

/// What a flag names, or the first word that is no flag.
fn named<'a>(arguments: &[&'a str], flags: &[&str], with_value: &[&str]) -> Option<&'a str> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if flags.contains(word) {
            return words.next().copied();
        }
        let equal = flags.iter().filter(|flag| flag.starts_with("--"));
        if let Some(value) = equal.clone().find_map(|flag| word.strip_prefix(flag)?.strip_prefix('=')) {
            return Some(value);
        }
        if with_value.contains(word) {
            words.next();
        } else if !word.starts_with('-') {
            return Some(word);
        }
    }
    None
}

fn node<'a>(arguments: &[&'a str]) -> Option<(&'a str, Pin)> {
    if arguments.contains(&"--no-install") || arguments.contains(&"--no") {
        return None;
    }
    let name = named(
        arguments,
        &["-p", "--package"],
        &["--registry", "--prefix", "--cache", "-c", "--call", "-w", "--workspace"],
    )?;
    let installs = arguments.iter().any(|word| matches!(*word, "-y" | "--yes" | "-yq" | "-qy"));
    let pin = match node_pin(name) {
        Pin::Open if !installs && !is_address(name) => Pin::OpenUnlessInstalled,
        pin => pin,
    };
    Some((name, pin))
}

/// `name@1.2.3`, `@scope/name@1.2.3`, `npm:name@1.2.3`, an address with a commit, or a path.
fn node_pin(name: &str) -> Pin {
    if is_path(name) {
        return Pin::Fixed;
    }
    if is_address(name) {
        return commit_pin(name.rsplit_once('#').map(|(_, revision)| revision));
    }
    let scoped = name.strip_prefix("npm:").or_else(|| name.strip_prefix("jsr:")).unwrap_or(name);
    let bare = scoped.strip_prefix('@').unwrap_or(scoped);
    match bare.split_once('@') {
        Some((_, version)) => version_pin(version),
        None => Pin::Open,
    }
}

fn python<'a>(arguments: &[&'a str], from: &str) -> Option<(&'a str, Pin)> {
    let with_value =
        ["--python", "-p", "--index", "--index-url", "--with", "--directory", "--env-file", "--extra-index-url", "-w"];
    let name = named(arguments, &[from], &with_value)?;
    let pin = if is_path(name) {
        Pin::Fixed
    } else if is_address(name) {
        let (_, revision) = name.rsplit_once('@').unwrap_or_default();
        commit_pin(Some(revision))
    } else {
        let version = name.split_once("==").or_else(|| name.split_once('@')).map(|(_, version)| version.trim());
        version.map_or(Pin::Open, version_pin)
    };
    Some((name, pin))
}

fn deno<'a>(arguments: &[&'a str]) -> Option<(&'a str, Pin)> {
    let name = named(arguments, &[], &["--config", "-c", "--import-map", "--lock"])?;
    if name.starts_with("npm:") || name.starts_with("jsr:") {
        return Some((name, node_pin(name)));
    }
    if !name.contains("://") || name.starts_with("file:") {
        return None;
    }
    let version = name.split_once("://").and_then(|(_, path)| path.rsplit_once('@')).map(|(_, version)| version);
    Some((name, version.map_or(Pin::Open, version_pin)))
}

/// An exact version; a reference that is filled in elsewhere is not judged here.
fn version_pin(version: &str) -> Pin {
    let version = version.strip_prefix('v').unwrap_or(version);
    let is_range = version.contains(['*', '^', '~', '>', '<', ' ', ',']) || version.split('.').any(|part| part == "x");
    let is_version = version.starts_with(|c: char| c.is_ascii_digit()) || version.starts_with(['$', '{']);
    if is_version && !is_range { Pin::Fixed } else { Pin::Open }
}

fn commit_pin(revision: Option<&str>) -> Pin {
    let is_commit =
        revision.is_some_and(|revision| revision.len() >= 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_commit { Pin::Fixed } else { Pin::Open }
}

fn is_path(name: &str) -> bool {
    name.starts_with(['.', '/', '~', '$', '%']) || name.starts_with("file:") || name.contains('\\')
}

fn is_address(name: &str) -> bool {
    let schemes = ["git+", "git:", "git@", "github:", "gitlab:", "bitbucket:", "http:", "https:", "ssh:"];
    schemes.iter().any(|scheme| name.starts_with(scheme))
        || name.contains("://")
        || name.contains("git+")
        || (!name.starts_with('@') && !name.contains(':') && name.split('/').count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_versions_are_told_from_whatever_is_newest() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let rows: &[(&str, Option<Pin>)] = &[
            ("npx -y server", Some(Pin::Open)),
            ("npx server", Some(Pin::OpenUnlessInstalled)),
            ("npx -y @scope/server", Some(Pin::Open)),
            ("npx -y @scope/server@latest", Some(Pin::Open)),
            ("npx -y @scope/server@^1.2", Some(Pin::Open)),
            ("npx -y @scope/server@1.2.3 .", Some(Pin::Fixed)),
            ("npx -y --package=server@1.0.0 run", Some(Pin::Fixed)),
            ("npx -p server run", Some(Pin::OpenUnlessInstalled)),
            ("npx --no-install server", None),
            ("npx tsx@4.1.0 src/server.ts", Some(Pin::Fixed)),
            ("npx ./server", Some(Pin::Fixed)),
            ("npx github:owner/server", Some(Pin::Open)),
            ("npx owner/server", Some(Pin::Open)),
            ("npm exec server@1.0.0", Some(Pin::Fixed)),
            ("pnpm dlx server", Some(Pin::Open)),
            ("bunx server", Some(Pin::Open)),
            ("bun run start", None),
            ("uvx mcp-server-git", Some(Pin::Open)),
            ("uvx mcp-server-git@0.6.2", Some(Pin::Fixed)),
            ("uvx --from mcp==1.2 mcp", Some(Pin::Fixed)),
            ("uvx --from git+https://example.org/a.git server", Some(Pin::Open)),
            ("uv tool run server==1.0", Some(Pin::Fixed)),
            ("uv run server.py", None),
            ("pipx run server", Some(Pin::Open)),
            ("deno run --allow-net https://example.org/server.ts", Some(Pin::Open)),
            ("deno run -A https://deno.land/x/server@1.0.0/mod.ts", Some(Pin::Fixed)),
            ("deno run server.ts", None),
            ("node server.js", None),
        ];
        for (line, expected) in rows {
            let words: Vec<&str> = line.split(' ').collect();
            let (program, arguments) = words.split_first().unwrap();
            assert_eq!(fetched(program, arguments).map(|(_, pin)| pin), *expected, "{line}");
        }
        let at_commit = format!("git+https://example.org/a.git@{commit}");
        assert_eq!(fetched("uvx", &["--from", &at_commit, "x"]).map(|(_, pin)| pin), Some(Pin::Fixed));
    }
}
