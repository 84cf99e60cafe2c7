//! Goes through a program once in order, evaluating each expression as far as that goes, and puts every call to
//! the checks. Nothing is run: a variable has what was assigned to it last, a function gives what it returned
//! when it was last read, branches add up.

use std::collections::HashMap;
use std::sync::Arc;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{
    Expr, ExprCall, FStringPart, InterpolatedStringElement, IpyEscapeKind, Operator, Parameters, Stmt, StmtFunctionDef,
    StmtImport, StmtImportFrom,
};
use ruff_text_size::Ranged as _;

use super::call::Call;
use super::checks::frameworks::dangerous_entry;
use super::checks::{CHECKS, Verdict};
use super::origin::{DOWNLOADS_TO_FILE, brings, is_harmless, is_of_a_model_library, is_request, offers_a_tool};
use super::rules::{REMOTE_CODE, TLS_OFF};
use super::value::{Constant, Origins, Source, Value};
use crate::shell;

/// A check's verdict at a byte offset of the program.
pub(super) struct Hit {
    pub(super) offset: u32,
    pub(super) verdict: Verdict,
}

/// Steps of evaluation for one file; real programs need a few for each token.
const STEPS: u64 = 5_000_000;

/// What names mean at one place.
#[derive(Default)]
struct Scope {
    names: HashMap<Arc<str>, Value>,
    is_class: bool,
    returned: Option<Value>,
}

/// What is known of a function that was read.
#[derive(Default)]
struct Known {
    returned: Value,
    parameters: Vec<Arc<str>>,
    /// Which parameters name files that it fills, and with what.
    fills: Vec<(usize, Origins)>,
}

/// The state of reading.
pub(super) struct Reader {
    scopes: Vec<Scope>,
    /// Functions of the file, by name.
    functions: HashMap<Arc<str>, Known>,
    /// What was written to files, by name or variable.
    files: HashMap<Arc<str>, Origins>,
    hits: Vec<Hit>,
    steps: u64,
    reports: bool,
}

impl Reader {
    /// Reads the program twice, so that functions that stand further down are known, and tells the second time.
    pub(super) fn read(body: &[Stmt]) -> Result<Vec<Hit>, &'static str> {
        let mut reader = Self {
            scopes: Vec::new(),
            functions: HashMap::new(),
            files: HashMap::new(),
            hits: Vec::new(),
            steps: 0,
            reports: false,
        };
        for reports in [false, true] {
            reader.reports = reports;
            reader.scopes = vec![Scope::default()];
            reader.visit_body(body);
        }
        if reader.steps > STEPS { Err("the program is too intricate to be followed") } else { Ok(reader.hits) }
    }

    fn is_done(&mut self) -> bool {
        self.steps += 1;
        self.steps > STEPS
    }

    fn tell(&mut self, offset: u32, verdict: Verdict) {
        if self.reports {
            self.hits.push(Hit { offset, verdict });
        }
    }

    fn lookup(&self, name: &str) -> Option<&Value> {
        let innermost = self.scopes.len().saturating_sub(1);
        // A class's own names are not seen from its methods.
        let seen = self.scopes.iter().enumerate().rev().filter(|(depth, scope)| *depth == innermost || !scope.is_class);
        seen.map(|(_, scope)| scope).find_map(|scope| scope.names.get(name))
    }

    fn bind(&mut self, name: &str, value: Value) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.names.insert(Arc::from(name), value);
        }
    }

    /// `self.name` lives as long as the class.
    fn bind_attribute(&mut self, path: &str, value: &Value) {
        if let Some(scope) = self.scopes.first_mut() {
            let known = scope.names.remove(path);
            let value = known.map_or_else(|| value.clone(), |known| value.clone().or(&known));
            scope.names.insert(Arc::from(path), value);
        }
    }

    fn assign(&mut self, target: &Expr, value: &Value) {
        if self.is_done() {
            return;
        }
        match target {
            Expr::Name(name) => self.bind(&name.id, value.clone()),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|target| self.assign(target, &part_of(value))),
            Expr::List(list) => list.elts.iter().for_each(|target| self.assign(target, &part_of(value))),
            Expr::Starred(starred) => self.assign(&starred.value, &part_of(value)),
            Expr::Attribute(attribute) => {
                let owner = self.value(&attribute.value);
                if let Some(path) = owner.path {
                    let path = format!("{path}.{}", attribute.attr.id);
                    self.check_assignment(&path, target, value);
                    self.bind_attribute(&path, value);
                }
            }
            Expr::Subscript(subscript) => {
                let owner = self.value(&subscript.value);
                let key = self.value(&subscript.slice);
                self.check_environment(&owner, &key, target, value);
                if let Expr::Name(name) = &*subscript.value {
                    let mut owner = owner;
                    owner.origins.join(&value.origins);
                    self.bind(&name.id, owner);
                }
            }
            _ => {}
        }
    }

    /// `context.verify_mode = ssl.CERT_NONE`, `session.verify = False`, `ssl._create_default_https_context = …`.
    fn check_assignment(&mut self, path: &str, target: &Expr, value: &Value) {
        let attribute = path.rsplit('.').next().unwrap_or(path);
        let dangerous = match attribute {
            "verify_mode" => value.path.as_deref() == Some("ssl.CERT_NONE"),
            "verify" => {
                value.is(false)
                    && (path.contains("session")
                        || path.contains("Session")
                        || path.contains("requests")
                        || path.contains("client"))
            }
            "check_hostname" => {
                value.is(false) && (path.contains("ssl") || path.contains("context") || path.contains("ctx"))
            }
            "_create_default_https_context" => value.path.as_deref() == Some("ssl._create_unverified_context"),
            _ => false,
        };
        if dangerous {
            self.tell(
                target.start().to_u32(),
                Verdict::new(&TLS_OFF, format!("`{path}` is set so that nothing is verified")),
            );
        }
    }

    /// Environment variables that switch checks off.
    fn check_environment(&mut self, owner: &Value, key: &Value, target: &Expr, value: &Value) {
        if owner.path.as_deref() != Some("os.environ") {
            return;
        }
        let (Some(key), Some(text)) = (key.as_text(), value.as_text()) else { return };
        let verdict = match (key, text) {
            ("CURL_CA_BUNDLE" | "REQUESTS_CA_BUNDLE" | "SSL_CERT_FILE", "")
            | ("PYTHONHTTPSVERIFY" | "GIT_SSL_VERIFY" | "NODE_TLS_REJECT_UNAUTHORIZED", "0")
            | ("GIT_SSL_NO_VERIFY", "1" | "true") => Verdict::new(&TLS_OFF, format!("`{key}` is set to `{text}`")),
            ("HF_DATASETS_TRUST_REMOTE_CODE", "1" | "true" | "True") => {
                Verdict::new(&REMOTE_CODE, format!("`{key}` is set to `{text}`"))
            }
            _ => return,
        };
        self.tell(target.start().to_u32(), verdict);
    }

    fn import(&mut self, import: &StmtImport) {
        for alias in &import.names {
            let name = alias.name.id.as_str();
            match &alias.asname {
                Some(own) => self.bind(&own.id, Value::named(name)),
                None => {
                    let root = name.split('.').next().unwrap_or(name);
                    self.bind(root, Value::named(root));
                }
            }
        }
    }

    fn import_from(&mut self, import: &StmtImportFrom) {
        let module = import.module.as_ref().map_or("", |module| module.id.as_str());
        let dots = ".".repeat(import.level as usize);
        for alias in &import.names {
            let name = alias.name.id.as_str();
            let own = alias.asname.as_ref().map_or(name, |own| own.id.as_str());
            self.bind(own, Value::named(&format!("{dots}{module}.{name}")));
        }
    }

    fn function(&mut self, function: &StmtFunctionDef) {
        let mut is_tool = false;
        for decorator in &function.decorator_list {
            let path = self.value(&decorator.expression).path;
            is_tool |= path.is_some_and(|path| offers_a_tool(&path));
        }
        let mut scope = Scope::default();
        let mut names = Vec::new();
        for parameter in parameters(&function.parameters) {
            let name = parameter.0;
            let origins = if is_tool && name != "self" && name != "cls" {
                let what = format!("the argument `{name}` of the tool `{}`", function.name.id);
                Origins::of(Source::ToolArgument, &what, function.start().to_u32())
            } else {
                Origins::default()
            };
            let path = if name == "self" { Some(Arc::from("self")) } else { None };
            // An unknown argument goes by its name, as `llm` in `llm.invoke`.
            let path = path.or_else(|| Some(Arc::from(name)));
            names.push((name.to_owned(), Value { path, origins, ..Value::default() }));
        }
        scope.names.extend(names.into_iter().map(|(name, value)| (Arc::from(name), value)));
        for parameter in &*function.parameters {
            if let Some(default) = parameter.default() {
                self.value(default);
            }
        }
        self.scopes.push(scope);
        self.visit_body(&function.body);
        let returned = self.scopes.pop().and_then(|scope| scope.returned).unwrap_or_default();
        let name = function.name.id.as_str();
        let parameters: Vec<Arc<str>> = parameters(&function.parameters).map(|(name, _)| Arc::from(name)).collect();
        let filled = parameters.iter().enumerate().filter_map(|(at, name)| Some((at, self.files.remove(name)?)));
        let fills = filled.collect();
        self.functions.insert(Arc::from(name), Known { returned, parameters, fills });
        self.bind(name, Value::named(name));
    }

    /// Evaluates an expression and puts the calls in it to the checks.
    fn value(&mut self, expr: &Expr) -> Value {
        if self.is_done() {
            return Value::default();
        }
        match expr {
            Expr::Name(name) => self.lookup(&name.id).cloned().unwrap_or_else(|| Value::named(&name.id)),
            Expr::Attribute(attribute) => {
                let owner = self.value(&attribute.value);
                let path = owner.path.as_ref().map(|path| format!("{path}.{}", attribute.attr.id));
                let known = path.as_deref().and_then(|path| self.scopes.first()?.names.get(path).cloned());
                if attribute.attr.id.as_str() == "name"
                    && let Some(file) = &owner.file
                {
                    return Value::named(file);
                }
                let mut value = known.unwrap_or_else(|| path.as_deref().map_or_else(Value::default, Value::named));
                value.origins.join(&owner.origins);
                value.file = owner.file;
                if let Some(path) = value.path.clone().filter(|path| is_request(path)) {
                    value.origins.join(&Origins::of(Source::Download, &path, expr.start().to_u32()));
                }
                value
            }
            Expr::Call(call) => self.call(call),
            Expr::StringLiteral(text) => Value::text(&text.value.to_str().chars().take(4096).collect::<String>()),
            Expr::BooleanLiteral(literal) => {
                Value { constant: Some(Constant::Bool(literal.value)), ..Value::default() }
            }
            Expr::NoneLiteral(_) => Value { constant: Some(Constant::None), ..Value::default() },
            Expr::Await(awaited) => self.value(&awaited.value),
            Expr::Starred(starred) => part_of(&self.value(&starred.value)),
            Expr::Named(named) => {
                let value = self.value(&named.value);
                self.assign(&named.target, &value);
                value
            }
            Expr::Subscript(subscript) => {
                let owner = self.value(&subscript.value);
                self.value(&subscript.slice);
                let path = owner.path.as_ref().map(|path| format!("{path}[]"));
                Value { origins: owner.origins, ..path.as_deref().map_or_else(Value::default, Value::named) }
            }
            Expr::If(choice) => {
                self.value(&choice.test);
                let other = self.value(&choice.orelse);
                self.value(&choice.body).or(&other)
            }
            // `prompt | model` chains: what the whole is asked, the model answers.
            Expr::BinOp(operation) if operation.op == Operator::BitOr => {
                let left = self.value(&operation.left);
                let right = self.value(&operation.right);
                let names_a_model = |value: &Value| value.path.as_deref().is_some_and(is_of_a_model_library);
                if names_a_model(&left) || !names_a_model(&right) { left.or(&right) } else { right.or(&left) }
            }
            Expr::BoolOp(operation) => {
                let values: Vec<Value> = operation.values.iter().map(|part| self.value(part)).collect();
                values.iter().skip(1).fold(values.first().cloned().unwrap_or_default(), Value::or)
            }
            Expr::Compare(_) => {
                self.children(expr);
                Value::default()
            }
            Expr::List(list) => self.elements(&list.elts),
            Expr::Tuple(tuple) => self.elements(&tuple.elts),
            Expr::Set(set) => self.elements(&set.elts),
            Expr::Dict(dictionary) => {
                let mut origins = Origins::default();
                for item in &dictionary.items {
                    let key = item.key.as_ref().map(|key| self.value(key)).unwrap_or_default();
                    let value = self.value(&item.value);
                    origins.join(&value.origins);
                    self.check_entry(&key, &value, item.value.start().to_u32());
                }
                Value::from(origins)
            }
            Expr::FString(text) => {
                let mut origins = Origins::default();
                for part in &text.value {
                    if let FStringPart::FString(part) = part {
                        for element in &part.elements {
                            if let InterpolatedStringElement::Interpolation(element) = element {
                                origins.join(&self.value(&element.expression).origins);
                            }
                        }
                    }
                }
                Value::from(origins)
            }
            Expr::ListComp(comprehension) => self.comprehension(&comprehension.generators, &[&comprehension.elt]),
            Expr::SetComp(comprehension) => self.comprehension(&comprehension.generators, &[&comprehension.elt]),
            Expr::Generator(comprehension) => self.comprehension(&comprehension.generators, &[&comprehension.elt]),
            Expr::IpyEscapeCommand(command) => {
                self.escape(command.kind, &command.value, command.start().to_u32());
                Value::default()
            }
            Expr::Lambda(lambda) => {
                let mut scope = Scope::default();
                if let Some(of) = &lambda.parameters {
                    scope.names.extend(parameters(of).map(|(name, _)| (Arc::from(name), Value::default())));
                }
                self.scopes.push(scope);
                let value = self.value(&lambda.body);
                self.scopes.pop();
                Value::from(value.origins)
            }
            _ => Value::from(self.children(expr)),
        }
    }

    fn elements(&mut self, elements: &[Expr]) -> Value {
        let values: Vec<Value> = elements.iter().map(|element| self.value(element)).collect();
        let mut all = Value::default();
        values.iter().for_each(|value| all.origins.join(&value.origins));
        if let [only] = values.as_slice()
            && only.as_text() == Some("*")
        {
            all.constant.clone_from(&only.constant);
        }
        all
    }

    fn comprehension(&mut self, generators: &[ruff_python_ast::Comprehension], elements: &[&Expr]) -> Value {
        self.scopes.push(Scope::default());
        for generator in generators {
            let iterated = self.value(&generator.iter);
            self.assign(&generator.target, &part_of(&iterated));
            generator.ifs.iter().for_each(|condition| drop(self.value(condition)));
        }
        let mut origins = Origins::default();
        elements.iter().for_each(|element| origins.join(&self.value(element).origins));
        self.scopes.pop();
        Value::from(origins)
    }

    /// Evaluates whatever an expression is made of.
    fn children(&mut self, expr: &Expr) -> Origins {
        let mut children = Children { reader: self, origins: Origins::default() };
        walk_expr(&mut children, expr);
        children.origins
    }

    fn check_entry(&mut self, key: &Value, value: &Value, offset: u32) {
        let Some(key) = key.as_text() else { return };
        if key == "trust_remote_code" && value.is(true) {
            self.tell(offset, Verdict::new(&REMOTE_CODE, "a setting `trust_remote_code`: True"));
        } else if let Some(verdict) = dangerous_entry(key, value) {
            self.tell(offset, verdict);
        }
    }

    fn call(&mut self, expr: &ExprCall) -> Value {
        let function = self.value(&expr.func);
        let starts = function.path.as_deref().is_some_and(|path| path.starts_with("subprocess."));
        let command = match expr.arguments.args.first() {
            Some(Expr::List(list)) if starts => Some(list.elts.iter().map(|part| self.quietly(part)).collect()),
            Some(Expr::Tuple(tuple)) if starts => Some(tuple.elts.iter().map(|part| self.quietly(part)).collect()),
            _ => None,
        };
        let mut arguments: Vec<Value> = expr.arguments.args.iter().map(|argument| self.value(argument)).collect();
        for argument in &mut arguments {
            if let Some(written) = argument.file_key().and_then(|key| self.files.get(&key)) {
                argument.origins.join(written);
            }
        }
        let mut keywords = Vec::new();
        let mut is_open = false;
        for keyword in &expr.arguments.keywords {
            let value = self.value(&keyword.value);
            match &keyword.arg {
                Some(name) => keywords.push((name.id.to_string(), value)),
                None => is_open = true,
            }
        }
        let path = function.path.as_deref().unwrap_or_default().to_owned();
        let call = Call { path, arguments, keywords, is_open, command };
        let offset = expr.start().to_u32();
        for check in CHECKS {
            if let Some(verdict) = check(&call) {
                self.tell(offset, verdict);
            }
        }
        self.check_command(&call, offset);
        self.result(&function, &call, offset)
    }

    /// Evaluates once more without telling.
    fn quietly(&mut self, expr: &Expr) -> Value {
        let reports = std::mem::replace(&mut self.reports, false);
        let value = self.value(expr);
        self.reports = reports;
        value
    }

    /// A constant command line that downloads and runs.
    fn check_command(&mut self, call: &Call, offset: u32) {
        let takes_a_line = matches!(call.path.as_str(), "os.system" | "os.popen")
            || call.library() == "subprocess" && call.keyword("shell").is_some_and(|value| value.is(true))
            || call.method() == "system" && call.path.starts_with("get_ipython()");
        if let Some(line) = call.arguments.first().and_then(Value::as_text).filter(|_| takes_a_line) {
            let line = line.to_owned();
            self.shell(&line, offset);
        }
    }

    fn shell(&mut self, script: &str, offset: u32) {
        for verdict in super::commands::judge(&shell::commands(script)) {
            self.tell(offset, verdict);
        }
    }

    fn escape(&mut self, kind: IpyEscapeKind, command: &str, offset: u32) {
        match kind {
            IpyEscapeKind::Shell | IpyEscapeKind::ShCap => self.shell(command, offset),
            IpyEscapeKind::Magic | IpyEscapeKind::Magic2 => {
                for verdict in super::commands::judge_magic(command) {
                    self.tell(offset, verdict);
                }
            }
            _ => {}
        }
    }

    /// What a call gives back, and what it changes.
    fn result(&mut self, function: &Value, call: &Call, offset: u32) -> Value {
        let first = call.arguments.first();
        match call.path.as_str() {
            "getattr" | "builtins.getattr" => {
                let owner = first.and_then(|owner| owner.path.clone());
                if let (Some(owner), Some(name)) = (owner, call.arguments.get(1).and_then(Value::as_text)) {
                    return Value::named(&format!("{owner}.{name}"));
                }
            }
            "__import__" | "importlib.import_module" | "builtins.__import__" => {
                if let Some(name) = first.and_then(Value::as_text) {
                    return Value::named(name);
                }
            }
            "functools.partial" => {
                if let Some(path) = first.and_then(|function| function.path.clone()) {
                    return Value::named(&path);
                }
            }
            "tempfile.NamedTemporaryFile" | "tempfile.TemporaryFile" => {
                let file = Arc::from(format!("<temporary {offset}>"));
                return Value { file: Some(file), ..Value::named(&format!("{}()", call.path)) };
            }
            "open" | "builtins.open" | "io.open" | "gzip.open" | "bz2.open" | "lzma.open" | "pathlib.Path().open" => {
                return self.opened(first, call);
            }
            "pathlib.Path" | "str" | "os.path.join" | "os.fspath" if call.arguments.len() == 1 => {
                if let Some(only) = first {
                    return only.clone();
                }
            }
            _ => {}
        }
        if is_harmless(call) {
            return Value::named(&format!("{}()", call.path));
        }
        let mut value = if call.path.is_empty() { Value::default() } else { Value::named(&format!("{}()", call.path)) };
        value.origins = function.origins.clone();
        call.arguments.iter().for_each(|argument| value.origins.join(&argument.origins));
        call.keywords.iter().for_each(|(_, argument)| value.origins.join(&argument.origins));
        if let Some(source) = brings(call) {
            value.origins.join(&Origins::of(source, &call.path, offset));
        }
        if let Some(known) = self.functions.get(call.path.trim_start_matches("self.")) {
            value.origins.join(&known.returned.origins);
            if known.returned.path.is_some() {
                value.path.clone_from(&known.returned.path);
            }
            for (at, origins) in &known.fills {
                let named = known.parameters.get(*at).and_then(|name| call.keyword(name));
                // A method's first parameter is the object.
                let shift = usize::from(known.parameters.first().is_some_and(|first| &**first == "self"));
                let argument = named.or_else(|| call.arguments.get(at.saturating_sub(shift)));
                if let Some(key) = argument.and_then(Value::file_key) {
                    self.files.entry(key).or_default().join(origins);
                }
            }
        }
        self.keep_files(function, call, &value);
        value
    }

    /// An open file holds what was written to its name.
    fn opened(&self, name: Option<&Value>, call: &Call) -> Value {
        let key = name.and_then(Value::file_key);
        let mut origins = name.map(|name| name.origins.clone()).unwrap_or_default();
        if let Some(written) = key.as_ref().and_then(|key| self.files.get(key)) {
            origins.join(written);
        }
        Value { origins, file: key, ..Value::named(&format!("{}()", call.path)) }
    }

    /// Remembers which files hold downloads.
    fn keep_files(&mut self, function: &Value, call: &Call, result: &Value) {
        if matches!(call.method(), "write" | "write_bytes" | "writelines")
            && let (Some(key), Some(content)) = (function.file.clone(), call.arguments.first())
        {
            self.files.entry(key).or_default().join(&content.origins);
        }
        for (name, position, keyword) in DOWNLOADS_TO_FILE {
            if call.path == *name
                && let Some(key) = call.argument(*position, keyword).and_then(Value::file_key)
            {
                self.files.entry(key).or_default().join(&result.origins);
            }
        }
    }
}

/// A part of a value: it comes from where the whole came from, and has no name.
fn part_of(value: &Value) -> Value {
    Value::from(value.origins.clone())
}

fn parameters(of: &Parameters) -> impl Iterator<Item = (&str, bool)> {
    of.iter().map(|parameter| (parameter.name().id.as_str(), parameter.default().is_some()))
}

impl<'a> Visitor<'a> for Reader {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if self.is_done() {
            return;
        }
        match stmt {
            Stmt::Import(import) => self.import(import),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::ClassDef(class) => {
                class.decorator_list.iter().for_each(|decorator| drop(self.value(&decorator.expression)));
                if let Some(arguments) = &class.arguments {
                    arguments.args.iter().for_each(|base| drop(self.value(base)));
                }
                self.scopes.push(Scope { is_class: true, ..Scope::default() });
                self.visit_body(&class.body);
                self.scopes.pop();
                self.bind(&class.name.id, Value::named(&class.name.id));
            }
            Stmt::Assign(assign) => {
                let value = self.value(&assign.value);
                assign.targets.iter().for_each(|target| self.assign(target, &value));
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    let value = self.value(value);
                    self.assign(&assign.target, &value);
                }
            }
            Stmt::AugAssign(assign) => {
                let mut value = self.value(&assign.target);
                value.origins.join(&self.value(&assign.value).origins);
                value.constant = None;
                self.assign(&assign.target, &value);
            }
            Stmt::Return(statement) => {
                if let Some(value) = &statement.value {
                    let value = self.value(value);
                    if let Some(scope) = self.scopes.last_mut() {
                        let known = scope.returned.take();
                        scope.returned = Some(known.map_or_else(|| value.clone(), |known| known.or(&value)));
                    }
                }
            }
            Stmt::For(each) => {
                let value = self.value(&each.iter);
                self.assign(&each.target, &part_of(&value));
                self.visit_body(&each.body);
                self.visit_body(&each.orelse);
            }
            Stmt::With(with) => {
                for item in &with.items {
                    let value = self.value(&item.context_expr);
                    if let Some(target) = &item.optional_vars {
                        self.assign(target, &value);
                    }
                }
                self.visit_body(&with.body);
            }
            Stmt::IpyEscapeCommand(command) => self.escape(command.kind, &command.value, command.start().to_u32()),
            _ => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        self.value(expr);
    }

    fn visit_annotation(&mut self, _: &'a Expr) {}
}

/// Evaluates the expressions right under another and joins where they come from.
struct Children<'r> {
    reader: &'r mut Reader,
    origins: Origins,
}

impl<'a> Visitor<'a> for Children<'_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        let value = self.reader.value(expr);
        self.origins.join(&value.origins);
    }
}
