//! What `tidegate config check` says: the config in force, and where each value came from. Secrets are not in it.

use serde_json::{Map, Value, json};

use super::{ConfigError, Loaded, Warning};

impl Loaded {
    /// For people: in the form of `config.toml`, with the origin of each value beside it.
    pub fn report(&self) -> String {
        let (tables, entries): (Vec<_>, Vec<_>) =
            self.config.entries().into_iter().partition(|(_, value)| tables_of(value).is_some());
        let lines: Vec<_> = entries.iter().map(|(key, value)| (*key, setting(key, value))).collect();
        let width = lines.iter().map(|(_, line)| line.chars().count()).max().unwrap_or_default().min(60);
        let mut report = Vec::new();
        let mut open = "";
        for (key, line) in lines {
            let section = key.rsplit_once('.').map_or("", |(section, _)| section);
            if section != open {
                report.extend((!open.is_empty()).then(String::new));
                report.push(format!("[{section}]"));
                open = section;
            }
            report.push(format!("{line:width$}  # {}", self.origins.of(key)));
        }
        for (key, value) in &tables {
            for table in tables_of(value).into_iter().flatten() {
                report.push(String::new());
                report.push(format!("[[{key}]]"));
                report.extend(self.table(key, table, width));
            }
        }
        report.extend((!self.warnings.is_empty()).then(String::new));
        report.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        report.join("\n") + "\n"
    }

    fn table(&self, list: &str, table: &Map<String, Value>, width: usize) -> Vec<String> {
        let line = |(key, value): (&String, &Value)| {
            format!("{:width$}  # {}", setting(key, value), self.origins.of(&place(list, table, key)))
        };
        table.iter().map(line).collect()
    }

    /// For scripts: `config` as it nests in the file, `origins` by key, `warnings`.
    pub fn to_json(&self) -> Value {
        let mut config = Value::Object(Map::new());
        let mut origins = Map::new();
        let origin = |key: &str| json!(self.origins.of(key).to_string());
        for (key, value) in self.config.entries() {
            origins.insert(key.to_owned(), origin(key));
            for table in tables_of(&value).into_iter().flatten() {
                let of_table = table.keys().map(|member| place(key, table, member));
                origins.extend(of_table.map(|key| (key.clone(), origin(&key))));
            }
            nest(&mut config, key, value);
        }
        json!({"config": config, "origins": origins, "warnings": warnings(&self.warnings)})
    }
}

impl ConfigError {
    /// For scripts: `problems` and `warnings`.
    pub fn to_json(&self) -> Value {
        let problems = self
            .problems
            .iter()
            .map(|problem| json!({"key": problem.key, "origin": problem.origin.to_string(), "reason": problem.reason}));
        json!({"problems": problems.collect::<Vec<_>>(), "warnings": warnings(&self.warnings)})
    }
}

fn warnings(warnings: &[Warning]) -> Vec<Value> {
    warnings.iter().map(|warning| json!({"key": warning.key, "message": warning.message})).collect()
}

/// One line: a value as TOML would have it; a key without a value is commented out, as in the shipped file.
fn setting(key: &str, value: &Value) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    match value {
        Value::Null => format!("# {name} ="),
        value => format!("{name} = {}", toml(value)),
    }
}

fn toml(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{} = {}", quoted(name), toml(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A name as a key of a table may be written: bare only of letters, digits, - and _.
fn quoted(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if bare { name.to_owned() } else { Value::from(name).to_string() }
}

/// What a key of a table of a list is called: `auth.issuers.corp.audiences`.
fn place(list: &str, table: &Map<String, Value>, key: &str) -> String {
    let name = table.get("name").and_then(Value::as_str).unwrap_or_default();
    format!("{list}.{name}.{key}")
}

/// The tables of a list that holds nothing else.
fn tables_of(value: &Value) -> Option<Vec<&Map<String, Value>>> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    items.iter().map(Value::as_object).collect()
}

fn nest(config: &mut Value, key: &str, value: Value) {
    let Some(members) = config.as_object_mut() else { return };
    match key.split_once('.') {
        Some((section, rest)) => {
            nest(members.entry(section).or_insert_with(|| Value::Object(Map::new())), rest, value);
        }
        None => {
            members.insert(key.to_owned(), value);
        }
    }
}
