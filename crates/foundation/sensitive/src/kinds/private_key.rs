//! Private keys, and tokens that prove who somebody is.

use crate::checksum;
use crate::kind::{Anchor, Family, Kind};

pub(super) const KINDS: &[Kind] = &[
    Kind::token(Family::PrivateKey, "private-key", "Private key (PEM)", &["-----BEGIN "], r#"-----BEGIN (?:(?:RSA|DSA|EC|OPENSSH|SSH2 ENCRYPTED) )?PRIVATE KEY-----(?P<s>(?:(?:-?[0-9A-Za-z+/=\s\\:,."\x27])){64}(?:(?:-?[0-9A-Za-z+/=\s\\:,."\x27]))*)"#).anchored(Anchor::Loose).reach(16384).entropy(3.5).check(checksum::mixed).examples(&["-----BEGIN RSA PRIVATE KEY-----
{B:64}
{B:64}
{B:64}
-----END RSA PRIVATE KEY-----", r"-----BEGIN PRIVATE KEY-----\n{B:64}\n{B:64}\n-----END PRIVATE KEY-----", "-----BEGIN OPENSSH PRIVATE KEY-----
{B:70}
{B:70}
-----END"], &["-----BEGIN PUBLIC KEY-----
{B:64}
{B:64}", "-----BEGIN PRIVATE KEY-----
...
-----END PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----
{B:64}
{B:64}", "-----BEGIN RSA PRIVATE KEY-----
AAAA"]),
    Kind::token(Family::PrivateKey, "encrypted-private-key", "Encrypted private key (PEM)", &["-----BEGIN ENCRYPTED"], r#"-----BEGIN ENCRYPTED PRIVATE KEY-----(?P<s>(?:(?:-?[0-9A-Za-z+/=\s\\:,."\x27])){64}(?:(?:-?[0-9A-Za-z+/=\s\\:,."\x27]))*)"#).anchored(Anchor::Loose).reach(16384).entropy(3.5).check(checksum::mixed).examples(&["-----BEGIN ENCRYPTED PRIVATE KEY-----
{B:64}
{B:64}
-----END"], &["-----BEGIN ENCRYPTED PRIVATE KEY-----
-----END"]),
    Kind::token(Family::PrivateKey, "pgp-private-key", "PGP private key", &["-----BEGIN PGP"], r#"-----BEGIN PGP PRIVATE KEY BLOCK-----(?P<s>(?:(?:-?[0-9A-Za-z+/=\s\\:,."\x27])){64}(?:(?:-?[0-9A-Za-z+/=\s\\:,."\x27]))*)"#).anchored(Anchor::Loose).reach(16384).entropy(3.5).examples(&["-----BEGIN PGP PRIVATE KEY BLOCK-----

{B:64}
{B:64}
=abcd
-----END"], &["-----BEGIN PGP PUBLIC KEY BLOCK-----

{B:64}
{B:64}"]),
    Kind::token(Family::PrivateKey, "putty-private-key", "PuTTY private key", &["PuTTY-User-Key-File-"], r"PuTTY-User-Key-File-[23]: [\w@.-]{4,64}\s(?:[^\n]{0,200}\n){1,30}?Private-Lines: \d{1,3}\s{1,2}(?P<s>[0-9A-Za-z+/=]{16,}(?:\s{1,2}[0-9A-Za-z+/=]{16,}){0,60})").anchored(Anchor::Loose).reach(16384).entropy(3.5).examples(&["PuTTY-User-Key-File-3: ssh-ed25519
Encryption: none
Comment: me
Public-Lines: 2
{B:64}
{B:24}=
Private-Lines: 1
{B:44}
Private-MAC: {h:64}"], &["PuTTY-User-Key-File-3: ssh-ed25519
Encryption: none
"]),
    Kind::token(Family::PrivateKey, "wireguard-private-key", "WireGuard private key", &["PrivateKey = "], "PrivateKey = (?P<s>[0-9A-Za-z+/]{43}=)").anchored(Anchor::Loose).entropy(4.2).examples(&["[Interface]
PrivateKey = {B:43}="], &["PrivateKey = {B:20}="]),
    Kind::token(Family::PrivateKey, "kubernetes-client-key", "Private key in a kubeconfig", &["client-key-data"], r#"client-key-data: ?["\x27]?(?P<s>LS0tLS1CRUdJTi[0-9A-Za-z+/=]{100,})"#).anchored(Anchor::Loose).reach(12288).examples(&["    client-key-data: LS0tLS1CRUdJTi{B:300}="], &["client-key-data: REDACTED"]),
    Kind::token(Family::PrivateKey, "private-json-web-key", "Private JSON Web Key", &[r#""d""#], r#""d"\s?:\s?"(?P<s>[\w-]{43,})""#).anchored(Anchor::Loose).entropy(4.2).reach(1024).check(checksum::mixed).examples(&[r#"{"kty":"EC","crv":"P-256","d":"{a:43}"}"#], &[r#"{"d":"{a:20}"}"#]),
    Kind::token(Family::PrivateKey, "json-web-token", "JSON Web Token", &["eyJ"], r"eyJ[\w-]{14,}\.eyJ[\w-]{10,}\.[\w-]{20,}").anchored(Anchor::Dashed).reach(4096).check(checksum::json_web_token).examples(&["Authorization: Bearer {jwt}"], &["eyJ{a:30}.eyJ{a:30}.{a:43}", "eyJ{a:30}"]),
];
