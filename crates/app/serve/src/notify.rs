//! Webhooks: the responder's outbox, delivered with signature, time limit and retries.

use std::sync::Arc;
use std::time::Duration;

use bartizan_respond::Notification;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::watch;

use crate::config::resolve_secret;
use crate::house::House;

/// Longest wait for a receiver's answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the outbox is looked at.
const INTERVAL: Duration = Duration::from_millis(250);

type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Delivers what is in the outbox until told to stop. What is not delivered then stays there.
pub(crate) async fn deliver(house: Arc<House>, mut stopped: watch::Receiver<bool>) {
    let Some(client) = client() else {
        tracing::error!("webhooks can't be delivered: no TLS");
        return;
    };
    loop {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        let now = house.clock.now();
        for notification in house.responder.outbox() {
            if notification.not_before > now {
                continue;
            }
            let sent = send(&house, &client, &notification).await;
            let responder = house.responder.clone();
            let recorded = tokio::task::spawn_blocking(move || match sent {
                Ok(()) => responder.delivered(&notification.id),
                Err(reason) => responder.failed(&notification.id, &reason),
            })
            .await;
            if let Ok(Err(error)) = recorded {
                tracing::error!(%error, "a notification's outcome could not be recorded");
            }
        }
    }
}

fn client() -> Option<HttpsClient> {
    let tls = bartizan_gateway::outgoing_tls().ok()?;
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    Some(Client::builder(TokioExecutor::new()).build(connector))
}

async fn send(house: &House, client: &HttpsClient, notification: &Notification) -> Result<(), String> {
    let config = house.config.load();
    let webhook = config.respond.webhooks.iter().find(|webhook| webhook.name == notification.webhook);
    let webhook = webhook.ok_or("the webhook is no longer configured")?;
    let secret = resolve_secret(&webhook.secret).map_err(|error| error.to_string())?;
    let seconds = house.clock.now().seconds();
    let headers =
        bartizan_respond::sign(notification.body.as_bytes(), secret.expose().as_bytes(), &notification.id, seconds);
    let mut request = Request::post(&webhook.url).header("content-type", "application/json");
    for (name, value) in &headers {
        request = request.header(*name, value);
    }
    let request = request
        .body(Full::new(Bytes::from(notification.body.clone())))
        .map_err(|_| "the webhook's URL is not one".to_owned())?;
    let answer = tokio::time::timeout(PATIENCE, client.request(request)).await;
    match answer {
        Err(_elapsed) => Err("the receiver did not answer within 10 s".to_owned()),
        Ok(Err(error)) => Err(format!("the receiver can't be reached: {error}")),
        Ok(Ok(answer)) if answer.status().is_success() => Ok(()),
        Ok(Ok(answer)) => Err(format!("the receiver answered {}", answer.status().as_u16())),
    }
}
