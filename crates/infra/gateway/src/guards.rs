//! The gateway's own guards, in the order in which they are asked.

use std::sync::Arc;

use bartizan_access::{Directory, Policies, Resource, Workloads};
use bartizan_core::{Digest, Outcome};
use bartizan_inference::Signature;
use hyper::StatusCode;

use crate::budget::BudgetBook;
use crate::guard::{Admission, Guard, Refusal, Stage};
use crate::limit::Limits;
use crate::prompts::PromptMode;
use crate::settings::{Mode, Settings};
use crate::tokens::Tokens;

/// What the guards ask.
pub(crate) struct Grounds {
    pub(crate) directory: Arc<Directory>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) workloads: Arc<Workloads>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) book: Arc<BudgetBook>,
    pub(crate) limits: Arc<Limits>,
    /// The embedded model's signature and digest, where there is one.
    pub(crate) model: Option<(Signature, Digest)>,
}

/// The ordered list for these settings.
pub(crate) fn list(settings: &Settings, grounds: &Grounds) -> Vec<Box<dyn Guard>> {
    let mut guards: Vec<Box<dyn Guard>> = vec![
        Box::new(Authenticate {
            directory: grounds.directory.clone(),
            tokens: grounds.tokens.clone(),
            workloads: grounds.workloads.clone(),
        }),
        Box::new(Authorize { policies: grounds.policies.clone() }),
        Box::new(Limit { limits: grounds.limits.clone() }),
    ];
    if let Some((signature, digest)) = &grounds.model {
        guards.push(Box::new(ServableModel { directory: grounds.directory.clone(), digest: *digest }));
        guards.push(Box::new(Budget {
            book: grounds.book.clone(),
            limit: settings.information_bits_per_day,
            mode: settings.mode,
        }));
        guards.push(Box::new(Validate { signature: signature.clone(), values: settings.tensor_values }));
    } else {
        guards.push(Box::new(AuthorizeModel { policies: grounds.policies.clone() }));
        if settings.prompts.mode != PromptMode::Off {
            guards.push(Box::new(PromptInjection { mode: settings.prompts.mode }));
        }
    }
    guards
}

/// Who is asking?
struct Authenticate {
    directory: Arc<Directory>,
    tokens: Arc<Tokens>,
    workloads: Arc<Workloads>,
}

impl Guard for Authenticate {
    fn name(&self) -> &'static str {
        "authenticate"
    }

    fn stage(&self) -> Stage {
        Stage::Head
    }

    fn check(&self, admission: &mut Admission<'_>) -> Result<(), Refusal> {
        // One and the same message for whatever is wrong: it must not tell a guess from a near miss.
        let message = if self.tokens.are_accepted() {
            "a valid API key or access token is needed; send it as `Authorization: Bearer …`, or ask an administrator for one"
        } else {
            "a valid API key is needed; send it as `Authorization: Bearer bz_…`, or ask an administrator for one"
        };
        let refuse = |reason: &str| Refusal::new(StatusCode::UNAUTHORIZED, reason, message);
        // A key or a token that is shown counts; a certificate alone says who it is where nothing is shown.
        let authenticated = match (&admission.head.credential, &admission.certificate) {
            (Some(credential), _) if self.tokens.takes(credential) => {
                self.tokens.authenticate(credential, &self.directory, admission.now)
            }
            (Some(credential), _) => self.directory.authenticate(credential, admission.now),
            (None, Some(certificate)) => self.workloads.authenticate(certificate, &self.directory, admission.now),
            (None, None) => return Err(refuse("key-missing")),
        };
        match authenticated {
            Ok(caller) => {
                admission.caller = Some(caller);
                Ok(())
            }
            Err(denied) => Err(Refusal {
                principal: denied.principal,
                key: denied.key,
                drill: denied.drill,
                ..refuse(denied.reason)
            }),
        }
    }
}

/// May they?
struct Authorize {
    policies: Arc<Policies>,
}

impl Guard for Authorize {
    fn name(&self) -> &'static str {
        "authorize"
    }

    fn stage(&self) -> Stage {
        Stage::Head
    }

    fn check(&self, admission: &mut Admission<'_>) -> Result<(), Refusal> {
        let refuse = |reason: &str| {
            Refusal::new(
                StatusCode::FORBIDDEN,
                reason,
                "this key may not do that; ask an administrator for the role it needs",
            )
        };
        let Some(caller) = &admission.caller else { return Err(refuse("unauthenticated")) };
        let decision = self.policies.decide(&caller.principal, admission.operation, admission.resource);
        if decision.outcome != Outcome::Allow {
            return Err(refuse(&decision.reason));
        }
        admission.decision = Some(decision);
        Ok(())
    }
}

/// May they use the model that the request names? Behind the door there are several, and which one it is stands in
/// the body.
struct AuthorizeModel {
    policies: Arc<Policies>,
}

impl Guard for AuthorizeModel {
    fn name(&self) -> &'static str {
        "authorize-model"
    }

    fn stage(&self) -> Stage {
        Stage::Body
    }

    fn check(&self, admission: &mut Admission<'_>) -> Result<(), Refusal> {
        let (Resource::Model(tenant, _), false) = (admission.resource, admission.model.is_empty()) else {
            return Ok(());
        };
        let message = "this key may not use that model; ask an administrator for the role it needs";
        let refuse = |reason: &str| Refusal::new(StatusCode::FORBIDDEN, reason, message);
        let Some(caller) = &admission.caller else { return Err(refuse("unauthenticated")) };
        let resource = Resource::Model(tenant.clone(), admission.model.clone());
        let decision = self.policies.decide(&caller.principal, admission.operation, &resource);
        if decision.outcome != Outcome::Allow {
            return Err(refuse(&decision.reason));
        }
        admission.decision = Some(decision);
        Ok(())
    }
}

/// Not too often.
struct Limit {
    limits: Arc<Limits>,
}

impl Guard for Limit {
    fn name(&self) -> &'static str {
        "limit"
    }

    fn stage(&self) -> Stage {
        Stage::Head
    }

    fn check(&self, admission: &mut Admission<'_>) -> Result<(), Refusal> {
        let Some(caller) = &admission.caller else { return Ok(()) };
        self.limits.take(&caller.principal.id, caller.divisor).map_err(|seconds| Refusal {
            retry_after: Some(seconds),
            ..Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate-limited",
                "too many requests; wait as long as `Retry-After` says",
            )
        })
    }
}

/// Is the model in service?
struct ServableModel {
    directory: Arc<Directory>,
    digest: Digest,
}

impl Guard for ServableModel {
    fn name(&self) -> &'static str {
        "servable-model"
    }

    fn stage(&self) -> Stage {
        Stage::Head
    }

    fn check(&self, admission: &mut Admission<'_>) -> Result<(), Refusal> {
        match self.directory.blocked_model(&self.digest, admission.now) {
            None => Ok(()),
            Some(_) => Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "model-blocked",
                "this model is taken out of service; ask its operator",
            )),
        }
    }
}

/// Not too much in a day. Can be wrong about a heavy customer, and so respects shadow mode. What an
/// answer really carries is drawn when it is known; this refuses those who have nothing left.
struct Budget {
    book: Arc<BudgetBook>,
    limit: u64,
    mode: Mode,
}

impl Guard for Budget {
    fn name(&self) -> &'static str {
        "information-budget"
    }

    fn stage(&self) -> Stage {
        Stage::Head
    }

    fn check(&self, admission: &mut Admission<'_>) -> Result<(), Refusal> {
        let Some(caller) = &admission.caller else { return Ok(()) };
        if self.limit == 0 || self.book.drawn(&caller.principal.id, admission.now) < self.limit {
            return Ok(());
        }
        if self.mode == Mode::Shadow {
            admission.shadowed.push("information-budget");
            return Ok(());
        }
        Err(over_budget(admission.now))
    }
}

/// The refusal of somebody whose budget for the day is exhausted.
pub(crate) fn over_budget(now: bartizan_core::Timestamp) -> Refusal {
    let midnight = (now.day() + 1) * 86_400;
    Refusal {
        retry_after: u64::try_from(midnight - now.seconds()).ok(),
        ..Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "information-budget",
            "the day's budget of model output for this key is used up; it starts anew at 00:00 UTC, or ask an operator for more",
        )
    }
}

/// Does the prompt try to turn the model against its application? Can be wrong, and so has a shadow mode.
struct PromptInjection {
    mode: PromptMode,
}

impl Guard for PromptInjection {
    fn name(&self) -> &'static str {
        "prompt-injection"
    }

    fn stage(&self) -> Stage {
        Stage::Body
    }

    fn check(&self, admission: &mut Admission<'_>) -> Result<(), Refusal> {
        let Some(finding) = &admission.prompt else { return Ok(()) };
        let (reason, message) = if finding.is_hostile {
            (
                "prompt-injection",
                "the prompt, or a document or tool result in it, looks like an attempt to take over the model",
            )
        } else if finding.is_partial {
            (
                "prompt-unread",
                "the prompt is too long to be judged; send less at once, or ask an operator to raise `gateway.prompts.bytes`",
            )
        } else {
            return Ok(());
        };
        if self.mode == PromptMode::Enforce {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, reason, message));
        }
        admission.shadowed.push(reason);
        Ok(())
    }
}

/// Do the tensors fit the model's signature?
struct Validate {
    signature: Signature,
    values: usize,
}

impl Guard for Validate {
    fn name(&self) -> &'static str {
        "validate"
    }

    fn stage(&self) -> Stage {
        Stage::Body
    }

    fn check(&self, admission: &mut Admission<'_>) -> Result<(), Refusal> {
        let Some(request) = &admission.tensors else { return Ok(()) };
        self.signature
            .check(&request.inputs, self.values)
            .map_err(|refusal| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, refusal.reason(), refusal.to_string()))
    }
}
