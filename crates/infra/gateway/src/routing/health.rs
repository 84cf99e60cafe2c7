//! Asks upstreams whether they are well.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::routing::routes::Routes;

/// Between two checks.
const EVERY: Duration = Duration::from_secs(5);
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Checks the upstreams that have a health path until `stop` turns true.
pub async fn keep_healthy(routes: Arc<Routes>, metrics: Metrics, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let table = routes.table();
        let mut checks = tokio::task::JoinSet::new();
        for upstream in table.upstreams.iter().filter(|upstream| !upstream.settings.health.is_empty()).cloned() {
            checks.spawn(async move {
                let asked = tokio::time::timeout(PATIENCE, upstream.proxy.get(&upstream.settings.health)).await;
                let is_well = matches!(asked, Ok(Ok(status)) if status.is_success());
                (upstream, is_well)
            });
        }
        while let Some(Ok((upstream, is_well))) = checks.join_next().await {
            let name = upstream.settings.name.as_str();
            if upstream.checked(is_well) {
                tracing::warn!(upstream = name, healthy = is_well, "an upstream's health changed");
            }
            metrics.upstream_health(name, upstream.standing(std::time::Instant::now()).healthy);
        }
    }
}
