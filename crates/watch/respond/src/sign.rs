//! Signatures over webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The headers of Standard Webhooks (<https://www.standardwebhooks.com>, 1.0.0): `webhook-id`, by
/// which a receiver tells a repetition; `webhook-timestamp`, by which it refuses what is old; and
/// `webhook-signature`, `v1,` and the base64 of HMAC-SHA-256 over `<id>.<timestamp>.<body>`.
pub fn sign(body: &[u8], secret: &[u8], id: &str, unix_seconds: i64) -> Vec<(&'static str, String)> {
    let mut signed = format!("{id}.{unix_seconds}.").into_bytes();
    signed.extend_from_slice(body);
    let tag = bartizan_signing::hmac_sha256(secret, &signed);
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", unix_seconds.to_string()),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(tag))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_the_reference_implementation() {
        // The specification's test vector, whose secret is given in base64 behind `whsec_`.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let headers = sign(br#"{"test": 2432232314}"#, &secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
        assert_eq!(headers[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
