//! Traffic of the last minutes, and what was seen of each caller.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bartizan_access::Operation;

use super::chart::{Latency, Requests};
use super::failure::{Failure, html};
use super::frame::Frame;
use super::visitor::Visitor;
use super::words;
use crate::house::House;

#[derive(Template)]
#[template(path = "traffic.html")]
struct Page {
    frame: Frame,
    requests: Requests,
    latency: Latency,
    limit: String,
    burst: String,
    budget: Option<String>,
    body: String,
    concurrency: String,
    dropped: String,
}

pub(super) async fn page(State(house): State<Arc<House>>, visitor: Visitor) -> Result<Response, Failure> {
    house.allow(&visitor.actor, Operation::ReadTraffic).await?;
    let settings = house.config.load().gateway.clone();
    let seconds = house.traffic.last(300, house.clock.now());
    let bits = settings.information_bits_per_day;
    Ok(html(&Page {
        frame: Frame::new(&house, &visitor, "Traffic", "/traffic"),
        requests: Requests::new(&seconds),
        latency: Latency::new(&seconds),
        limit: words::count(settings.requests_per_second.into()),
        burst: words::count(settings.burst.into()),
        budget: (bits > 0).then(|| words::count(bits)),
        body: words::count(settings.body_bytes as u64),
        concurrency: words::count(settings.concurrency as u64),
        dropped: words::count(house.watch.bus().dropped()),
    }))
}
