//! Console sessions: in memory only, so that a restart logs everybody out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bartizan_core::{Digest, Timestamp};

/// Sessions that are open at the same time.
const SESSIONS: usize = 1024;
/// Failed log-ins of one name in a row before it must wait.
const FAILURES: u32 = 5;
/// Seconds to wait after that.
const WAIT_SECONDS: i64 = 30;

/// Somebody's open console.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Who.
    pub(crate) principal: String,
    /// What every form must repeat.
    pub(crate) csrf: String,
    /// When it ends.
    pub(crate) expires: Timestamp,
    /// Whether nothing but a new password may be set.
    pub(crate) must_change_password: bool,
}

#[derive(Default)]
struct Open {
    sessions: HashMap<Digest, Session>,
    failures: HashMap<String, (u32, Timestamp)>,
}

/// All open consoles. Cookies are kept as digests only.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Open>);

impl Sessions {
    /// Opens a session and returns its cookie; `None` when the system gives no randomness.
    pub(crate) fn open(
        &self,
        principal: &str,
        must_change_password: bool,
        now: Timestamp,
        minutes: u32,
    ) -> Option<String> {
        let cookie = random_token()?;
        let csrf = random_token()?;
        let session = Session {
            principal: principal.to_owned(),
            csrf,
            expires: now.plus_seconds(i64::from(minutes) * 60),
            must_change_password,
        };
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.sessions.retain(|_, session| now < session.expires);
        if open.sessions.len() >= SESSIONS
            && let Some(oldest) = open.sessions.iter().min_by_key(|(_, session)| session.expires).map(|(key, _)| *key)
        {
            open.sessions.remove(&oldest);
        }
        open.sessions.insert(bartizan_signing::digest(cookie.as_bytes()), session);
        Some(cookie)
    }

    /// The session that a cookie belongs to.
    pub(crate) fn find(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = open.sessions.get(&bartizan_signing::digest(cookie.as_bytes()))?;
        (now < session.expires).then(|| session.clone())
    }

    /// Ends one session.
    pub(crate) fn close(&self, cookie: &str) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.sessions.remove(&bartizan_signing::digest(cookie.as_bytes()));
    }

    /// Ends all sessions of a principal.
    pub(crate) fn close_all(&self, principal: &str) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.sessions.retain(|_, session| session.principal != principal);
    }

    /// Whether a log-in under that name may be tried now.
    pub(crate) fn may_try(&self, name: &str, now: Timestamp) -> bool {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.failures.get(name).is_none_or(|(count, last)| *count < FAILURES || now >= last.plus_seconds(WAIT_SECONDS))
    }

    /// Remembers how a log-in went.
    pub(crate) fn tried(&self, name: &str, good: bool, now: Timestamp) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if good {
            open.failures.remove(name);
            return;
        }
        if open.failures.len() >= SESSIONS {
            open.failures.retain(|_, (_, last)| now < last.plus_seconds(WAIT_SECONDS));
        }
        if open.failures.len() < SESSIONS || open.failures.contains_key(name) {
            let failure = open.failures.entry(name.to_owned()).or_insert((0, now));
            *failure = (failure.0.saturating_add(1), now);
        }
    }
}

/// 256 random bits in hexadecimal.
fn random_token() -> Option<String> {
    let bytes = bartizan_signing::random_bytes::<32>().ok()?;
    Some(Digest::from_bytes(bytes).hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    #[test]
    fn a_session_ends_by_itself_and_when_it_is_closed() {
        let sessions = Sessions::default();
        let first = sessions.open("prn_a", false, NOW, 10).unwrap();
        let second = sessions.open("prn_a", false, NOW, 10).unwrap();
        assert!(sessions.find(&first, NOW).is_some());
        assert!(sessions.find(&first, NOW.plus_seconds(600)).is_none());
        assert!(sessions.find("guess", NOW).is_none());
        sessions.close(&first);
        assert!(sessions.find(&first, NOW).is_none());
        sessions.close_all("prn_a");
        assert!(sessions.find(&second, NOW).is_none());
    }

    #[test]
    fn guessing_is_slowed_down() {
        let sessions = Sessions::default();
        for _ in 0..5 {
            assert!(sessions.may_try("admin", NOW));
            sessions.tried("admin", false, NOW);
        }
        assert!(!sessions.may_try("admin", NOW));
        assert!(sessions.may_try("admin", NOW.plus_seconds(30)));
        sessions.tried("admin", true, NOW.plus_seconds(30));
        assert!(sessions.may_try("admin", NOW.plus_seconds(30)));
    }
}
