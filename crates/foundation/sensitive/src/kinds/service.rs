//! Other services with a token of a form of its own.

use crate::checksum;
use crate::kind::{Anchor, Family, Kind};

pub(super) const KINDS: &[Kind] = &[
    Kind::token(
        Family::Service,
        "grafana-service-account-token",
        "Grafana service account token",
        &["glsa_"],
        "glsa_[0-9A-Za-z]{32}_[0-9a-fA-F]{8}",
    )
    .examples(&["glsa_{a:32}_{h:8}"], &["glsa_{a:32}"]),
    Kind::token(
        Family::Service,
        "grafana-cloud-token",
        "Grafana Cloud token",
        &["glc_"],
        "glc_[0-9A-Za-z+/]{32,}={0,3}",
    )
    .reach(500)
    .check(checksum::mixed)
    .examples(&["glc_eyJ{B:100}"], &["glc_{B:10}"]),
    Kind::named(
        Family::Service,
        "datadog-api-key",
        "Datadog API or application key",
        &["datadog", "dd_api_key", "dd_app_key", "dd-api-key", "dd-application-key"],
        "[0-9a-f]{32}|[0-9a-f]{40}",
    )
    .examples(&["DD_API_KEY={h:32}", "DD_APP_KEY={h:40}"], &["DD_API_KEY={h:10}"]),
    Kind::token(
        Family::Service,
        "new-relic-key",
        "New Relic key",
        &["NRAK-", "NRJS-", "NRII-", "NRRA-"],
        "NR(?:AK|JS|II|RA)-[0-9A-Za-z_-]{19,42}",
    )
    .anchored(Anchor::Dashed)
    .examples(&["NRAK-{u:27}"], &["NRAK-{u:8}"]),
    Kind::token(
        Family::Service,
        "sentry-token",
        "Sentry auth token",
        &["sntrys_", "sntryu_"],
        "sntrys_eyJ[0-9A-Za-z+/=_-]{80,}|sntryu_[0-9a-f]{64}",
    )
    .reach(500)
    .examples(&["sntryu_{h:64}", "sntrys_eyJ{B:150}"], &["sntryu_{h:10}"]),
    Kind::token(Family::Service, "posthog-key", "PostHog personal API key", &["phx_"], "phx_[0-9A-Za-z]{43,47}")
        .check(checksum::mixed)
        .examples(&["phx_{a:43}"], &["phx_{a:10}"]),
    Kind::named(Family::Service, "pagerduty-key", "PagerDuty API key", &["pagerduty"], r"[\w+-]{20}")
        .entropy(3.6)
        .check(checksum::mixed)
        .examples(&["PAGERDUTY_TOKEN=u+{a:18}"], &["PAGERDUTY_TOKEN=u+{a:8}"]),
    Kind::named(
        Family::Service,
        "algolia-admin-key",
        "Algolia admin key",
        &["algolia_admin", "algolia_api", "algolia"],
        "[0-9a-f]{32}",
    )
    .examples(&["ALGOLIA_ADMIN_KEY={h:32}"], &["ALGOLIA_ADMIN_KEY={h:8}"]),
    Kind::named(Family::Service, "okta-api-token", "Okta API token", &["okta", "ssws "], r"00[\w-]{40}")
        .check(checksum::mixed)
        .examples(&["OKTA_API_TOKEN=00{a:40}"], &["OKTA_API_TOKEN=00{a:8}"]),
    Kind::named(Family::Service, "auth0-client-secret", "Auth0 client secret", &["auth0"], r"[\w-]{64}")
        .entropy(4.2)
        .check(checksum::mixed)
        .examples(&["AUTH0_CLIENT_SECRET={a:64}"], &["AUTH0_CLIENT_ID={a:32}"]),
    Kind::token(Family::Service, "contentful-token", "Contentful management token", &["CFPAT-"], r"CFPAT-[\w-]{43}")
        .anchored(Anchor::Dashed)
        .examples(&["CFPAT-{a:43}"], &["CFPAT-{a:8}"]),
    Kind::token(
        Family::Service,
        "launchdarkly-sdk-key",
        "LaunchDarkly key",
        &["sdk-", "api-"],
        "(?:sdk|api)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    )
    .anchored(Anchor::Dashed)
    .examples(&["sdk-{h:8}-{h:4}-{h:4}-{h:4}-{h:12}"], &["sdk-{h:8}", "api-docs"]),
    Kind::token(
        Family::Service,
        "mapbox-secret-token",
        "Mapbox secret token",
        &["sk.eyJ"],
        r"sk\.eyJ[0-9A-Za-z_-]{60,120}\.[\w-]{22}",
    )
    .examples(&["sk.eyJ{a:80}.{a:22}"], &["pk.eyJ{a:80}.{a:22}"]),
    Kind::token(Family::Service, "clickup-token", "ClickUp token", &["pk_"], r"pk_\d{6,9}_[0-9A-Z]{32}")
        .examples(&["pk_{d:8}_{u:32}"], &["pk_{d:8}_{u:8}", "pk_live_{a:24}"]),
    Kind::token(Family::Service, "dropbox-token", "Dropbox short-lived token", &["sl."], r"sl\.(?:u\.)?[\w-]{130,}")
        .anchored(Anchor::Dashed)
        .reach(1600)
        .check(checksum::mixed)
        .examples(&["sl.{w:140}"], &["sl.{w:20}", "xsl.{w:140}"]),
    Kind::token(
        Family::Service,
        "zapier-webhook",
        "Zapier webhook URL",
        &["hooks.zapier.com/hooks/catch/"],
        r"hooks\.zapier\.com/hooks/catch/(?P<s>\d{4,12}/[0-9a-z]{6,12})",
    )
    .entropy(2.0)
    .examples(&["https://hooks.zapier.com/hooks/catch/{d:8}/{l:7}"], &["https://hooks.zapier.com/hooks/catch/"]),
    Kind::token(Family::Service, "scalingo-token", "Scalingo token", &["tk-us-"], r"tk-us-[\w-]{48}")
        .anchored(Anchor::Dashed)
        .examples(&["tk-us-{a:48}"], &["tk-us-{a:10}"]),
    Kind::token(
        Family::Service,
        "shippo-token",
        "Shippo token",
        &["shippo_live_", "shippo_test_"],
        "shippo_(?:live|test)_[0-9a-fA-F]{40}",
    )
    .examples(&["shippo_live_{h:40}"], &["shippo_live_{h:10}"]),
    Kind::token(
        Family::Service,
        "tailscale-key",
        "Tailscale key",
        &["tskey-"],
        "tskey-(?:api|auth|client|scim|webhook)-[0-9A-Za-z]{8,24}-[0-9A-Za-z]{16,40}",
    )
    .anchored(Anchor::Dashed)
    .examples(&["tskey-auth-{a:12}-{a:32}"], &["tskey-auth-{a:4}"]),
    Kind::token(
        Family::Service,
        "ngrok-token",
        "ngrok API key",
        &["ngrok_api"],
        r#"(?i:ngrok_api_?key)["\x27]?\s?[:=]\s?["\x27]?(?P<s>2[0-9A-Za-z]{26}_[0-9A-Za-z]{20,24})"#,
    )
    .anchored(Anchor::Loose)
    .examples(&["NGROK_API_KEY=2{a:26}_{a:22}"], &["NGROK_API_KEY=2{a:8}"]),
    Kind::named(
        Family::Service,
        "ngrok-authtoken",
        "ngrok authtoken",
        &["ngrok"],
        "[12][0-9A-Za-z]{26}_[0-9A-Za-z]{20,24}",
    )
    .examples(&["NGROK_AUTHTOKEN=2{a:26}_{a:22}"], &["NGROK_AUTHTOKEN=2{a:8}"]),
    Kind::token(Family::Service, "openshift-token", "OpenShift token", &["sha256~"], r"sha256~[\w-]{43}")
        .examples(&["oc login --token=sha256~{a:43}"], &["sha256~{a:12}", "sha256:{h:64}"]),
    Kind::named(Family::Service, "facebook-app-secret", "Facebook app secret", &["facebook"], "[0-9a-f]{32}")
        .examples(&["FACEBOOK_APP_SECRET={h:32}"], &[r#"facebook_app_id = "{d:15}""#]),
    Kind::named(Family::Service, "zendesk-token", "Zendesk token", &["zendesk"], "[0-9A-Za-z]{40}")
        .entropy(3.8)
        .check(checksum::mixed)
        .examples(&["ZENDESK_API_TOKEN={a:40}"], &["ZENDESK_API_TOKEN={a:8}"]),
    Kind::named(
        Family::Service,
        "travis-ci-token",
        "Travis CI token",
        &["travis_token", "travis_api"],
        "[0-9A-Za-z_-]{22}",
    )
    .check(checksum::mixed)
    .examples(&["TRAVIS_TOKEN={a:22}"], &["TRAVIS_TOKEN={a:8}"]),
    Kind::named(Family::Service, "fastly-api-token", "Fastly API token", &["fastly"], r"[\w-]{32}")
        .entropy(3.8)
        .check(checksum::mixed)
        .examples(&["FASTLY_API_TOKEN={a:32}"], &["FASTLY_API_TOKEN={a:8}"]),
    Kind::named(
        Family::Service,
        "linkedin-client-secret",
        "LinkedIn client secret",
        &["linkedin"],
        r"WPL_AP1\.[0-9A-Za-z]{16}\.[0-9A-Za-z+/=]{8,12}|[0-9A-Za-z]{16}",
    )
    .entropy(3.3)
    .check(checksum::mixed)
    .examples(&["LINKEDIN_CLIENT_SECRET={a:16}"], &["LINKEDIN_CLIENT_SECRET={a:8}"]),
    Kind::named(Family::Service, "mattermost-token", "Mattermost token", &["mattermost"], "[0-9a-z]{26}")
        .check(checksum::alphanumeric)
        .examples(&["MATTERMOST_TOKEN={l:26}"], &["MATTERMOST_TOKEN={l:8}"]),
];
