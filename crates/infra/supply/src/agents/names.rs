//! Files by the end of their path.

/// Whether a path in lower case ends with a file; one `*` stands for a part of the file's name.
pub(super) fn ends_with(path: &str, file: &str) -> bool {
    let (start, end) = file.split_once('*').unwrap_or((file, ""));
    let is_member = |path: &str| path.is_empty() || path.ends_with(['/', '!']);
    if !file.contains('*') {
        return path.strip_suffix(file).is_some_and(is_member);
    }
    let (folder, start) = start.rsplit_once('/').map_or(("", start), |(folder, start)| (folder, start));
    let (path, name) = path.rsplit_once(['/', '!']).unwrap_or(("", path));
    let is_named_so = name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end);
    is_named_so && (folder.is_empty() || path.strip_suffix(folder).is_some_and(is_member))
}

#[cfg(test)]
mod tests {
    use super::ends_with;

    #[test]
    fn files_are_named_by_the_end_of_their_path() {
        assert!(ends_with("a/.claude/settings.local.json", ".claude/settings*.json"));
        assert!(ends_with(".claude/settings.json", ".claude/settings*.json"));
        assert!(ends_with("a.zip!b/mcp.json", "mcp.json") && ends_with("x.code-workspace", "*.code-workspace"));
        assert!(!ends_with("a/my.claude/settings.json", ".claude/settings*.json"));
        assert!(!ends_with("dump.mcp.json.txt", "mcp.json") && !ends_with("settings.json", ".claude/settings*.json"));
    }
}
