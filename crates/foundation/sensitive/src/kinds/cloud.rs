//! Accounts of cloud providers. Marks in the midst of Azure keys: Microsoft, identifiable secrets in SecurityUtilities.

use crate::checksum;
use crate::kind::{Anchor, Family, Kind};

pub(super) const KINDS: &[Kind] = &[
    Kind::token(
        Family::Cloud,
        "aws-access-key-id",
        "AWS access key id",
        &["AKIA", "ASIA", "ABIA", "ACCA"],
        "A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}",
    )
    .examples(
        &["aws_access_key_id = AKIA{b:16}", "ASIAQ{b:15}"],
        &["AKIAIOSFODNN7EXAMPLE", "AKIA{b:10}", "AKIA1118{b:12}", "xAKIA{b:16}"],
    ),
    Kind::named(
        Family::Cloud,
        "aws-secret-access-key",
        "AWS secret access key",
        &["aws_secret", "secret_access_key", "secretaccesskey", "aws_sec", "secretkey"],
        "[0-9A-Za-z+/]{40}",
    )
    .entropy(4.2)
    .check(checksum::mixed)
    .examples(
        &["aws_secret_access_key = {B:40}", r#""SecretAccessKey": "{B:40}""#],
        &[
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "aws_secret_access_key = {B:30}",
            "aws_secret_access_key = {h:40}",
        ],
    ),
    Kind::named(
        Family::Cloud,
        "aws-session-token",
        "AWS session token",
        &["aws_session_token", "sessiontoken"],
        "[0-9A-Za-z+/]{100,}={0,2}",
    )
    .entropy(4.5)
    .reach(1200)
    .check(checksum::mixed)
    .examples(&["aws_session_token = {B:300}=="], &["aws_session_token = {B:30}"]),
    Kind::token(
        Family::Cloud,
        "aws-bedrock-api-key",
        "Amazon Bedrock API key",
        &["ABSK"],
        "ABSK[0-9A-Za-z+/]{109,}={0,2}",
    )
    .reach(320)
    .check(checksum::mixed)
    .examples(&["AWS_BEARER_TOKEN_BEDROCK=ABSK{B:128}"], &["ABSK{B:30}"]),
    Kind::token(
        Family::Cloud,
        "aws-bedrock-short-api-key",
        "Amazon Bedrock short-term API key",
        &["bedrock-api-key-"],
        "bedrock-api-key-[0-9A-Za-z+/]{100,}={0,2}",
    )
    .anchored(Anchor::Dashed)
    .reach(2100)
    .examples(&["bedrock-api-key-{B:200}"], &["bedrock-api-key-{B:20}"]),
    Kind::named(Family::Cloud, "aws-appsync-key", "AWS AppSync API key", &["x-api-key"], "da2-[0-9a-z]{26}")
        .examples(&["x-api-key: da2-{l:26}"], &["x-api-key: da2-{l:10}"]),
    Kind::token(
        Family::Cloud,
        "google-api-key",
        "Google API key (Gemini, Maps, Firebase)",
        &["AIza"],
        r"AIza[\w-]{35}",
    )
    .entropy(3.8)
    .examples(&["GOOGLE_API_KEY=AIza{a:35}"], &["AIza{a:20}", "AIzaSyXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"]),
    Kind::token(
        Family::Cloud,
        "google-oauth-client-secret",
        "Google OAuth client secret",
        &["GOCSPX-"],
        r"GOCSPX-[\w-]{28}",
    )
    .anchored(Anchor::Dashed)
    .examples(&["GOCSPX-{a:28}"], &["GOCSPX-{a:12}"]),
    Kind::token(
        Family::Cloud,
        "google-oauth-access-token",
        "Google OAuth access token",
        &["ya29."],
        r"ya29\.[\w-]{60,}",
    )
    .anchored(Anchor::Dashed)
    .reach(400)
    .examples(&["Authorization: Bearer ya29.{w:120}"], &["ya29.{w:20}"]),
    Kind::token(
        Family::Cloud,
        "google-oauth-refresh-token",
        "Google OAuth refresh token",
        &["1//0"],
        r"1//0[\w-]{50,160}",
    )
    .anchored(Anchor::Dashed)
    .examples(&["refresh_token: 1//0{w:80}"], &["1//0{w:12}"]),
    Kind::token(
        Family::Cloud,
        "azure-storage-account-key",
        "Azure storage account key",
        &["AccountKey="],
        "AccountKey=(?P<s>[0-9A-Za-z+/]{86}==)",
    )
    .anchored(Anchor::Loose)
    .check(checksum::azure_storage)
    .examples(
        &["DefaultEndpointsProtocol=https;AccountName=a;AccountKey={B:86}=="],
        &[
            "AccountKey={B:40}==",
            "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
        ],
    ),
    Kind::token(
        Family::Cloud,
        "azure-storage-signed-key",
        "Azure storage account key (marked)",
        &["+ASt"],
        r"[0-9A-Za-z+/]{76}\+ASt[0-9A-Za-z+/]{5}[AQgw]==",
    )
    .anchored(Anchor::Back(76))
    .check(checksum::marked)
    .examples(&["key: {B:76}+ASt{B:5}A=="], &["{B:60}+ASt{B:5}A=="]),
    Kind::token(
        Family::Cloud,
        "azure-cosmos-key",
        "Azure Cosmos DB key",
        &["ACDb"],
        "[0-9A-Za-z+/]{76}ACDb[0-9A-Za-z+/]{5}[AQgw]==",
    )
    .anchored(Anchor::Back(76))
    .check(checksum::marked)
    .examples(&["AccountKey: {B:76}ACDb{B:5}g=="], &["{B:60}ACDb{B:5}g=="]),
    Kind::token(
        Family::Cloud,
        "azure-batch-key",
        "Azure Batch key",
        &["+ABa"],
        r"[0-9A-Za-z+/]{76}\+ABa[0-9A-Za-z+/]{5}[AQgw]==",
    )
    .anchored(Anchor::Back(76))
    .check(checksum::marked)
    .examples(&["key: {B:76}+ABa{B:5}w=="], &["{B:60}+ABa{B:5}w=="]),
    Kind::token(
        Family::Cloud,
        "azure-machine-learning-key",
        "Azure Machine Learning key",
        &["+AMC"],
        r"[0-9A-Za-z+/]{76}\+AMC[0-9A-Za-z+/]{5}[AQgw]==",
    )
    .anchored(Anchor::Back(76))
    .check(checksum::marked)
    .examples(&["key: {B:76}+AMC{B:5}w=="], &["{B:60}+AMC{B:5}w=="]),
    Kind::token(
        Family::Cloud,
        "azure-messaging-key",
        "Azure Service Bus, Event Hubs or Relay key",
        &["+ASb", "+AEh", "+ARm", "AIoT"],
        r"[0-9A-Za-z+/]{33}(?:AIoT|\+(?:ASb|AEh|ARm))[0-9A-Za-z+/]{5}=",
    )
    .anchored(Anchor::Back(33))
    .check(checksum::marked)
    .examples(&["SharedAccessKey={B:33}+AEh{B:5}=", "{B:33}+ASb{B:5}="], &["{B:20}+ASb{B:5}="]),
    Kind::token(
        Family::Cloud,
        "azure-cache-key",
        "Azure Cache for Redis key",
        &["AzCa"],
        "[0-9A-Za-z]{33}AzCa[A-P][0-9A-Za-z]{5}=",
    )
    .anchored(Anchor::Back(33))
    .check(checksum::marked)
    .examples(&["password={a:33}AzCaB{a:5}="], &["{a:20}AzCaB{a:5}="]),
    Kind::token(
        Family::Cloud,
        "azure-search-key",
        "Azure AI Search key",
        &["AzSe"],
        "[0-9A-Za-z]{42}AzSe[A-D][0-9A-Za-z]{5}",
    )
    .anchored(Anchor::Back(42))
    .check(checksum::marked)
    .examples(&["AZURE_SEARCH_KEY={a:42}AzSeA{a:5}"], &["{a:30}AzSeA{a:5}"]),
    Kind::token(
        Family::Cloud,
        "azure-functions-key",
        "Azure Functions key",
        &["AzFu"],
        r"[\w-]{44}AzFu[\w-]{5}[AQgw]==",
    )
    .anchored(Anchor::Back(44))
    .check(checksum::marked)
    .examples(&["code={a:44}AzFu{a:5}Q=="], &["{a:30}AzFu{a:5}Q=="]),
    Kind::token(
        Family::Cloud,
        "azure-container-registry-key",
        "Azure Container Registry password",
        &["+ACR"],
        r"[0-9A-Za-z+/]{42}\+ACR[A-D][0-9A-Za-z]{5}",
    )
    .anchored(Anchor::Back(42))
    .check(checksum::marked)
    .examples(&["{a:42}+ACRB{a:5}"], &["{a:30}+ACRB{a:5}"]),
    Kind::token(
        Family::Cloud,
        "azure-ai-services-key",
        "Azure OpenAI or AI services key",
        &["JQQJ99"],
        "[0-9A-Za-z]{52}JQQJ99[0-9A-Za-z]{26}",
    )
    .anchored(Anchor::Back(52))
    .check(checksum::marked)
    .examples(&["AZURE_OPENAI_API_KEY={a:52}JQQJ99{a:26}"], &["{a:20}JQQJ99{a:26}"]),
    Kind::token(
        Family::Cloud,
        "azure-entra-client-secret",
        "Microsoft Entra client secret",
        &["0Q~", "1Q~", "2Q~", "3Q~", "4Q~", "5Q~", "6Q~", "7Q~", "8Q~", "9Q~"],
        r"[\w~.-]{3}\dQ~[\w~.-]{31,34}",
    )
    .anchored(Anchor::Back(3))
    .examples(&["client_secret: {a:3}8Q~{a:34}"], &["{a:3}xQ~{a:34}", "{a:3}8Q~{a:12}"]),
    Kind::token(
        Family::Cloud,
        "azure-devops-token",
        "Azure DevOps personal access token",
        &["AZDO"],
        "[0-9A-Za-z]{76}AZDO[0-9A-Za-z]{4}",
    )
    .anchored(Anchor::Back(76))
    .check(checksum::marked)
    .examples(&["{a:76}AZDO{a:4}"], &["{a:30}AZDO{a:4}"]),
    Kind::token(
        Family::Cloud,
        "azure-shared-access-signature",
        "Azure shared access signature",
        &["sig="],
        "sig=(?P<s>[0-9A-Za-z]{0,60}(?:%2[BbFf][0-9A-Za-z]{0,60}){0,20}[0-9A-Za-z]{1,60}%3[Dd])",
    )
    .anchored(Anchor::Loose)
    .entropy(4.0)
    .examples(&["?sv=2022&sp=r&sig={a:20}%2B{a:22}%3D"], &["sig=abc%3D", "?sig={a:30}"]),
    Kind::token(
        Family::Cloud,
        "digitalocean-token",
        "DigitalOcean token",
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        "do[opr]_v1_[0-9a-f]{64}",
    )
    .examples(&["dop_v1_{h:64}", "doo_v1_{h:64}", "dor_v1_{h:64}"], &["dop_v1_{h:40}"]),
    Kind::token(
        Family::Cloud,
        "alibaba-access-key-id",
        "Alibaba Cloud access key id",
        &["LTAI"],
        "LTAI[0-9A-Za-z]{17,21}",
    )
    .check(checksum::mixed)
    .examples(&["LTAI{a:20}"], &["LTAI{a:8}", "LTAIL{x:5}"]),
    Kind::named(
        Family::Cloud,
        "alibaba-secret-key",
        "Alibaba Cloud access key secret",
        &["alibaba", "aliyun", "access_key_secret", "accesskeysecret"],
        "[0-9A-Za-z]{30}",
    )
    .entropy(3.8)
    .check(checksum::mixed)
    .examples(&["ALIBABA_CLOUD_ACCESS_KEY_SECRET={a:30}"], &["ALIBABA_CLOUD_ACCESS_KEY_SECRET={a:12}"]),
    Kind::token(Family::Cloud, "tencent-secret-id", "Tencent Cloud secret id", &["AKID"], "AKID[0-9A-Za-z]{32}")
        .check(checksum::mixed)
        .examples(&["AKID{a:32}"], &["AKID{a:16}"]),
    Kind::named(
        Family::Cloud,
        "ibm-cloud-api-key",
        "IBM Cloud API key",
        &["ibm_cloud", "ibmcloud", "ibm-cloud", "watson", "ibm_api"],
        r"[\w-]{44}",
    )
    .entropy(4.2)
    .check(checksum::mixed)
    .examples(&[r#"IBM_CLOUD_API_KEY="{a:43}x""#], &[r#"IBM_CLOUD_API_KEY="{a:20}""#]),
    Kind::named(
        Family::Cloud,
        "cloudflare-api-token",
        "Cloudflare API token",
        &["cloudflare", "cf_api", "cf-api"],
        r"[\w-]{40}",
    )
    .entropy(3.8)
    .check(checksum::mixed)
    .examples(&["CLOUDFLARE_API_TOKEN={a:40}"], &["CLOUDFLARE_API_TOKEN={a:20}", "cloudflare_commit={h:40}"]),
    Kind::named(
        Family::Cloud,
        "cloudflare-global-key",
        "Cloudflare global API key",
        &["cloudflare", "x-auth-key"],
        "[0-9a-f]{37}",
    )
    .examples(&["X-Auth-Key: {h:37}"], &["X-Auth-Key: {h:30}"]),
    Kind::token(
        Family::Cloud,
        "cloudflare-origin-ca-key",
        "Cloudflare origin CA key",
        &["v1.0-"],
        r"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}",
    )
    .anchored(Anchor::Dashed)
    .examples(&["v1.0-{h:24}-{h:146}"], &["v1.0-{h:24}-{h:100}"]),
    Kind::token(Family::Cloud, "scaleway-access-key", "Scaleway access key", &["SCW"], "SCW[0-9A-Z]{17}")
        .check(checksum::alphanumeric)
        .examples(&["SCW_ACCESS_KEY=SCW{u:17}"], &["SCW{u:8}"]),
    Kind::token(Family::Cloud, "yandex-api-key", "Yandex Cloud API key", &["AQVN"], r"AQVN[\w-]{35,38}")
        .examples(&["AQVN{a:36}"], &["AQVN{a:12}"]),
    Kind::token(
        Family::Cloud,
        "heroku-api-key",
        "Heroku API key",
        &["HRKU-"],
        r"HRKU-(?:AA[\w-]{58}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
    )
    .anchored(Anchor::Dashed)
    .examples(&["HRKU-AA{a:58}"], &["HRKU-{a:10}"]),
    Kind::named(
        Family::Cloud,
        "heroku-legacy-api-key",
        "Heroku API key (UUID)",
        &["heroku"],
        "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    )
    .entropy(2.5)
    .examples(&["HEROKU_API_KEY={h:8}-{h:4}-{h:4}-{h:4}-{h:12}"], &["HEROKU_API_KEY={h:8}"]),
    Kind::token(
        Family::Cloud,
        "flyio-token",
        "Fly.io access token",
        &["FlyV1 fm", "fm1r_", "fm2_"],
        "(?:FlyV1 )?fm(?:1[ar]|2)_[0-9A-Za-z+/]{100,}={0,3}",
    )
    .reach(1600)
    .examples(&[r#"FLY_API_TOKEN="FlyV1 fm2_{B:300}""#], &["fm2_{B:30}"]),
    Kind::token(Family::Cloud, "render-api-key", "Render API key", &["rnd_"], "rnd_[0-9A-Za-z]{28}")
        .check(checksum::mixed)
        .examples(&["rnd_{a:28}"], &["rnd_{a:12}"]),
    Kind::token(
        Family::Cloud,
        "vercel-token",
        "Vercel token",
        &["vcp_", "vci_", "vca_", "vcr_", "vck_"],
        "vc[pcairk]_[0-9A-Za-z]{56}",
    )
    .check(checksum::mixed)
    .examples(&["vcp_{a:56}"], &["vcp_{a:20}"]),
    Kind::named(Family::Cloud, "vercel-legacy-token", "Vercel token (unmarked)", &["vercel"], "[0-9A-Za-z]{24}")
        .entropy(3.8)
        .check(checksum::mixed)
        .examples(&["VERCEL_TOKEN={a:24}"], &["VERCEL_TOKEN={a:12}"]),
    Kind::token(Family::Cloud, "netlify-token", "Netlify access token", &["nfp_"], "nfp_[0-9A-Za-z]{36}")
        .check(checksum::mixed)
        .examples(&["nfp_{a:36}"], &["nfp_{a:12}"]),
];
