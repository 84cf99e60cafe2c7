//! The model that runs in process.

use std::sync::Arc;
use std::time::Duration;

use bartizan_core::{Asset, Digest};
use bartizan_inference::{Model, Signature, Tensor};
use hyper::StatusCode;
use tokio::sync::Semaphore;

use crate::guard::Refusal;

/// A model of our own to guard: its name, identity and engine.
#[derive(Clone)]
pub struct Embedded {
    /// The model as an asset, pinned to its bytes.
    pub asset: Asset,
    /// SHA-256 of the model file.
    pub digest: Digest,
    /// What it takes and gives, with the ranges that its profile states.
    pub signature: Signature,
    /// The engine.
    pub model: Model,
    running: Arc<Semaphore>,
}

impl Embedded {
    /// A model to serve; `parallel` requests run at the same time, the others wait.
    pub fn new(asset: Asset, digest: Digest, signature: Signature, model: Model, parallel: usize) -> Self {
        Self { asset, digest, signature, model, running: Arc::new(Semaphore::new(parallel.max(1))) }
    }

    /// Runs the model on the pool of blocking threads.
    pub(crate) async fn infer(&self, inputs: Vec<Tensor>, deadline: Duration) -> Result<Vec<Tensor>, Refusal> {
        let failed = |reason, message: &str| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, reason, message);
        let late = || Refusal {
            retry_after: Some(1),
            ..Refusal::new(
                StatusCode::GATEWAY_TIMEOUT,
                "deadline",
                "the model took too long; send less at once, or try again",
            )
        };
        let work = async {
            let permit = self.running.clone().acquire_owned().await;
            let model = self.model.clone();
            tokio::task::spawn_blocking(move || {
                let _permit = permit;
                model.run(inputs)
            })
            .await
        };
        match tokio::time::timeout(deadline, work).await {
            Err(_elapsed) => Err(late()),
            Ok(Ok(Ok(outputs))) => Ok(outputs),
            Ok(Ok(Err(error))) => {
                tracing::warn!(%error, "inference failed");
                Err(failed("inference-failed", "the model failed on this input; check shape and values"))
            }
            Ok(Err(_panicked)) => {
                Err(failed("inference-failed", "the model failed on this input; check shape and values"))
            }
        }
    }
}
