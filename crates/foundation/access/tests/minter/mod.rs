//! An identity provider for tests: makes keys, publishes them, and signs tokens - good ones, and every
//! kind of bad one that a verifier has been known to accept.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test file uses a part; a failed set-up is a failed test"
)]

use std::sync::{Arc, OnceLock};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaSignatureEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// Every algorithm that an issuer can be pinned to.
pub const ALGORITHMS: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

pub const ISSUER: &str = "https://issuer.example/realms/main";
pub const AUDIENCE: &str = "api://models";

/// A key of the provider.
#[derive(Clone)]
pub struct Key {
    pub id: String,
    pub algorithm: &'static str,
    signer: Signer,
}

#[derive(Clone)]
enum Signer {
    Rsa(Arc<RsaKeyPair>, &'static RsaSignatureEncoding),
    Ec(Arc<EcdsaKeyPair>, &'static str),
    Ed25519(Arc<Ed25519KeyPair>),
}

impl Key {
    /// A new key. RSA keys take long to make, so there are two of them, told apart by `second`.
    pub fn new(id: &str, algorithm: &'static str) -> Self {
        Self::of(id, algorithm, false)
    }

    /// A key of nobody whom the verifier trusts.
    pub fn attackers(id: &str, algorithm: &'static str) -> Self {
        Self::of(id, algorithm, true)
    }

    fn of(id: &str, algorithm: &'static str, second: bool) -> Self {
        let rsa = |encoding| Signer::Rsa(rsa(second), encoding);
        let signer = match algorithm {
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "RS384" => rsa(&RSA_PKCS1_SHA384),
            "RS512" => rsa(&RSA_PKCS1_SHA512),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "PS384" => rsa(&RSA_PSS_SHA384),
            "PS512" => rsa(&RSA_PSS_SHA512),
            "ES256" => Signer::Ec(Arc::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()), "P-256"),
            "ES384" => Signer::Ec(Arc::new(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()), "P-384"),
            "EdDSA" => Signer::Ed25519(Arc::new(Ed25519KeyPair::generate().unwrap())),
            other => panic!("{other}"),
        };
        Self { id: id.to_owned(), algorithm, signer }
    }

    /// The same key under another name.
    pub fn called(&self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self.clone() }
    }

    /// As it stands in a JWK set.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.signer {
            Signer::Rsa(..) => json!({ "kty": "RSA", "n": encode(&self.modulus()), "e": "AQAB" }),
            Signer::Ec(pair, curve) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at((point.len() - 1) / 2);
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Signer::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
        };
        jwk["kid"] = json!(self.id);
        jwk["alg"] = json!(self.algorithm);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The modulus of an RSA key of 2048 bits: `RSAPublicKey` (RFC 8017, appendix A.1.1) is two DER
    /// headers, 256 bytes of modulus after a zero, and the exponent 65537.
    pub fn modulus(&self) -> Vec<u8> {
        let der = self.public_der();
        assert_eq!(der.len(), 270);
        der[9..265].to_vec()
    }

    fn public_der(&self) -> Vec<u8> {
        match &self.signer {
            Signer::Rsa(pair, _) => pair.public_key().as_ref().to_vec(),
            Signer::Ec(pair, _) => pair.public_key().as_ref().to_vec(),
            Signer::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.signer {
            Signer::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Signer::Ec(pair, _) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Signer::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    pub fn header(&self) -> Value {
        json!({ "alg": self.algorithm, "typ": "at+jwt", "kid": self.id })
    }

    /// A token of these claims.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&self.header().to_string(), &claims.to_string())
    }

    /// A token of any two texts, signed well.
    pub fn token_with(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        format!("{signed}.{}", encode(&self.sign(signed.as_bytes())))
    }
}

/// Two RSA keys for all tests of a binary.
fn rsa(second: bool) -> Arc<RsaKeyPair> {
    static PAIRS: [OnceLock<Arc<RsaKeyPair>>; 2] = [const { OnceLock::new() }; 2];
    PAIRS[usize::from(second)].get_or_init(|| Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())).clone()
}

/// A JWK set.
pub fn key_set(keys: &[&Key]) -> String {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }).to_string()
}

/// Claims that nothing is wrong with, at `now` in seconds.
pub fn claims(now: i64) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice@example.org", "groups": ["ml-users", "unknown"],
        "iat": now - 10, "nbf": now - 10, "exp": now + 300, "jti": "token-1",
    })
}

/// `claims` with one claim changed; taken out when `value` is null.
pub fn with(mut claims: Value, name: &str, value: Value) -> Value {
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token that must not be accepted.
pub struct Hostile {
    pub name: &'static str,
    pub token: String,
    /// The word that ledger and metrics must give for it.
    pub reason: &'static str,
}

/// The negative matrix for an issuer that is pinned to RS256 and publishes `key` (RS256), and, of
/// keys that must not be used: `ec` (an EC key), one of another issuer, one that is too weak.
/// `other` is the key of another issuer that is trusted too.
pub fn hostile(key: &Key, ec: &Key, other: &Key, now: i64) -> Vec<Hostile> {
    assert_eq!(key.algorithm, "RS256");
    let attacker = Key::attackers("attacker", "RS256");
    let good = claims(now);
    let header = key.header();
    let mut all = Vec::new();
    let mut add = |name, token, reason| all.push(Hostile { name, token, reason });
    let head = |name: &str, value: Value| with(header.clone(), name, value).to_string();

    // Algorithms (RFC 8725, sections 2.1 and 3.1).
    for (name, none) in
        [("alg none", "none"), ("alg None", "None"), ("alg NONE", "NONE"), ("alg nOnE", "nOnE"), ("alg empty", "")]
    {
        let parts = format!("{}.{}", encode(head("alg", json!(none)).as_bytes()), encode(good.to_string().as_bytes()));
        add(name, format!("{parts}."), "token-algorithm");
        add(name, format!("{parts}.{}", encode(&key.sign(parts.as_bytes()))), "token-algorithm");
    }
    let pem = {
        // SubjectPublicKeyInfo of an RSA key of 2048 bits: a constant head before `RSAPublicKey`.
        let head = [
            0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0, 3, 0x82, 1,
            0x0f, 0,
        ];
        let spki = [&head[..], &key.public_der()].concat();
        let lines: Vec<String> = STANDARD
            .encode(&spki)
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8(line.to_vec()).unwrap())
            .collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
        vec![pem.clone().into_bytes(), pem.trim_end().as_bytes().to_vec(), spki]
    };
    let secrets = [
        pem,
        vec![key.public_der(), key.modulus(), encode(&key.modulus()).into_bytes(), key.jwk().to_string().into_bytes()],
        vec![Vec::new()],
    ];
    for secret in secrets.concat() {
        for (algorithm, hash) in
            [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
        {
            let head = head("alg", json!(algorithm));
            let signed = format!("{}.{}", encode(head.as_bytes()), encode(good.to_string().as_bytes()));
            let tag = hmac::sign(&hmac::Key::new(hash, &secret), signed.as_bytes());
            add("HMAC under the public key", format!("{signed}.{}", encode(tag.as_ref())), "token-algorithm");
            // The same tag under a header that names the pinned algorithm.
            let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(good.to_string().as_bytes()));
            let tag = hmac::sign(&hmac::Key::new(hash, &secret), signed.as_bytes());
            add("HMAC tag as RS256", format!("{signed}.{}", encode(tag.as_ref())), "token-signature");
        }
    }
    for algorithm in ["RS384", "RS512", "PS256", "ES256", "EdDSA", "rs256", "RS256 "] {
        add("another algorithm", key.token_with(&head("alg", json!(algorithm)), &good.to_string()), "token-algorithm");
    }
    add(
        "the right key with another padding",
        {
            let pss = Key { algorithm: "RS256", ..Key::new(&key.id, "PS256") };
            pss.token(&good)
        },
        "token-signature",
    );
    add("no algorithm", key.token_with(&head("alg", Value::Null), &good.to_string()), "token-algorithm");
    add("algorithm is a list", key.token_with(&head("alg", json!(["RS256"])), &good.to_string()), "token-algorithm");
    add("an EC key of the issuer", ec.token(&good), "token-algorithm");
    let disguised = Key { algorithm: "RS256", ..ec.clone() };
    add("an EC key of the issuer as RS256", disguised.token(&good), "token-key-unknown");

    // Keys (RFC 8725, section 3.10; RFC 7515, sections 4.1.2 to 4.1.6).
    let long = "k".repeat(2000);
    for (name, id, reason) in [
        ("kid is a path", "../../../../dev/null", "token-key-unknown"),
        ("kid is a URL", "https://attacker.example/key", "token-key-unknown"),
        ("kid is SQL", "x' UNION SELECT 'secret' -- ", "token-key-unknown"),
        ("kid is a command", "k1|sleep 10", "token-key-unknown"),
        ("kid in another case", "K1", "token-key-unknown"),
        ("kid with a NUL", "k1\0", "token-key-unknown"),
        ("kid looks like ours", "k\u{ff11}", "token-key-unknown"),
        ("kid of an encryption key", "encryption", "token-key-unknown"),
        ("kid of a weak key", "weak", "token-key-unknown"),
        ("kid of a published private key", "private", "token-key-unknown"),
        ("kid that two keys have", "twice", "token-key-unknown"),
        ("kid is long", long.as_str(), "token-key-unnamed"),
        ("kid is empty", "", "token-key-unnamed"),
    ] {
        add(name, key.token_with(&head("kid", json!(id)), &good.to_string()), reason);
        add(name, attacker.token_with(&head("kid", json!(id)), &good.to_string()), reason);
    }
    add("no kid", key.token_with(&head("kid", Value::Null), &good.to_string()), "token-key-unnamed");
    add("kid is a number", key.token_with(&head("kid", json!(1)), &good.to_string()), "token-key-unnamed");
    add(
        "kid twice",
        key.token_with(&format!(r#"{{"alg":"RS256","kid":"{0}","kid":"{0}"}}"#, key.id), &good.to_string()),
        "token-malformed",
    );
    add(
        "alg twice",
        key.token_with(&format!(r#"{{"alg":"none","alg":"RS256","kid":"{}"}}"#, key.id), &good.to_string()),
        "token-malformed",
    );
    for (name, field, value) in [
        ("jwk in the header", "jwk", attacker.jwk()),
        ("jku in the header", "jku", json!("https://attacker.example/keys")),
        ("x5u in the header", "x5u", json!("https://attacker.example/chain")),
        ("x5c in the header", "x5c", json!(["MIIB"])),
        ("crit", "crit", json!(["exp"])),
        ("crit empty", "crit", json!([])),
        ("b64", "b64", json!(false)),
        ("zip", "zip", json!("DEF")),
        ("a nested token", "cty", json!("JWT")),
    ] {
        for signer in [&attacker, key] {
            add(name, signer.token_with(&head(field, value.clone()), &good.to_string()), "token-header");
        }
    }
    add(
        "signed by the attacker under our kid",
        attacker.token_with(&header.to_string(), &good.to_string()),
        "token-signature",
    );
    add("signed by another issuer we trust", other.token(&good), "token-key-unknown");
    add(
        "another issuer's key under our kid",
        {
            let lent = Key { id: key.id.clone(), ..other.clone() };
            lent.token(&good)
        },
        "token-signature",
    );
    for kind in ["JWE", "dpop+jwt", "secevent+jwt", "logout+jwt", "id_token", ""] {
        add("another type", key.token_with(&head("typ", json!(kind)), &good.to_string()), "token-type");
    }
    add("type is a number", key.token_with(&head("typ", json!(1)), &good.to_string()), "token-type");

    // Signatures and form.
    let token = key.token(&good);
    let parts: Vec<&str> = token.split('.').collect();
    let stripped = format!("{}.{}.", parts[0], parts[1]);
    add("signature stripped", stripped.clone(), "token-signature");
    add("signature and its dot stripped", stripped.trim_end_matches('.').to_owned(), "token-malformed");
    let another = key.token(&with(good.clone(), "sub", json!("mallory")));
    let foreign = another.rsplit('.').next().unwrap().to_owned();
    add("signature of another token", format!("{}.{}.{foreign}", parts[0], parts[1]), "token-signature");
    add(
        "claims of another token",
        {
            let claims = encode(with(good.clone(), "sub", json!("root")).to_string().as_bytes());
            format!("{}.{claims}.{}", parts[0], parts[2])
        },
        "token-signature",
    );
    add(
        "signature truncated",
        format!("{}.{}.{}", parts[0], parts[1], encode(&URL_SAFE_NO_PAD.decode(parts[2]).unwrap()[..252])),
        "token-signature",
    );
    add("signature of zeros", format!("{}.{}.{}", parts[0], parts[1], encode(&[0; 256])), "token-signature");
    add(
        "signature lengthened",
        {
            let longer = [&[0][..], &key.sign(format!("{}.{}", parts[0], parts[1]).as_bytes())].concat();
            format!("{}.{}.{}", parts[0], parts[1], encode(&longer))
        },
        "token-signature",
    );
    let padded = |text: &str| URL_SAFE.encode(URL_SAFE_NO_PAD.decode(text).unwrap());
    add("padded signature", format!("{}.{}.{}", parts[0], parts[1], padded(parts[2])), "token-malformed");
    add("padding too much", format!("{token}="), "token-malformed");
    add(
        "trailing bits that stand for nothing",
        {
            let mut text = parts[2].to_owned();
            // 256 bytes leave two bits of the last character but one unused.
            let last = text.pop().unwrap();
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let index = alphabet.find(last).unwrap();
            text.push(alphabet.chars().nth(index | 1).unwrap());
            assert_ne!(text, parts[2]);
            format!("{}.{}.{text}", parts[0], parts[1])
        },
        "token-malformed",
    );
    let standard: String = parts[2]
        .chars()
        .map(|c| {
            if c == '-' {
                '+'
            } else if c == '_' {
                '/'
            } else {
                c
            }
        })
        .collect();
    if standard != parts[2] {
        add("the other alphabet", format!("{}.{}.{standard}", parts[0], parts[1]), "token-malformed");
    }
    add("five parts", format!("{token}.{}.{}", parts[0], parts[1]), "token-malformed");
    add("four parts", format!("{token}.{}", parts[2]), "token-malformed");
    add("only dots", "..".to_owned(), "token-malformed");
    add("empty header", format!(".{}.{}", parts[1], parts[2]), "token-malformed");
    add("empty claims", format!("{}..{}", parts[0], parts[2]), "token-malformed");
    add("a token in a token", key.token_with(&header.to_string(), &token), "token-malformed");
    add("claims are a list", key.token_with(&header.to_string(), "[]"), "token-malformed");
    add(
        "claims with something after them",
        key.token_with(&header.to_string(), &format!("{good}{good}")),
        "token-malformed",
    );
    add("huge", key.token(&with(good.clone(), "more", json!("x".repeat(8000)))), "token-too-large");
    add(
        "nested deeply",
        key.token_with(
            &header.to_string(),
            &format!(r#"{{"iss":"{ISSUER}","x":{}1{}}}"#, "[".repeat(200), "]".repeat(200)),
        ),
        "token-malformed",
    );

    // Claims (RFC 7519, section 4.1; RFC 8725, sections 3.8, 3.9 and 3.11).
    let text = good.to_string();
    let twice = |claim: &str| text.replacen('{', &format!("{{{claim},"), 1);
    add("sub twice", key.token_with(&header.to_string(), &twice(r#""sub":"root""#)), "token-malformed");
    add("exp twice", key.token_with(&header.to_string(), &twice(r#""exp":1"#)), "token-malformed");
    add("aud twice, once escaped", key.token_with(&header.to_string(), &twice(r#""\u0061ud":"x""#)), "token-malformed");
    for (name, claim, value, reason) in [
        ("expired", "exp", json!(now - 31), "token-expired"),
        ("expired long ago", "exp", json!(1), "token-expired"),
        ("no exp", "exp", Value::Null, "token-no-expiry"),
        ("exp is text", "exp", json!((now + 300).to_string()), "token-malformed"),
        ("exp is true", "exp", json!(true), "token-malformed"),
        ("exp is negative", "exp", json!(-1), "token-malformed"),
        ("exp is beyond all years", "exp", json!(1e300), "token-malformed"),
        ("exp is beyond 64 bits", "exp", json!(u64::MAX), "token-malformed"),
        ("not valid yet", "nbf", json!(now + 60), "token-not-yet-valid"),
        ("nbf is text", "nbf", json!("0"), "token-malformed"),
        ("issued in the future", "iat", json!(now + 60), "token-not-yet-valid"),
        ("another audience", "aud", json!("api://other"), "token-audience"),
        ("audience as a prefix", "aud", json!("api://models.evil"), "token-audience"),
        ("audience in another case", "aud", json!("API://models"), "token-audience"),
        ("several audiences, none ours", "aud", json!(["api://other", "account"]), "token-audience"),
        ("no audience in a list", "aud", json!([]), "token-audience"),
        ("audience nested", "aud", json!([[AUDIENCE]]), "token-audience"),
        ("audience with a number beside it", "aud", json!([AUDIENCE, 1]), "token-audience"),
        ("audience is an object", "aud", json!({ AUDIENCE: true }), "token-audience"),
        ("no audience", "aud", Value::Null, "token-audience"),
        ("another issuer", "iss", json!("https://attacker.example"), "token-issuer"),
        ("issuer with a slash after it", "iss", json!(format!("{ISSUER}/")), "token-issuer"),
        ("issuer in another case", "iss", json!(ISSUER.to_uppercase()), "token-issuer"),
        ("issuer with a space after it", "iss", json!(format!("{ISSUER} ")), "token-issuer"),
        ("issuer in a list", "iss", json!([ISSUER]), "token-issuer"),
        ("no issuer", "iss", Value::Null, "token-issuer"),
        ("no subject", "sub", Value::Null, "token-principal"),
        ("empty subject", "sub", json!(""), "token-principal"),
        ("subject is a number", "sub", json!(1), "token-principal"),
        ("subject is a list", "sub", json!(["root"]), "token-principal"),
        ("subject is long", "sub", json!("s".repeat(1025)), "token-principal"),
    ] {
        add(name, key.token(&with(good.clone(), claim, value)), reason);
    }
    all
}

/// The JWK set that [`hostile`] speaks of: one key that is good, and others that must be left out.
pub fn hostile_key_set(key: &Key, ec: &Key) -> String {
    let attacker = Key::attackers("attacker", "RS256").jwk();
    let named = |mut jwk: Value, id: &str, field: &str, value: Value| {
        jwk["kid"] = json!(id);
        jwk[field] = value;
        jwk
    };
    let mut weak = key.modulus()[..128].to_vec();
    weak[127] |= 1;
    json!({ "keys": [
        key.jwk(),
        ec.jwk(),
        named(attacker.clone(), "encryption", "use", json!("enc")),
        named(attacker.clone(), "weak", "n", json!(encode(&weak))),
        named(attacker.clone(), "private", "d", json!("AQAB")),
        named(attacker.clone(), "twice", "use", json!("sig")),
        named(key.jwk(), "twice", "use", json!("sig")),
        { "kty": "oct", "kid": "symmetric", "k": "c2VjcmV0" },
    ] })
    .to_string()
}
