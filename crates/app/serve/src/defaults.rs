//! What holds when the user brings nothing, for export; and whether what the user brings can be used.

use bartizan_access::Policies;
use bartizan_detect::Sigma;

use crate::config::Config;
use crate::error::ServeError;
use crate::house::read_policies;

/// Default policies, rules and playbooks, by relative path.
pub fn defaults() -> Vec<(String, &'static str)> {
    let policies = Policies::defaults().into_iter().map(|(name, text)| (format!("policies/{name}"), text));
    let rules = bartizan_detect::defaults().iter().map(|(name, text)| (format!("rules/{name}"), *text));
    let playbooks = bartizan_respond::defaults().iter().map(|(name, text)| (format!("playbooks/{name}"), *text));
    policies.chain(rules).chain(playbooks).collect()
}

/// Loads all that a configuration names, without taking it into use.
///
/// # Errors
/// The first thing that can't be used.
pub fn check_config(config: &Config) -> Result<(), ServeError> {
    config.check()?;
    Policies::load(&read_policies(&config.access.policies)?)?;
    Sigma::load(&config.detect.rules)?;
    bartizan_respond::check(&config.respond)?;
    config.upstreams()?;
    if config.gateway.tls.is_wanted() {
        bartizan_gateway::Tls::prepare(&config.gateway.tls)?;
    }
    for webhook in &config.respond.webhooks {
        crate::config::resolve_secret(&webhook.secret)?;
    }
    Ok(())
}
