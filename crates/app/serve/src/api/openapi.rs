//! The OpenAPI description of the admin API, written from one table.

use axum::Json;
use serde_json::{Map, Value, json};

/// Method, path, right that it needs, what it does, and the body's fields (name, JSON type, required).
type Row = (&'static str, &'static str, &'static str, &'static str, &'static [(&'static str, &'static str, bool)]);

/// Every route. A test asks the router for each of them.
pub(crate) const ROUTES: &[Row] = &[
    ("get", "/api/v1/overview", "ReadOverview", "What is guarded, in which mode, and how the ledger does", &[]),
    ("get", "/api/v1/traffic", "ReadTraffic", "Requests of the last five minutes, second by second", &[]),
    ("get", "/api/v1/principals", "ReadAccess", "Everybody who can act", &[]),
    (
        "post",
        "/api/v1/principals",
        "ManageAccess",
        "Add a principal",
        &[
            ("tenant", "string", false),
            ("name", "string", true),
            ("roles", "array", true),
            ("protected", "boolean", false),
            ("canary", "boolean", false),
        ],
    ),
    (
        "patch",
        "/api/v1/principals/{id}",
        "ManageAccess",
        "Change roles or protection",
        &[("roles", "array", false), ("protected", "boolean", false)],
    ),
    ("delete", "/api/v1/principals/{id}", "ManageAccess", "Remove a principal and its keys", &[]),
    ("post", "/api/v1/principals/{id}/password", "ManageAccess", "Make a one-time password", &[]),
    ("post", "/api/v1/principals/{id}/block", "ManageAccess", "Refuse a principal from the next request on", &[]),
    (
        "get",
        "/api/v1/issuers/{issuer}/principals/{subject}",
        "ReadAccess",
        "The id of a principal that comes with access tokens",
        &[],
    ),
    (
        "post",
        "/api/v1/issuers/{issuer}/revocations",
        "ManageAccess",
        "Revoke one access token by its `jti`, or all that a subject was issued until now",
        &[("token", "string", false), ("subject", "string", false)],
    ),
    ("get", "/api/v1/keys", "ReadAccess", "Public prefixes of all keys", &[]),
    (
        "post",
        "/api/v1/keys",
        "ManageAccess",
        "Issue a key; its secret is shown once",
        &[("principal", "string", true), ("days", "integer", false)],
    ),
    ("delete", "/api/v1/keys/{prefix}", "ManageAccess", "Revoke a key from the next request on", &[]),
    (
        "post",
        "/api/v1/keys/{prefix}/rotate",
        "ManageAccess",
        "Issue another key; the old one lives on for the overlap",
        &[("overlap_hours", "integer", false)],
    ),
    ("get", "/api/v1/restrictions", "ReadAccess", "What is held against keys, principals and models", &[]),
    ("delete", "/api/v1/restrictions/{id}", "ManageAccess", "Lift a restriction", &[]),
    ("get", "/api/v1/incidents", "ReadIncidents", "All incidents, newest first", &[]),
    ("get", "/api/v1/incidents/{id}", "ReadIncidents", "One incident with its timeline and actions", &[]),
    (
        "post",
        "/api/v1/incidents/{id}/{verb}",
        "RespondToIncident",
        "Approve, contain, release or close",
        &[("note", "string", false)],
    ),
    ("get", "/api/v1/inventory", "ReadInventory", "Projects, and how many models, packages and findings each has", &[]),
    ("get", "/api/v1/inventory/{project}", "ReadInventory", "What the last recorded scan of a project saw", &[]),
    (
        "put",
        "/api/v1/inventory/{project}",
        "RecordInventory",
        "Record a scan in place of the last one",
        &[
            ("magic", "string", true),
            ("version", "integer", true),
            ("project", "string", true),
            ("complete", "boolean", true),
            ("components", "array", true),
            ("weaknesses", "array", true),
        ],
    ),
    ("delete", "/api/v1/inventory/{project}", "RecordInventory", "Forget a project", &[]),
    (
        "get",
        "/api/v1/affected/{advisory}",
        "ReadInventory",
        "Packages that an advisory is about, and the models that are loaded with them",
        &[],
    ),
    ("get", "/api/v1/rules", "ReadIncidents", "The rules that open incidents", &[]),
    ("get", "/api/v1/ledger/entries", "ReadLedger", "Entries, newest first (`before`, `count`)", &[]),
    (
        "get",
        "/api/v1/ledger/entries/{index}/proof",
        "ReadLedger",
        "A proof that an entry is in the ledger (C2SP tlog-proof)",
        &[],
    ),
    (
        "get",
        "/api/v1/ledger/checkpoint",
        "ReadLedger",
        "The latest signed checkpoint and the key that verifies it",
        &[],
    ),
    (
        "post",
        "/api/v1/drills",
        "RunDrill",
        "Make throw-away principals with keys",
        &[("participants", "array", true), ("seconds", "integer", true)],
    ),
    (
        "delete",
        "/api/v1/drills",
        "RunDrill",
        "Remove them, and what was put in force against them",
        &[("principals", "array", true)],
    ),
    ("post", "/api/v1/system/reload", "ManageSystem", "Take configuration, policies and rules into use anew", &[]),
    (
        "post",
        "/api/v1/system/backup",
        "ManageSystem",
        "Write an encrypted backup on the daemon's machine",
        &[("path", "string", true), ("key", "string", true)],
    ),
    ("get", "/api/v1/events", "ReadIncidents", "What happens, as server-sent events", &[]),
    ("get", "/api/v1/openapi.json", "", "This document", &[]),
];

pub(super) async fn document() -> Json<Value> {
    let mut paths: Map<String, Value> = Map::new();
    for (method, path, right, summary, fields) in ROUTES {
        let parameters: Vec<Value> = path
            .split('{')
            .skip(1)
            .filter_map(|part| part.split('}').next())
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        let mut operation = json!({
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "200": { "description": "Done" },
                "401": { "description": "Nobody is authenticated" },
                "403": { "description": "The role does not permit it" },
                "404": { "description": "There is no such thing" },
            },
        });
        if !right.is_empty() {
            operation["description"] = json!(format!("Needs the right {right}."));
        }
        if !fields.is_empty() {
            let properties: Map<String, Value> = fields
                .iter()
                .map(|(name, kind, _)| {
                    let schema = if *kind == "array" {
                        json!({ "type": "array", "items": { "type": "string" } })
                    } else {
                        json!({ "type": kind })
                    };
                    ((*name).to_owned(), schema)
                })
                .collect();
            let required: Vec<&str> =
                fields.iter().filter(|(_, _, required)| *required).map(|(name, _, _)| *name).collect();
            let schema = json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
            operation["requestBody"] =
                json!({ "required": !required.is_empty(), "content": { "application/json": { "schema": schema } } });
        }
        let entry = paths.entry((*path).to_owned()).or_insert_with(|| json!({}));
        entry[*method] = operation;
    }
    Json(json!({
        "openapi": "3.1.0",
        "info": { "title": "Bartizan admin API", "version": env!("CARGO_PKG_VERSION"), "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" } },
        "components": { "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } } },
        "security": [{ "key": [] }],
        "paths": paths,
    }))
}
