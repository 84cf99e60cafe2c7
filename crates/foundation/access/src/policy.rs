//! Cedar decisions: which principal may do which operation on which resource, and on what ground.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};

use bartizan_core::{Decision, Digest, Outcome, Tenant};
use cedar_policy::{
    Authorizer, Context, Decision as CedarDecision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet,
    Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use thiserror::Error;

use crate::principal::{Principal, Role};

/// The schema that all policies are validated against.
const SCHEMA: &str = include_str!("../policies/schema.cedarschema");
/// The policies that hold when the user brings none.
const DEFAULT_POLICIES: &str = include_str!("../policies/default.cedar");
/// Decisions that are remembered before the memory is emptied.
const REMEMBERED: usize = 16_384;

macro_rules! operations {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// What can be attempted; each is an action of the Cedar schema.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Operation { $($(#[doc = $doc])* $name,)* }

        impl Operation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The action's name in the schema.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

operations! {
    /// Ask a model for an answer.
    Infer,
    /// Read a model's signature.
    ReadModel,
    /// Administer a model server through the door: load and unload models, submit jobs.
    ManageModel,
    /// See the overview.
    ReadOverview,
    /// See traffic figures.
    ReadTraffic,
    /// See incidents.
    ReadIncidents,
    /// See what there is.
    ReadInventory,
    /// See weaknesses.
    ReadFindings,
    /// Record what a scan found, and forget it.
    RecordInventory,
    /// Read and verify the ledger.
    ReadLedger,
    /// See principals, roles and key prefixes.
    ReadAccess,
    /// Read metrics.
    ReadMetrics,
    /// Approve, contain, release and close.
    RespondToIncident,
    /// Assign, accept or dismiss a finding.
    TriageFinding,
    /// Create, change and remove principals and keys.
    ManageAccess,
    /// Reload, back up, restore.
    ManageSystem,
    /// Run a drill.
    RunDrill,
}

/// What an operation is attempted on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Resource {
    /// A model, by tenant and name.
    Model(Tenant, String),
    /// Bartizan itself, as far as a tenant owns it.
    System(Tenant),
}

/// Why policies could not be loaded.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// The text is not Cedar.
    #[error("policy file {file}: {reason}")]
    Syntax {
        /// Which file.
        file: String,
        /// What Cedar says, on one line.
        reason: String,
    },
    /// The text is Cedar, but speaks of things that do not exist.
    #[error(
        "policy file {file} does not fit the schema: {reason}; `bartizan config export-defaults DIR` writes the schema"
    )]
    Schema {
        /// Which file.
        file: String,
        /// What Cedar says, on one line.
        reason: String,
    },
    /// Two policies have one id.
    #[error("policy file {file}: the id `{id}` is taken; give each policy its own @id")]
    Duplicate {
        /// Which file.
        file: String,
        /// The id.
        id: String,
    },
}

/// Loaded and validated policies, with a memory of decisions.
pub struct Policies {
    authorizer: Authorizer,
    policies: PolicySet,
    schema: Schema,
    digest: Digest,
    count: usize,
    remembered: RwLock<HashMap<(String, Operation, Resource), Decision>>,
    names: Names,
}

/// Cedar's names, parsed once.
struct Names {
    principal: EntityTypeName,
    role: EntityTypeName,
    model: EntityTypeName,
    system: EntityTypeName,
    action: EntityTypeName,
}

impl Policies {
    /// The default policies and `more` (file name and text).
    ///
    /// # Errors
    /// A file that is not Cedar, does not fit the schema, or repeats an id.
    pub fn load(more: &BTreeMap<String, String>) -> Result<Self, PolicyError> {
        let default = ("default.cedar", DEFAULT_POLICIES);
        let files = std::iter::once(default).chain(more.iter().map(|(name, text)| (name.as_str(), text.as_str())));
        let schema = Schema::from_cedarschema_str(SCHEMA)
            .map_err(|error| PolicyError::Syntax { file: "schema.cedarschema".to_owned(), reason: one_line(&error) })?
            .0;
        let validator = Validator::new(schema.clone());
        let mut policies = PolicySet::new();
        let mut hashed = SCHEMA.as_bytes().to_vec();
        for (file, text) in files {
            let file = bartizan_core::printable(file);
            let parsed = PolicySet::from_str(text)
                .map_err(|error| PolicyError::Syntax { file: file.clone(), reason: one_line(&error) })?;
            let result = validator.validate(&parsed, ValidationMode::Strict);
            if let Some(error) = result.validation_errors().next() {
                return Err(PolicyError::Schema { file, reason: one_line(error) });
            }
            for (index, policy) in parsed.policies().enumerate() {
                let id = policy.annotation("id").map_or_else(|| format!("{file}#{index}"), ToOwned::to_owned);
                let named = policy.new_id(cedar_policy::PolicyId::new(&id));
                policies
                    .add(named)
                    .map_err(|_| PolicyError::Duplicate { file: file.clone(), id: bartizan_core::printable(&id) })?;
            }
            hashed.extend(text.as_bytes());
        }
        let name = |text: &str| {
            EntityTypeName::from_str(text).map_err(|error| PolicyError::Syntax {
                file: "schema.cedarschema".to_owned(),
                reason: one_line(&error),
            })
        };
        let names = Names {
            principal: name("Bartizan::Principal")?,
            role: name("Bartizan::Role")?,
            model: name("Bartizan::Model")?,
            system: name("Bartizan::System")?,
            action: name("Bartizan::Action")?,
        };
        let count = policies.policies().count();
        let digest = bartizan_signing::digest(&hashed);
        Ok(Self {
            authorizer: Authorizer::new(),
            policies,
            schema,
            digest,
            count,
            remembered: RwLock::default(),
            names,
        })
    }

    /// Digest of schema and policies; stands in every decision.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many policies there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The schema and default policies, by file name, for export.
    pub fn defaults() -> [(&'static str, &'static str); 2] {
        [("schema.cedarschema", SCHEMA), ("default.cedar", DEFAULT_POLICIES)]
    }

    /// Decides. The answer depends on nothing but the arguments and the policies, so it is
    /// remembered; a principal whose roles changed is a different argument.
    pub fn decide(&self, principal: &Principal, operation: Operation, resource: &Resource) -> Decision {
        let roles = principal.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join("+");
        let who = format!("{}/{}/{roles}/{}", principal.tenant, principal.id, principal.drill);
        let question = (who, operation, resource.clone());
        if let Some(decision) = self.remembered.read().unwrap_or_else(PoisonError::into_inner).get(&question) {
            return decision.clone();
        }
        let decision = self.evaluate(principal, operation, resource);
        let mut remembered = self.remembered.write().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(question, decision.clone());
        decision
    }

    fn evaluate(&self, principal: &Principal, operation: Operation, resource: &Resource) -> Decision {
        let denied =
            |reason: &str| Decision { outcome: Outcome::Deny, reason: reason.to_owned(), policy: Some(self.digest) };
        let Some((request, entities)) = self.question(principal, operation, resource) else {
            return denied("policy-error");
        };
        let response = self.authorizer.is_authorized(&request, &self.policies, &entities);
        if response.diagnostics().errors().next().is_some() {
            return denied("policy-error");
        }
        let grounds: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        match response.decision() {
            CedarDecision::Allow => {
                let reason = grounds.first().cloned().unwrap_or_default();
                Decision { outcome: Outcome::Allow, reason, policy: Some(self.digest) }
            }
            CedarDecision::Deny if grounds.is_empty() => denied("no-policy-permits"),
            CedarDecision::Deny => denied(&grounds.join("+")),
        }
    }

    fn question(
        &self,
        principal: &Principal,
        operation: Operation,
        resource: &Resource,
    ) -> Option<(Request, Entities)> {
        let uid = |kind: &EntityTypeName, id: &str| EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id));
        let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
        let who = uid(&self.names.principal, &principal.id);
        let roles: HashSet<EntityUid> =
            principal.roles.iter().map(|role| uid(&self.names.role, role.as_str())).collect();
        let attributes = HashMap::from([
            ("tenant".to_owned(), text(principal.tenant.as_str())),
            ("drill".to_owned(), RestrictedExpression::new_bool(principal.drill)),
        ]);
        let mut entities = vec![Entity::new(who.clone(), attributes, roles).ok()?];
        entities.extend(
            Role::ALL.iter().map(|role| Entity::new_no_attrs(uid(&self.names.role, role.as_str()), HashSet::new())),
        );
        let what = match resource {
            Resource::Model(tenant, name) => {
                let what = uid(&self.names.model, &format!("{tenant}/{name}"));
                let attributes =
                    HashMap::from([("tenant".to_owned(), text(tenant.as_str())), ("name".to_owned(), text(name))]);
                entities.push(Entity::new(what.clone(), attributes, HashSet::new()).ok()?);
                what
            }
            Resource::System(tenant) => {
                let what = uid(&self.names.system, tenant.as_str());
                let attributes = HashMap::from([("tenant".to_owned(), text(tenant.as_str()))]);
                entities.push(Entity::new(what.clone(), attributes, HashSet::new()).ok()?);
                what
            }
        };
        let action = uid(&self.names.action, operation.as_str());
        let request = Request::new(who, action, what, Context::empty(), Some(&self.schema)).ok()?;
        let entities = Entities::from_entities(entities, Some(&self.schema)).ok()?;
        Some((request, entities))
    }
}

fn one_line(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    bartizan_core::printable(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bartizan_core::Timestamp;

    use super::*;

    fn principal(tenant: &str, role: Role) -> Principal {
        Principal {
            id: format!("prn_{tenant}{role}"),
            tenant: tenant.parse().unwrap(),
            name: "x".to_owned(),
            roles: BTreeSet::from([role]),
            created: Timestamp::default(),
            expires: None,
            drill: false,
            canary: false,
            protected: false,
        }
    }

    fn may(role: Role, tenant: &str, operation: Operation) -> bool {
        let policies = Policies::load(&BTreeMap::new()).unwrap();
        let resource = match operation {
            Operation::Infer | Operation::ReadModel | Operation::ManageModel => {
                Resource::Model(Tenant::default(), "digits".to_owned())
            }
            _ => Resource::System(Tenant::default()),
        };
        policies.decide(&principal(tenant, role), operation, &resource).outcome == Outcome::Allow
    }

    /// The whole default matrix, written out: a changed policy must change this table.
    #[test]
    fn the_default_policies_give_each_role_exactly_its_rights() {
        use Operation::{
            Infer, ManageAccess, ManageSystem, ReadAccess, ReadFindings, ReadIncidents, ReadInventory, ReadLedger,
            ReadMetrics, ReadModel, ReadOverview, ReadTraffic, RecordInventory, RespondToIncident, RunDrill,
            TriageFinding,
        };
        let reading = [
            ReadOverview,
            ReadTraffic,
            ReadIncidents,
            ReadInventory,
            ReadFindings,
            ReadLedger,
            ReadAccess,
            ReadMetrics,
        ];
        let mut operator = reading.to_vec();
        operator.extend([ReadModel, RecordInventory, RespondToIncident, TriageFinding, RunDrill]);
        let mut admin = operator.clone();
        admin.extend([ManageAccess, ManageSystem]);
        let table = [
            (Role::Client, vec![Infer, ReadModel]),
            (
                Role::DataScientist,
                vec![Infer, ReadModel, ReadOverview, ReadTraffic, ReadInventory, ReadFindings, RecordInventory],
            ),
            (Role::Auditor, reading.to_vec()),
            (Role::Operator, operator),
            (Role::Admin, admin),
        ];
        for (role, rights) in table {
            for operation in Operation::ALL {
                assert_eq!(may(role, "default", *operation), rights.contains(operation), "{role} {operation:?}");
            }
        }
    }

    #[test]
    fn no_role_reaches_into_another_tenant() {
        for role in Role::ALL {
            for operation in Operation::ALL {
                assert!(!may(role, "other", *operation), "{role} {operation:?}");
            }
        }
    }

    #[test]
    fn policies_that_do_not_fit_the_schema_are_refused_with_their_file() {
        let load = |text: &str| {
            Policies::load(&BTreeMap::from([("mine.cedar".to_owned(), text.to_owned())])).err().map(|e| e.to_string())
        };
        let misspelt = load(r#"permit (principal, action == Bartizan::Action::"Infre", resource);"#).unwrap();
        assert!(misspelt.contains("mine.cedar") && misspelt.contains("Infre"), "{misspelt}");
        assert!(load("permit (principal").unwrap().contains("mine.cedar"));
        assert!(load(r#"@id("client-uses-models") forbid (principal, action, resource);"#).unwrap().contains("taken"));
    }

    #[test]
    fn a_forbidding_policy_of_the_users_wins() {
        let text = r#"@id("no-drills") forbid (principal, action, resource) when { principal.drill };"#;
        let policies = Policies::load(&BTreeMap::from([("mine.cedar".to_owned(), text.to_owned())])).unwrap();
        let mut client = principal("default", Role::Client);
        let model = Resource::Model(Tenant::default(), "digits".to_owned());
        assert_eq!(policies.decide(&client, Operation::Infer, &model).outcome, Outcome::Allow);
        client.drill = true;
        let decision = policies.decide(&client, Operation::Infer, &model);
        assert_eq!((decision.outcome, decision.reason.as_str()), (Outcome::Deny, "no-drills"));
    }
}
