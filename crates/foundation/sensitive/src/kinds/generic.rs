//! Values that nothing but their name, their place and their randomness gives away.

use crate::checksum;
use crate::kind::{Anchor, Family, Kind};

pub(super) const KINDS: &[Kind] = &[
    Kind::named(
        Family::Generic,
        "generic-api-key",
        "Value assigned to a name that says secret",
        &[
            "api_key",
            "apikey",
            "api-key",
            "access_key",
            "accesskey",
            "access-key",
            "secret",
            "token",
            "auth_key",
            "authkey",
            "private_key",
            "credential",
            "client_key",
            "encryption_key",
            "signing_key",
            "master_key",
            "account_key",
            "accountkey",
        ],
        r"[\w+/=.~!@%^&*-]{16,200}",
    )
    .anchored(Anchor::Literal)
    .entropy(3.0)
    .check(checksum::spread)
    .examples(
        &[r#"api_key = "{a:32}""#, "CLIENT_SECRET={a:40}", "secret_key: {a:32}", "token = '{h:40}'"],
        &[
            r#"api_key = os.environ["API_KEY"]"#,
            r#"api_key = get_secret("name")"#,
            r#"token = "the-quick-brown-fox-jumps""#,
            r#"secret = "${SECRET_FROM_VAULT}""#,
            "token = tokenizer.next_token_value2",
            r#"token_sha256 = "{h:64}""#,
            r#"public_api_key = "{a:32}""#,
            "secret: {{ vault_secret }}",
            r#"token: "{h:8}-{h:4}-{h:4}-{h:4}-{h:12}""#,
        ],
    ),
    Kind::named(
        Family::Generic,
        "generic-password",
        "Password in plain text",
        &["password", "passwd", "passphrase", "pwd"],
        r#"[^\s"\x27`<>{}$]{8,128}"#,
    )
    .anchored(Anchor::Literal)
    .entropy(2.9)
    .check(checksum::password)
    .examples(
        &[r#"password = "{L:6}{d:4}{L:4}""#, "DB_PASSWORD={L:8}{d:2}{L:6}"],
        &[
            "password = getpass.getpass()",
            "password: str",
            r#"password = "password""#,
            r#"password = "<your password>""#,
            r#"password_hash = "{h:64}""#,
            r#"password = "correct horse battery""#,
            "passwd: *******",
        ],
    ),
    Kind::token(
        Family::Generic,
        "http-bearer-token",
        "Bearer token in a header",
        &["Bearer "],
        r"(?i:bearer) (?P<s>[\w+/=.~-]{20,})",
    )
    .anchored(Anchor::Loose)
    .entropy(3.5)
    .reach(600)
    .check(checksum::mixed)
    .examples(
        &["Authorization: Bearer {a:40}"],
        &["Authorization: Bearer $TOKEN", "Authorization: Bearer your-token-goes-right-here"],
    ),
    Kind::token(
        Family::Generic,
        "http-basic-credentials",
        "Basic credentials in a header",
        &["Basic "],
        "(?i:basic) (?P<s>[0-9A-Za-z+/]{12,}={0,2})",
    )
    .anchored(Anchor::Loose)
    .entropy(3.0)
    .reach(400)
    .check(checksum::basic_credentials)
    .examples(&["Authorization: Basic {basic}"], &["Basic understanding", "Authorization: Basic {x:20}"]),
];
