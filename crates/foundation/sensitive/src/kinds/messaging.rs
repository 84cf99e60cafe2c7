//! Mail, chat, telephone, and the offices around them.

use crate::checksum;
use crate::kind::{Anchor, Family, Kind};

pub(super) const KINDS: &[Kind] = &[
    Kind::token(Family::Messaging, "slack-bot-token", "Slack bot token", &["xoxb-"], r"xoxb-\d{10,13}-(?:\d{10,13}-)?[0-9A-Za-z-]{18,34}").anchored(Anchor::Dashed).examples(&["xoxb-{d:12}-{d:12}-{a:24}"], &["xoxb-{d:5}-{a:8}", "xoxb-your-token"]),
    Kind::token(Family::Messaging, "slack-user-token", "Slack user or workspace token", &["xoxp-", "xoxe-", "xoxa-", "xoxr-", "xoxs-", "xoxo-", "xoxc-"], r"xox[peasroc]-(?:\d{10,13}-){1,3}[0-9A-Za-z-]{20,64}").anchored(Anchor::Dashed).examples(&["xoxp-{d:12}-{d:12}-{d:12}-{h:32}"], &["xoxp-{d:5}-{a:8}"]),
    Kind::token(Family::Messaging, "slack-app-token", "Slack app-level token", &["xapp-"], r"xapp-\d-[0-9A-Z]{9,13}-\d{10,13}-[0-9a-f]{64}").anchored(Anchor::Dashed).examples(&["xapp-1-A{u:10}-{d:13}-{h:64}"], &["xapp-1-A{u:10}"]),
    Kind::token(Family::Messaging, "slack-configuration-token", "Slack configuration token", &["xoxe."], r"xoxe\.xox[bp]-\d-[0-9A-Za-z]{140,180}").anchored(Anchor::Dashed).examples(&["xoxe.xoxp-1-{a:163}"], &["xoxe.xoxp-1-{a:20}"]),
    Kind::token(Family::Messaging, "slack-webhook", "Slack webhook URL", &["hooks.slack.com/"], r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<s>[0-9A-Za-z+/]{43,70})").examples(&["https://hooks.slack.com/services/T{u:8}/B{u:10}/{a:24}"], &["https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX", "https://hooks.slack.com/services/"]),
    Kind::token(Family::Messaging, "discord-webhook", "Discord webhook URL", &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"], r"discord(?:app)?\.com/api/webhooks/(?P<s>\d{17,20}/[\w-]{60,70})").examples(&["https://discord.com/api/webhooks/{d:18}/{a:68}"], &["https://discord.com/api/webhooks/{d:18}/{a:8}"]),
    Kind::named(Family::Messaging, "discord-bot-token", "Discord bot token", &["discord", "bot_token", "client.run", "bot.run"], r"[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,38}").examples(&["DISCORD_TOKEN=M{a:23}.{a:6}.{a:38}"], &["DISCORD_TOKEN=M{a:12}"]),
    Kind::token(Family::Messaging, "telegram-bot-token", "Telegram bot token", &[":AA"], r"\d{8,10}:AA[\w-]{33}").anchored(Anchor::Digits(10)).examples(&["TELEGRAM=12{d:8}:AA{a:33}"], &["12{d:8}:AA{a:12}", "x:AA{a:33}"]),
    Kind::token(Family::Messaging, "twilio-account-key", "Twilio API key", &["SK0", "SK1", "SK2", "SK3", "SK4", "SK5", "SK6", "SK7", "SK8", "SK9", "SKa", "SKb", "SKc", "SKd", "SKe", "SKf"], "SK[0-9a-f]{32}").examples(&["TWILIO_API_KEY=SK{h:32}"], &["SK{h:20}", "SKIP{h:32}", "TASK{h:32}"]),
    Kind::named(Family::Messaging, "twilio-auth-token", "Twilio auth token", &["twilio"], "[0-9a-f]{32}").examples(&["TWILIO_AUTH_TOKEN={h:32}"], &["TWILIO_AUTH_TOKEN={h:10}"]),
    Kind::token(Family::Messaging, "sendgrid-api-key", "SendGrid API key", &["SG."], r"SG\.[\w-]{22}\.[\w-]{43}").examples(&["SG.{a:22}.{a:43}"], &["SG.{a:22}.{a:10}", "MSG.{a:22}.{a:43}"]),
    Kind::token(Family::Messaging, "mailgun-key", "Mailgun key", &["key-"], "key-[0-9a-f]{32}").anchored(Anchor::Dashed).examples(&["key-{h:32}"], &["key-{h:20}", "monkey-{h:32}"]),
    Kind::token(Family::Messaging, "mailchimp-api-key", "Mailchimp API key", &["-us"], r"[0-9a-f]{32}-us\d{1,2}").anchored(Anchor::Back(32)).examples(&["{h:32}-us12"], &["{h:20}-us12", "{x:32}-us12"]),
    Kind::token(Family::Messaging, "mailersend-token", "MailerSend token", &["mlsn."], r"mlsn\.[0-9a-f]{64}").examples(&["mlsn.{h:64}"], &["mlsn.{h:10}"]),
    Kind::token(Family::Messaging, "brevo-api-key", "Brevo API key", &["xkeysib-", "xsmtpsib-"], "x(?:key|smtp)sib-[0-9a-f]{64}-[0-9A-Za-z]{16}").anchored(Anchor::Dashed).examples(&["xkeysib-{h:64}-{a:16}"], &["xkeysib-{h:64}"]),
    Kind::token(Family::Messaging, "resend-api-key", "Resend API key", &["re_"], "re_[0-9A-Za-z]{8}_[0-9A-Za-z]{24}").check(checksum::mixed).examples(&["re_{a:8}_{a:24}"], &["re_{a:8}", "core_{a:8}_{a:24}"]),
    Kind::named(Family::Messaging, "postmark-token", "Postmark server token", &["postmark", "x-postmark-server-token"], "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").entropy(2.5).examples(&["POSTMARK_TOKEN={h:8}-{h:4}-{h:4}-{h:4}-{h:12}"], &["POSTMARK_TOKEN={h:8}"]),
    Kind::token(Family::Messaging, "microsoft-teams-webhook", "Microsoft Teams webhook URL", &["webhook.office.com/webhookb2/"], r"webhook\.office\.com/webhookb2/(?P<s>[0-9a-f-]{36}@[0-9a-f-]{36}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36})").examples(&["https://acme.webhook.office.com/webhookb2/{h:8}-{h:4}-{h:4}-{h:4}-{h:12}@{h:8}-{h:4}-{h:4}-{h:4}-{h:12}/IncomingWebhook/{h:32}/{h:8}-{h:4}-{h:4}-{h:4}-{h:12}"], &["https://acme.webhook.office.com/webhookb2/{h:8}"]),
    Kind::token(Family::Messaging, "facebook-access-token", "Facebook access token", &["EAA"], "EAA[MC][0-9A-Za-z]{100,}").reach(320).check(checksum::mixed).examples(&["EAAC{a:150}"], &["EAAC{a:20}"]),
    Kind::token(Family::Messaging, "frame-io-token", "Frame.io token", &["fio-u-"], r"fio-u-[\w-]{64}").anchored(Anchor::Dashed).examples(&["fio-u-{a:64}"], &["fio-u-{a:10}"]),
    Kind::token(Family::Messaging, "typeform-token", "Typeform token", &["tfp_"], r"tfp_[\w-]{44,59}").examples(&["tfp_{a:44}"], &["tfp_{a:10}"]),
    Kind::token(Family::Messaging, "hubspot-token", "HubSpot private app token", &["pat-"], r"pat-(?:na|eu|ap)\d-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").anchored(Anchor::Dashed).examples(&["pat-na1-{h:8}-{h:4}-{h:4}-{h:4}-{h:12}"], &["pat-na1-{h:8}"]),
    Kind::token(Family::Messaging, "onesignal-key", "OneSignal key", &["os_v2_"], "os_v2_(?:app|org)_[0-9a-z]{100,110}").examples(&["os_v2_app_{l:104}"], &["os_v2_app_{l:10}"]),
    Kind::token(Family::Messaging, "airtable-token", "Airtable personal access token", &["pat"], r"pat[0-9A-Za-z]{14}\.[0-9a-f]{64}").examples(&["pat{a:14}.{h:64}"], &["pat{a:14}", "spat{a:14}.{h:64}"]),
    Kind::token(Family::Messaging, "notion-token", "Notion token", &["ntn_", "secret_"], r"ntn_\d{11}[0-9A-Za-z]{35}|secret_[0-9A-Za-z]{43}").check(checksum::mixed).examples(&["ntn_{d:11}{a:35}", "secret_{a:43}"], &["ntn_{d:11}", "secret_manager_client_for_everyone_and_more"]),
];
