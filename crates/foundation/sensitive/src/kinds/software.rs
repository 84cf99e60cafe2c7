//! Source hosts, registries of packages, build and deployment services.

use crate::checksum;
use crate::kind::{Anchor, Family, Kind};

pub(super) const KINDS: &[Kind] = &[
    Kind::token(
        Family::Software,
        "github-personal-access-token",
        "GitHub personal access token",
        &["ghp_"],
        "ghp_[0-9A-Za-z]{36}",
    )
    .check(checksum::base62_crc)
    .examples(&["ghp_{crc62}", "https://ghp_{crc62}@github.com"], &["ghp_{a:36}", "ghp_{a:30}"]),
    Kind::token(Family::Software, "github-oauth-token", "GitHub OAuth token", &["gho_"], "gho_[0-9A-Za-z]{36}")
        .check(checksum::base62_crc)
        .examples(&["gho_{crc62}"], &["gho_{a:36}"]),
    Kind::token(Family::Software, "github-app-token", "GitHub app token", &["ghu_", "ghs_"], "gh[us]_[0-9A-Za-z]{36}")
        .check(checksum::base62_crc)
        .examples(&["ghu_{crc62}", "ghs_{crc62}"], &["ghs_{a:36}"]),
    Kind::token(Family::Software, "github-refresh-token", "GitHub refresh token", &["ghr_"], "ghr_[0-9A-Za-z]{36,76}")
        .check(checksum::mixed)
        .examples(&["ghr_{a:76}"], &["ghr_{a:20}"]),
    Kind::token(
        Family::Software,
        "github-fine-grained-token",
        "GitHub fine-grained access token",
        &["github_pat_"],
        "github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}",
    )
    .check(checksum::mixed)
    .examples(&["github_pat_{a:22}_{a:59}"], &["github_pat_{a:22}_{a:40}"]),
    Kind::token(
        Family::Software,
        "gitlab-personal-access-token",
        "GitLab personal access token",
        &["glpat-"],
        r"glpat-[\w-]{20,}(?:\.(?:[0-9a-z]{2}\.)?[0-9a-z]{9})?",
    )
    .anchored(Anchor::Dashed)
    .check(checksum::gitlab)
    .examples(&["glpat-{a:20}", "{gitlab}"], &["glpat-{a:10}"]),
    Kind::token(
        Family::Software,
        "gitlab-deploy-token",
        "GitLab deploy token",
        &["gldt-"],
        r"gldt-[\w-]{20,}(?:\.(?:[0-9a-z]{2}\.)?[0-9a-z]{9})?",
    )
    .anchored(Anchor::Dashed)
    .check(checksum::gitlab)
    .examples(&["gldt-{a:20}"], &["gldt-{a:10}"]),
    Kind::token(
        Family::Software,
        "gitlab-runner-token",
        "GitLab runner token",
        &["glrt-", "GR1348941"],
        r"(?:glrt-(?:t\d_)?|GR1348941)[\w-]{20,}(?:\.(?:[0-9a-z]{2}\.)?[0-9a-z]{9})?",
    )
    .anchored(Anchor::Dashed)
    .check(checksum::gitlab)
    .examples(&["glrt-{a:20}", "GR1348941{a:20}"], &["glrt-{a:10}"]),
    Kind::token(
        Family::Software,
        "gitlab-pipeline-token",
        "GitLab trigger, job, feed or agent token",
        &["glptt-", "glcbt-", "glft-", "glagent-", "glsoat-", "glffct-", "glimt-", "gloas-"],
        r"gl(?:ptt|cbt|ft|agent|soat|ffct|imt|oas)-[\w-]{20,}",
    )
    .anchored(Anchor::Dashed)
    .examples(&["glptt-{h:40}", "glcbt-{h:2}_{a:20}", "glft-{a:20}", "glagent-{a:50}"], &["glptt-{h:10}"]),
    Kind::token(Family::Software, "npm-access-token", "npm access token", &["npm_"], "npm_[0-9A-Za-z]{36}")
        .check(checksum::base62_crc)
        .examples(&["//registry/:_authToken=npm_{crc62}"], &["npm_{a:36}", "npm_config_registry"]),
    Kind::named(
        Family::Software,
        "npm-legacy-token",
        "npm token (UUID)",
        &["_authtoken"],
        "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    )
    .entropy(2.5)
    .examples(&["//host/:_authToken={h:8}-{h:4}-{h:4}-{h:4}-{h:12}"], &["_authToken=${NPM_TOKEN}"]),
    Kind::token(
        Family::Software,
        "pypi-upload-token",
        "PyPI upload token",
        &["pypi-AgE"],
        r"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[\w-]{50,}",
    )
    .anchored(Anchor::Dashed)
    .reach(1100)
    .check(checksum::marked)
    .examples(&["pypi-AgEIcHlwaS5vcmc{w:140}"], &["pypi-AgEIcHlwaS5vcmc{w:20}"]),
    Kind::token(Family::Software, "rubygems-api-key", "RubyGems API key", &["rubygems_"], "rubygems_[0-9a-f]{48}")
        .examples(&["rubygems_{h:48}"], &["rubygems_{h:20}"]),
    Kind::token(Family::Software, "crates-io-token", "crates.io token", &["cio"], "cio[0-9A-Za-z]{32}")
        .check(checksum::mixed)
        .examples(&[r#"token = "cio{a:32}""#], &["cio{a:20}", "socio{a:32}"]),
    Kind::token(
        Family::Software,
        "docker-access-token",
        "Docker access token",
        &["dckr_"],
        r"dckr_(?:pat|oat)_[\w-]{27,32}",
    )
    .examples(&["dckr_pat_{a:27}", "dckr_oat_{a:32}"], &["dckr_pat_{a:12}"]),
    Kind::named(
        Family::Software,
        "docker-registry-auth",
        "Docker registry credentials",
        &[r#""auth""#],
        "[0-9A-Za-z+/]{20,200}={0,2}",
    )
    .entropy(3.4)
    .check(checksum::basic_credentials)
    .examples(&[r#"{"auths": {"https://index": {"auth": "{basic}"}}}"#], &[r#""auth": "none""#, r#""auth": "{x:24}""#]),
    Kind::token(
        Family::Software,
        "terraform-cloud-token",
        "Terraform Cloud token",
        &[".atlasv1."],
        r"[0-9A-Za-z]{14}\.atlasv1\.[\w=-]{60,70}",
    )
    .anchored(Anchor::Back(14))
    .check(checksum::marked)
    .examples(&["{a:14}.atlasv1.{a:67}"], &["{a:14}.atlasv1.{a:20}"]),
    Kind::token(
        Family::Software,
        "vault-service-token",
        "HashiCorp Vault token",
        &["hvs.", "hvb.", "hvr."],
        r"hv[sbr]\.[\w-]{90,200}|hv[sbr]\.[0-9A-Za-z]{24}",
    )
    .anchored(Anchor::Dashed)
    .examples(&["hvs.{w:100}", "hvb.{w:150}", "hvs.{a:24}"], &["hvs.{a:10}"]),
    Kind::named(
        Family::Software,
        "vault-legacy-token",
        "HashiCorp Vault token (before 1.10)",
        &["vault"],
        r"s\.[0-9A-Za-z]{24}",
    )
    .entropy(4.0)
    .check(checksum::mixed)
    .examples(&["VAULT_TOKEN=s.{a:24}"], &["s.{a:12}", "this.{a:24}", "os.{a:24}"]),
    Kind::token(Family::Software, "pulumi-access-token", "Pulumi access token", &["pul-"], "pul-[0-9a-f]{40}")
        .anchored(Anchor::Dashed)
        .examples(&["pul-{h:40}"], &["pul-{h:20}"]),
    Kind::token(
        Family::Software,
        "doppler-token",
        "Doppler token",
        &["dp."],
        r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[\w-]{2,35}\.)?[0-9A-Za-z]{40,44}",
    )
    .check(checksum::mixed)
    .examples(&["dp.pt.{a:43}", "dp.st.dev.{a:43}"], &["dp.pt.{a:12}"]),
    Kind::token(
        Family::Software,
        "infisical-token",
        "Infisical service token",
        &["st."],
        r"st\.[0-9a-f]{24}\.[0-9a-f]{32}\.[0-9a-f]{32}",
    )
    .examples(&["st.{h:24}.{h:32}.{h:32}"], &["st.{h:24}.{h:12}"]),
    Kind::token(
        Family::Software,
        "1password-service-token",
        "1Password service account token",
        &["ops_eyJ"],
        "ops_eyJ[0-9A-Za-z+/_-]{200,}={0,3}",
    )
    .reach(1300)
    .examples(&["ops_eyJ{B:300}"], &["ops_eyJ{B:30}"]),
    Kind::token(
        Family::Software,
        "1password-secret-key",
        "1Password secret key",
        &["A3-"],
        "A3-[0-9A-Z]{6}-(?:[0-9A-Z]{11}|[0-9A-Z]{6}-[0-9A-Z]{5})-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{5}",
    )
    .anchored(Anchor::Dashed)
    .examples(&["A3-{u:6}-{u:6}-{u:5}-{u:5}-{u:5}-{u:5}"], &["A3-{u:6}-{u:3}"]),
    Kind::token(Family::Software, "jfrog-api-key", "JFrog API key", &["AKCp"], "AKCp[0-9A-Za-z]{69}")
        .check(checksum::mixed)
        .examples(&["AKCp{a:69}"], &["AKCp{a:30}"]),
    Kind::token(
        Family::Software,
        "jfrog-reference-token",
        "JFrog reference token",
        &["cmVmd"],
        "cmVmd[A-Z][0-9A-Za-z]{58}",
    )
    .check(checksum::mixed)
    .examples(&["cmVmdG{a:58}"], &["cmVmdG{a:20}"]),
    Kind::token(Family::Software, "sonar-token", "SonarQube token", &["sqp_", "squ_", "sqa_"], "sq[pua]_[0-9a-f]{40}")
        .examples(&["sqp_{h:40}", "squ_{h:40}"], &["sqp_{h:20}"]),
    Kind::token(Family::Software, "atlassian-api-token", "Atlassian API token", &["ATATT3"], r"ATATT3[\w=-]{180,220}")
        .reach(320)
        .examples(&["ATATT3{w:186}"], &["ATATT3{w:30}"]),
    Kind::token(
        Family::Software,
        "bitbucket-app-password",
        "Bitbucket app password or access token",
        &["ATBB", "ATCTT3"],
        r"ATBB[0-9A-Za-z]{32}|ATCTT3[\w=-]{180,220}",
    )
    .examples(&["ATBB{a:32}", "ATCTT3{w:186}"], &["ATBB{a:10}"]),
    Kind::token(Family::Software, "postman-api-key", "Postman API key", &["PMAK-"], "PMAK-[0-9a-f]{24}-[0-9a-f]{34}")
        .anchored(Anchor::Dashed)
        .examples(&["PMAK-{h:24}-{h:34}"], &["PMAK-{h:24}"]),
    Kind::token(
        Family::Software,
        "buildkite-token",
        "Buildkite API token",
        &["bkua_", "bkct_"],
        "bk(?:ua|ct)_[0-9a-f]{40}",
    )
    .examples(&["bkua_{h:40}"], &["bkua_{h:10}"]),
    Kind::token(
        Family::Software,
        "circleci-token",
        "CircleCI token",
        &["CCIPAT_"],
        "CCIPAT_[0-9A-Za-z]{22}_[0-9a-f]{40}",
    )
    .examples(&["CCIPAT_{a:22}_{h:40}"], &["CCIPAT_{a:22}"]),
    Kind::named(
        Family::Software,
        "circleci-legacy-token",
        "CircleCI token (hexadecimal)",
        &["circleci", "circle_token", "circle-token"],
        "[0-9a-f]{40}",
    )
    .examples(&["CIRCLE_TOKEN={h:40}"], &["CIRCLE_SHA1={h:40}"]),
    Kind::token(Family::Software, "clojars-token", "Clojars token", &["CLOJARS_"], "CLOJARS_[0-9a-z]{60}")
        .examples(&["CLOJARS_{l:60}"], &["CLOJARS_{l:10}", "CLOJARS_USERNAME"]),
    Kind::token(Family::Software, "nuget-api-key", "NuGet API key", &["oy2"], "oy2[0-9a-z]{43}")
        .check(checksum::alphanumeric)
        .examples(&["oy2{l:43}"], &["oy2{l:20}", "toy2{l:43}"]),
    Kind::token(
        Family::Software,
        "dynatrace-token",
        "Dynatrace token",
        &["dt0c01."],
        r"dt0c01\.[0-9A-Z]{24}\.[0-9A-Z]{64}",
    )
    .examples(&["dt0c01.{u:24}.{u:64}"], &["dt0c01.{u:24}"]),
    Kind::token(
        Family::Software,
        "snyk-token",
        "Snyk access token",
        &["snyk_"],
        r"snyk_(?:uat|sat)\.[0-9a-z]{8}\.[\w.-]{100,}",
    )
    .reach(500)
    .examples(&["snyk_uat.{h:8}.{a:150}"], &["snyk_uat.{h:8}.{a:10}"]),
    Kind::named(
        Family::Software,
        "snyk-legacy-token",
        "Snyk token (UUID)",
        &["snyk"],
        "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    )
    .entropy(2.5)
    .examples(&["SNYK_TOKEN={h:8}-{h:4}-{h:4}-{h:4}-{h:12}"], &["SNYK_ORG=acme"]),
    Kind::named(
        Family::Software,
        "codecov-token",
        "Codecov token",
        &["codecov"],
        "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-z]{32}",
    )
    .entropy(2.5)
    .examples(&["CODECOV_TOKEN={h:8}-{h:4}-{h:4}-{h:4}-{h:12}"], &[r#"codecov_url = "{h:8}""#]),
    Kind::token(
        Family::Software,
        "sourcegraph-token",
        "Sourcegraph access token",
        &["sgp_"],
        "sgp_(?:[0-9a-f]{16}_|local_)?[0-9a-f]{40}",
    )
    .examples(&["sgp_{h:16}_{h:40}", "sgp_{h:40}"], &["sgp_{h:10}"]),
    Kind::token(Family::Software, "linear-api-key", "Linear API key", &["lin_api_"], "lin_api_[0-9A-Za-z]{40}")
        .check(checksum::mixed)
        .examples(&["lin_api_{a:40}"], &["lin_api_{a:10}"]),
    Kind::token(Family::Software, "figma-token", "Figma access token", &["figd_", "figo_"], r"fig[do]_[\w-]{40}")
        .examples(&["figd_{a:40}"], &["figd_{a:12}"]),
    Kind::token(Family::Software, "readme-api-key", "ReadMe API key", &["rdme_"], "rdme_[0-9a-z]{70}")
        .examples(&["rdme_{l:70}"], &["rdme_{l:10}"]),
    Kind::token(
        Family::Software,
        "prefect-api-token",
        "Prefect API token",
        &["pnu_", "pnb_"],
        "pn[ub]_[0-9A-Za-z]{36}",
    )
    .check(checksum::mixed)
    .examples(&["pnu_{a:36}"], &["pnu_{a:10}"]),
    Kind::token(Family::Software, "octopus-deploy-api-key", "Octopus Deploy API key", &["API-"], "API-[0-9A-Z]{26,32}")
        .anchored(Anchor::Dashed)
        .check(checksum::alphanumeric)
        .examples(&["API-{u:28}"], &["API-{u:10}", "REST-API-{u:28}", "API-DOCUMENTATION-FOR-EVERYBODY-HERE"]),
    Kind::token(
        Family::Software,
        "age-secret-key",
        "age secret key",
        &["AGE-SECRET-KEY-1"],
        "AGE-SECRET-KEY-1[0-9A-Z]{58}",
    )
    .anchored(Anchor::Dashed)
    .check(checksum::age)
    .examples(&["{age}"], &["AGE-SECRET-KEY-1{u:58}", "AGE-SECRET-KEY-1{u:40}"]),
];
