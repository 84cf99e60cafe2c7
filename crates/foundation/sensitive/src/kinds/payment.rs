//! Payment providers and shops.

use crate::checksum;
use crate::kind::{Anchor, Family, Kind};

pub(super) const KINDS: &[Kind] = &[
    Kind::token(
        Family::Payment,
        "stripe-secret-key",
        "Stripe secret key",
        &["sk_live_", "rk_live_"],
        "[sr]k_live_[0-9A-Za-z]{20,}",
    )
    .check(checksum::mixed)
    .examples(&["sk_live_{a:24}", "rk_live_{a:99}"], &["sk_live_{a:10}", "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx"]),
    Kind::token(
        Family::Payment,
        "stripe-test-key",
        "Stripe test key",
        &["sk_test_", "rk_test_"],
        "[sr]k_test_[0-9A-Za-z]{20,}",
    )
    .check(checksum::mixed)
    .examples(&["sk_test_{a:24}"], &["sk_test_{a:10}"]),
    Kind::token(
        Family::Payment,
        "stripe-webhook-secret",
        "Stripe webhook signing secret",
        &["whsec_"],
        "whsec_[0-9A-Za-z+/=]{32,64}",
    )
    .check(checksum::mixed)
    .examples(&["whsec_{a:32}"], &["whsec_{a:10}"]),
    Kind::token(
        Family::Payment,
        "square-access-token",
        "Square access token",
        &["EAAA", "sq0atp-"],
        r"EAAA[\w-]{60}|sq0atp-[\w-]{22}",
    )
    .check(checksum::mixed)
    .examples(&["EAAA{a:60}", "sq0atp-{a:22}"], &["EAAA{a:10}"]),
    Kind::token(Family::Payment, "square-secret", "Square OAuth secret", &["sq0csp-"], r"sq0csp-[\w-]{43}")
        .anchored(Anchor::Dashed)
        .examples(&["sq0csp-{a:43}"], &["sq0csp-{a:10}"]),
    Kind::token(
        Family::Payment,
        "paypal-braintree-token",
        "PayPal Braintree access token",
        &["access_token$production$"],
        r"access_token\$production\$[0-9a-z]{16}\$[0-9a-f]{32}",
    )
    .examples(&["access_token$production${l:16}${h:32}"], &["access_token$production${l:4}"]),
    Kind::token(
        Family::Payment,
        "shopify-token",
        "Shopify token",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        "shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    )
    .examples(&["shpat_{h:32}", "shpss_{h:32}"], &["shpat_{h:10}"]),
    Kind::token(
        Family::Payment,
        "plaid-access-token",
        "Plaid access token",
        &["access-"],
        "access-(?:sandbox|development|production)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    )
    .anchored(Anchor::Dashed)
    .examples(&["access-production-{h:8}-{h:4}-{h:4}-{h:4}-{h:12}"], &["access-production-{h:8}"]),
    Kind::token(Family::Payment, "razorpay-key", "Razorpay live key id", &["rzp_live_"], "rzp_live_[0-9A-Za-z]{14}")
        .examples(&["rzp_live_{a:14}"], &["rzp_live_{a:6}"]),
    Kind::token(
        Family::Payment,
        "flutterwave-secret-key",
        "Flutterwave secret key",
        &["FLWSECK"],
        "FLWSECK(?:_TEST)?-[0-9a-hA-H]{12,32}(?:-X)?",
    )
    .anchored(Anchor::Dashed)
    .examples(&["FLWSECK_TEST-{h:32}-X"], &["FLWSECK_TEST-{h:6}"]),
    Kind::token(Family::Payment, "duffel-token", "Duffel token", &["duffel_"], r"duffel_(?:test|live)_[\w=-]{43}")
        .examples(&["duffel_live_{a:43}"], &["duffel_live_{a:10}"]),
    Kind::token(Family::Payment, "lob-api-key", "Lob API key", &["live_", "test_"], "(?:live|test)_[0-9a-f]{35}")
        .examples(&["live_{h:35}"], &["live_{h:20}", "test_{x:35}"]),
    Kind::token(Family::Payment, "adyen-api-key", "Adyen API key", &["AQE"], "AQE[0-9A-Za-z+/=.-]{80,200}")
        .entropy(4.8)
        .check(checksum::mixed)
        .examples(&["AQE{B:140}"], &["AQE{B:20}"]),
    Kind::token(Family::Payment, "easypost-key", "EasyPost API key", &["EZAK", "EZTK"], "EZ[AT]K[0-9A-Za-z]{54}")
        .check(checksum::mixed)
        .examples(&["EZAK{a:54}"], &["EZAK{a:12}"]),
];
