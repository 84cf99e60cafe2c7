//! Who there is, what opens the door for them, and what is held against them.
//!
//! Every change is one journal record, durable before it has effect; memory is rebuilt from the
//! journal at start. Reading takes a shared lock and copies nothing but reference counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bartizan_core::{Digest, Secret, Tenant, Timestamp};
use bartizan_storage::{Journal, Storage};
use serde::{Deserialize, Serialize};

use crate::authenticate::{Caller, Denied, Known, Lookup, check, check_token};
use crate::error::AccessError;
use crate::key::{ApiKey, IssuedKey, random_word};
use crate::password::PasswordHash;
use crate::principal::{Principal, Role};
use crate::restriction::{Restriction, RestrictionKind};

/// The journal is rewritten when it has grown to this many bytes and most of it is history.
const COMPACT_BYTES: u64 = 4 << 20;

/// One record of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
enum Change {
    Principal { principal: Principal },
    PrincipalRemoved { id: String },
    Key { key: ApiKey },
    Password { principal: String, hash: PasswordHash, one_time: bool },
    Restriction { restriction: Restriction },
    RestrictionLifted { id: String },
}

#[derive(Clone, Debug)]
struct Password {
    hash: PasswordHash,
    one_time: bool,
}

#[derive(Default)]
struct State {
    principals: HashMap<String, Arc<Principal>>,
    keys: BTreeMap<String, (Arc<str>, ApiKey)>,
    passwords: HashMap<String, Password>,
    restrictions: HashMap<String, Restriction>,
    held: HashMap<(RestrictionKind, String), Vec<Restriction>>,
    generation: u64,
}

/// The store of principals, keys, passwords and restrictions.
pub struct Directory {
    state: RwLock<State>,
    journal: Mutex<Journal>,
}

impl Directory {
    /// Opens the store in `folder`, creating it when absent.
    ///
    /// # Errors
    /// The journal can't be opened, or holds a record that this version does not know.
    pub fn open(storage: Arc<dyn Storage>, folder: &Path) -> Result<Self, AccessError> {
        let (journal, records) = Journal::open(storage, &folder.join("access.journal"), "bzaccess", 1)?;
        let mut state = State::default();
        for (record, bytes) in records.iter().enumerate() {
            let change = serde_json::from_slice(bytes).map_err(|error| AccessError::Record {
                record,
                reason: bartizan_core::printable(&error.to_string()),
            })?;
            state.apply(change);
        }
        Ok(Self { state: RwLock::new(state), journal: Mutex::new(journal) })
    }

    /// Checks a presented key.
    ///
    /// # Errors
    /// Why it is not good.
    pub fn authenticate(&self, presented: &str, now: Timestamp) -> Result<Caller, Denied> {
        check(&*self.read(), presented, now)
    }

    /// Holds the principal of a verified access token against what is in force. The principal is not
    /// kept: the next token brings it again.
    ///
    /// # Errors
    /// Why it may not pass.
    pub(crate) fn admit_token(
        &self,
        principal: &Arc<Principal>,
        token: &Arc<str>,
        issued: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Caller, Denied> {
        check_token(&*self.read(), principal, token, issued, now)
    }

    /// The principal that a name and password belong to, and whether the password must be changed.
    /// Costs a password hash, also for a name that is not there.
    pub fn log_in(
        &self,
        tenant: &Tenant,
        name: &str,
        password: &Secret<String>,
        now: Timestamp,
    ) -> Option<(Arc<Principal>, bool)> {
        let found = {
            let state = self.read();
            let principal = state.principals.values().find(|p| p.tenant == *tenant && p.name == name).cloned();
            principal.and_then(|principal| {
                let password = state.passwords.get(&principal.id)?.clone();
                Some((principal, password))
            })
        };
        let Some((principal, stored)) = found else {
            let _ = PasswordHash::new(password);
            return None;
        };
        let good = stored.hash.verify(password) && self.is_active(&principal.id, now);
        good.then_some((principal, stored.one_time))
    }

    /// Whether the principal is there, not blocked and not expired.
    pub fn is_active(&self, id: &str, now: Timestamp) -> bool {
        let state = self.read();
        let blocked = state.restrictions(RestrictionKind::BlockedPrincipal, id).iter().any(|r| r.is_in_force(now));
        !blocked && state.principals.get(id).is_some_and(|p| p.expires.is_none_or(|expires| now < expires))
    }

    /// Whether a model of that digest may not be served, and on whose word (the restriction's id).
    pub fn blocked_model(&self, digest: &Digest, now: Timestamp) -> Option<String> {
        let state = self.read();
        let held = state.restrictions(RestrictionKind::BlockedModel, &digest.to_string());
        held.iter().find(|restriction| restriction.is_in_force(now)).map(|restriction| restriction.id.clone())
    }

    /// Changes with every change; what was derived from the directory is stale when it differs.
    pub fn generation(&self) -> u64 {
        self.read().generation
    }

    /// Everybody, by name.
    pub fn principals(&self) -> Vec<Arc<Principal>> {
        let mut all: Vec<_> = self.read().principals.values().cloned().collect();
        all.sort_by(|a, b| (&a.tenant, &a.name).cmp(&(&b.tenant, &b.name)));
        all
    }

    /// One principal, by id or by name.
    pub fn principal(&self, id_or_name: &str) -> Option<Arc<Principal>> {
        let state = self.read();
        let by_name = || state.principals.values().find(|principal| principal.name == id_or_name);
        state.principals.get(id_or_name).or_else(by_name).cloned()
    }

    /// All keys, newest first.
    pub fn keys(&self) -> Vec<ApiKey> {
        let mut all: Vec<_> = self.read().keys.values().map(|(_, key)| key.clone()).collect();
        all.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.prefix.cmp(&b.prefix)));
        all
    }

    /// All restrictions, newest first.
    pub fn restrictions(&self) -> Vec<Restriction> {
        let mut all: Vec<_> = self.read().restrictions.values().cloned().collect();
        all.sort_by(|a, b| b.since.cmp(&a.since).then_with(|| a.id.cmp(&b.id)));
        all
    }

    /// Adds a principal.
    ///
    /// # Errors
    /// The name is taken or not one; the journal can't be written.
    pub fn add_principal(
        &self,
        tenant: Tenant,
        name: &str,
        roles: BTreeSet<Role>,
        now: Timestamp,
        mark: impl FnOnce(&mut Principal),
    ) -> Result<Arc<Principal>, AccessError> {
        let length = name.chars().count();
        if !(1..=100).contains(&length) || bartizan_core::printable(name) != name || name.trim() != name {
            return Err(AccessError::Name(bartizan_core::printable(name)));
        }
        let id = format!("prn_{}", random_word(16)?);
        let mut principal = Principal {
            id: id.clone(),
            tenant,
            name: name.to_owned(),
            roles,
            created: now,
            expires: None,
            drill: false,
            canary: false,
            protected: false,
        };
        mark(&mut principal);
        self.change_if(
            |state| {
                let taken = state.principals.values().any(|p| p.tenant == principal.tenant && p.name == principal.name);
                if taken { Err(AccessError::Taken(principal.name.clone())) } else { Ok(()) }
            },
            Change::Principal { principal: principal.clone() },
        )?;
        Ok(Arc::new(principal))
    }

    /// Changes a principal's roles or protection.
    ///
    /// # Errors
    /// There is no such principal, it is the last administrator, or the journal can't be written.
    pub fn change_principal(&self, id: &str, change: impl FnOnce(&mut Principal)) -> Result<(), AccessError> {
        let unknown = || AccessError::Unknown { what: "principal", id: bartizan_core::printable(id) };
        let mut principal =
            self.read().principals.get(id).map(|principal| (**principal).clone()).ok_or_else(unknown)?;
        change(&mut principal);
        let keeps_admin = principal.roles.contains(&Role::Admin);
        self.change_if(
            |state| if keeps_admin || state.has_other_admin(id) { Ok(()) } else { Err(AccessError::LastAdministrator) },
            Change::Principal { principal },
        )
    }

    /// Removes a principal, with its keys and password.
    ///
    /// # Errors
    /// There is no such principal, it is the last administrator, or the journal can't be written.
    pub fn remove_principal(&self, id: &str) -> Result<(), AccessError> {
        self.change_if(
            |state| {
                if !state.principals.contains_key(id) {
                    return Err(AccessError::Unknown { what: "principal", id: bartizan_core::printable(id) });
                }
                if state.has_other_admin(id) { Ok(()) } else { Err(AccessError::LastAdministrator) }
            },
            Change::PrincipalRemoved { id: id.to_owned() },
        )
    }

    /// Makes a key for a principal.
    ///
    /// # Errors
    /// There is no such principal, or the journal can't be written.
    pub fn issue_key(
        &self,
        principal: &str,
        now: Timestamp,
        expires: Option<Timestamp>,
    ) -> Result<IssuedKey, AccessError> {
        let issued = IssuedKey::new(principal, now, expires)?;
        self.change_if(
            |state| {
                if state.principals.contains_key(principal) {
                    Ok(())
                } else {
                    Err(AccessError::Unknown { what: "principal", id: bartizan_core::printable(principal) })
                }
            },
            Change::Key { key: issued.key.clone() },
        )?;
        Ok(issued)
    }

    /// Makes another key for the same principal and lets the old one live until `overlap_ends`.
    ///
    /// # Errors
    /// There is no such key, or the journal can't be written.
    pub fn rotate_key(&self, prefix: &str, now: Timestamp, overlap_ends: Timestamp) -> Result<IssuedKey, AccessError> {
        let unknown = || AccessError::Unknown { what: "key", id: bartizan_core::printable(prefix) };
        let mut old = self.read().keys.get(prefix).map(|(_, key)| key.clone()).ok_or_else(unknown)?;
        // The new key lives as long as the old one was meant to.
        let lifetime = old.expires.map(|expires| expires.seconds() - old.created.seconds());
        let issued = self.issue_key(&old.principal, now, lifetime.map(|seconds| now.plus_seconds(seconds)))?;
        old.expires = Some(old.expires.map_or(overlap_ends, |expires| expires.min(overlap_ends)));
        self.change_if(|_| Ok(()), Change::Key { key: old })?;
        Ok(issued)
    }

    /// Sets a principal's password. A one-time password must be changed at the first log-in.
    ///
    /// # Errors
    /// There is no such principal, the password can't be hashed, or the journal can't be written.
    pub fn set_password(&self, principal: &str, password: &Secret<String>, one_time: bool) -> Result<(), AccessError> {
        let hash = PasswordHash::new(password)?;
        let unknown = || AccessError::Unknown { what: "principal", id: bartizan_core::printable(principal) };
        self.change_if(
            |state| if state.principals.contains_key(principal) { Ok(()) } else { Err(unknown()) },
            Change::Password { principal: principal.to_owned(), hash, one_time },
        )
    }

    /// Puts a restriction in force; one with the same id is left as it is.
    ///
    /// # Errors
    /// The journal can't be written.
    pub fn restrict(&self, restriction: Restriction) -> Result<(), AccessError> {
        if self.read().restrictions.contains_key(&restriction.id) {
            return Ok(());
        }
        self.change_if(|_| Ok(()), Change::Restriction { restriction })
    }

    /// Lifts a restriction; one that is not there is not an error. Says whether it was there.
    ///
    /// # Errors
    /// The journal can't be written.
    pub fn lift(&self, id: &str) -> Result<bool, AccessError> {
        if !self.read().restrictions.contains_key(id) {
            return Ok(false);
        }
        self.change_if(|_| Ok(()), Change::RestrictionLifted { id: id.to_owned() })?;
        Ok(true)
    }

    /// Checks, writes and applies one change, under the journal's lock from beginning to end.
    fn change_if(
        &self,
        allowed: impl FnOnce(&State) -> Result<(), AccessError>,
        change: Change,
    ) -> Result<(), AccessError> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        allowed(&self.read())?;
        let record = serde_json::to_vec(&change)
            .map_err(|error| AccessError::Record { record: 0, reason: error.to_string() })?;
        journal.append(&record)?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.apply(change);
        if journal.bytes() > COMPACT_BYTES {
            let records = state.records();
            let size: usize = records.iter().map(Vec::len).sum();
            if (size as u64) < journal.bytes() / 2 {
                journal.rewrite(&records)?;
            }
        }
        Ok(())
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn apply(&mut self, change: Change) {
        self.generation += 1;
        match change {
            Change::Principal { principal } => {
                self.principals.insert(principal.id.clone(), Arc::new(principal));
            }
            Change::PrincipalRemoved { id } => {
                self.principals.remove(&id);
                self.passwords.remove(&id);
                self.keys.retain(|_, (_, key)| key.principal != id);
            }
            Change::Key { key } => {
                self.keys.insert(key.prefix.clone(), (Arc::from(key.prefix.as_str()), key));
            }
            Change::Password { principal, hash, one_time } => {
                self.passwords.insert(principal, Password { hash, one_time });
            }
            Change::Restriction { restriction } => {
                let held = self.held.entry((restriction.kind, restriction.target.clone())).or_default();
                held.retain(|other| other.id != restriction.id);
                held.push(restriction.clone());
                self.restrictions.insert(restriction.id.clone(), restriction);
            }
            Change::RestrictionLifted { id } => {
                if let Some(restriction) = self.restrictions.remove(&id) {
                    let target = (restriction.kind, restriction.target);
                    if let Some(held) = self.held.get_mut(&target) {
                        held.retain(|other| other.id != id);
                        if held.is_empty() {
                            self.held.remove(&target);
                        }
                    }
                }
            }
        }
    }

    fn has_other_admin(&self, id: &str) -> bool {
        self.principals.values().any(|p| p.id != id && p.roles.contains(&Role::Admin))
    }

    /// The fewest records that lead to this state.
    fn records(&self) -> Vec<Vec<u8>> {
        let principals = self.principals.values().map(|p| Change::Principal { principal: (**p).clone() });
        let keys = self.keys.values().map(|(_, key)| Change::Key { key: key.clone() });
        let passwords = self.passwords.iter().map(|(principal, password)| Change::Password {
            principal: principal.clone(),
            hash: password.hash.clone(),
            one_time: password.one_time,
        });
        let restrictions = self.restrictions.values().map(|r| Change::Restriction { restriction: r.clone() });
        principals
            .chain(keys)
            .chain(passwords)
            .chain(restrictions)
            .filter_map(|c| serde_json::to_vec(&c).ok())
            .collect()
    }
}

impl Lookup for State {
    /// The first key at or after the prefix, from a place just before it that no key has: whether one
    /// is met on the way down the tree does not shorten the way.
    fn nearest_key(&self, prefix: &str) -> Option<Known<'_>> {
        let before = just_before(prefix);
        let after = self.keys.range::<str, _>((Bound::Excluded(before.as_str()), Bound::Unbounded)).next();
        let (_, (shared, key)) = after.or_else(|| self.keys.first_key_value())?;
        Some(Known { hash: &key.hash, prefix: shared, expires: key.expires, principal: &key.principal })
    }

    fn principal(&self, id: &str) -> Option<&Arc<Principal>> {
        self.principals.get(id)
    }

    fn restrictions(&self, kind: RestrictionKind, target: &str) -> &[Restriction] {
        if self.held.is_empty() {
            return &[];
        }
        self.held.get(&(kind, target.to_owned())).map_or(&[], Vec::as_slice)
    }
}

/// A text before `prefix` and after every other prefix that is before it: all are of one length.
fn just_before(prefix: &str) -> String {
    let mut before = prefix.to_owned();
    let last = before.pop().and_then(|last| char::from_u32(u32::from(last).saturating_sub(1))).unwrap_or_default();
    before.extend([last, char::MAX]);
    before
}
