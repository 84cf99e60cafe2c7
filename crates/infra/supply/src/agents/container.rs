//! `docker run` and its relatives: what the container may reach, and which image it is.

use super::launch::is_everything;

/// A container as a command line asks for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Container<'a> {
    /// Arguments that hand the host over.
    pub(super) opened: Vec<String>,
    /// The image.
    pub(super) image: Option<&'a str>,
}

/// Flags without a value; all others take the next word as theirs.
const SWITCHES: &[&str] = &[
    "--rm",
    "--init",
    "--privileged",
    "--read-only",
    "--interactive",
    "--tty",
    "--detach",
    "--no-healthcheck",
    "--oom-kill-disable",
    "--publish-all",
    "--quiet",
    "--sig-proxy",
    "--disable-content-trust",
    "--replace",
    "--tls-verify",
];

impl<'a> Container<'a> {
    /// Reads the arguments of a container engine; `None` of any other command.
    pub(super) fn read(program: &str, arguments: &[&'a str]) -> Option<Self> {
        if !matches!(program, "docker" | "podman" | "nerdctl") {
            return None;
        }
        let start = arguments.iter().position(|word| matches!(*word, "run" | "create"))? + 1;
        let mut container = Self::default();
        let mut words = arguments.get(start..)?.iter().copied();
        while let Some(word) = words.next() {
            if !word.starts_with('-') {
                container.image = Some(word);
                break;
            }
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag, value),
                _ if word.starts_with("--") => {
                    (word, if SWITCHES.contains(&word) { "" } else { words.next().unwrap_or_default() })
                }
                _ => short(word, &mut words),
            };
            if opens_the_host(flag, value) {
                container.opened.push(format!("{flag} {value}").trim_end().to_owned());
            }
        }
        Some(container)
    }
}

/// `-it`, `-v /a:/b`, `-v/a:/b`.
fn short<'a>(word: &'a str, words: &mut impl Iterator<Item = &'a str>) -> (&'a str, &'a str) {
    let letters = word.trim_start_matches('-');
    let switches = letters.find(|c: char| !matches!(c, 'i' | 't' | 'd' | 'P' | 'q'));
    match switches {
        None => (word, ""),
        // The first letter that is no switch takes what follows it, or the next word.
        Some(at) => {
            let end = word.len() - letters.len() + at + 1;
            let (flag, value) = word.split_at_checked(end).unwrap_or((word, ""));
            (flag, if value.is_empty() { words.next().unwrap_or_default() } else { value })
        }
    }
}

fn opens_the_host(flag: &str, value: &str) -> bool {
    match flag {
        "--privileged" => value != "false",
        "--network" | "--net" | "--pid" | "--ipc" | "--uts" | "--userns" => value == "host",
        "--cap-add" => matches!(
            value.to_ascii_uppercase().trim_start_matches("CAP_"),
            "ALL" | "SYS_ADMIN" | "SYS_PTRACE" | "SYS_MODULE"
        ),
        "--security-opt" => value.ends_with("unconfined") || value == "label=disable" || value == "label:disable",
        "--device" => value.starts_with("/dev/mem") || value.starts_with("/dev/sd") || value.starts_with("/dev/nvme"),
        "--volume" => is_host(mounted(value)),
        "--mount" => value
            .split(',')
            .filter_map(|part| part.split_once('='))
            .any(|(key, value)| matches!(key, "source" | "src") && is_host(value)),
        _ if flag.ends_with('v') => is_host(mounted(value)),
        _ => false,
    }
}

/// What stands before the container's path; a drive letter is part of it.
fn mounted(value: &str) -> &str {
    let has_drive = value.starts_with(|c: char| c.is_ascii_alphabetic());
    let from = if has_drive && value.get(1..3).is_some_and(|start| matches!(start, ":\\" | ":/")) { 2 } else { 0 };
    let end = value.get(from..).and_then(|rest| rest.find(':')).map_or(0, |at| from + at);
    value.get(..end).unwrap_or_default()
}

fn is_host(path: &str) -> bool {
    is_everything(path)
        || ["docker.sock", "podman.sock", "containerd.sock", "docker_engine"]
            .iter()
            .any(|socket| path.ends_with(socket))
}

/// Whether an image is named by digest, or by a tag other than `latest`.
pub(super) fn is_pinned(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    image.contains("@sha256:")
        || name.split_once(':').is_some_and(|(_, tag)| !matches!(tag, "latest" | "main" | "edge" | ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &'static str) -> Container<'static> {
        let words: Vec<&str> = line.split(' ').collect();
        Container::read("docker", &words).unwrap()
    }

    #[test]
    fn what_hands_over_the_host_is_told_from_what_does_not() {
        for line in [
            "run --privileged x",
            "run --network host x",
            "run --net=host x",
            "run -v /:/host x",
            "run -itv /:/host x",
            "run -v/var/run/docker.sock:/s x",
            "run --mount type=bind,src=/,dst=/host x",
            "run --volume=$HOME:/home x",
            "container run --cap-add=SYS_ADMIN x",
        ] {
            let container = read(line);
            assert_eq!((container.opened.len(), container.image), (1, Some("x")), "{line}: {container:?}");
        }
        let ordinary = read(
            "run -i --rm -e TOKEN -eA=b --network none -v ./data:/data:ro --name n example/image:1.2 --privileged",
        );
        assert_eq!(ordinary, Container { opened: Vec::new(), image: Some("example/image:1.2") });
    }

    #[test]
    fn images_are_pinned_by_tag_or_digest() {
        assert!(is_pinned("a:1") && is_pinned("registry:5000/a@sha256:00") && is_pinned("registry:5000/a:v2"));
        assert!(!is_pinned("a") && !is_pinned("a:latest") && !is_pinned("registry:5000/a"));
    }
}
