//! Keeping credentials out of what is shown of a command line.

/// Whether a header, flag, variable or parameter is called as those that hold credentials.
pub(super) fn names_a_credential(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let endings =
        ["authorization", "apikey", "token", "accesskey", "secret", "secretkey", "password", "apitoken", "cookie"];
    endings.iter().any(|ending| name.ends_with(ending))
}

/// The words of a text, without the values of what is called like a credential and without passwords in addresses.
pub(super) fn redacted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut before = "";
    for word in text.split(' ') {
        if !shown.is_empty() {
            shown.push(' ');
        }
        let bare = word.trim_matches(|c: char| matches!(c, '"' | '\'' | '`'));
        let name = before.trim_matches(|c: char| matches!(c, '"' | '\'' | '`'));
        let is_scheme = ["bearer", "basic"].iter().any(|scheme| name.to_ascii_lowercase().ends_with(scheme));
        let is_named = (name.starts_with("--") || name.ends_with(':')) && names_a_credential(name);
        let is_next_scheme = ["bearer", "basic", "token"].contains(&bare.to_ascii_lowercase().as_str());
        let is_value = is_scheme || (is_named && !is_next_scheme);
        match word.split_once(['=', ':']) {
            _ if is_value && !bare.is_empty() && !bare.contains('$') => shown.push('…'),
            Some((name, value)) if names_a_credential(name) && !value.is_empty() && !value.contains('$') => {
                shown.push_str(name);
                shown.push_str("=…");
            }
            _ => shown.push_str(&without_password(word)),
        }
        before = word;
    }
    shown
}

/// An address without user, password and parameters that hold credentials.
fn without_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let (authority, path) =
        rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len())).unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let has_credential =
        path.split(['?', '&']).filter_map(|part| part.split_once('=')).any(|(name, _)| names_a_credential(name));
    let path = if has_credential { path.split('?').next().unwrap_or_default() } else { path };
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn a_command_is_shown_without_its_credentials() {
        for text in [
            "curl -H \"Authorization: Bearer open5esame\" https://example.org",
            "curl https://open5esame@example.org/x",
            "server --api-key open5esame --token=open5esame",
            "API_TOKEN=open5esame server https://example.org/?token=open5esame",
            "--header X-Api-Key:open5esame Authorization:Bearer open5esame",
        ] {
            let shown = redacted(text);
            assert!(!shown.contains("open5esame"), "{shown}");
        }
        let ordinary = "sh -c curl -fsSL https://example.org/start.sh?v=1 | sh --token ${TOKEN}";
        assert_eq!(redacted(ordinary), ordinary);
    }
}
