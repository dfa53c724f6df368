//! The config: what it takes, what it refuses and how it says so.

use std::{fs, path::Path, time::Duration};

use clap::Parser;
use jiff::SignedDuration;
use tempfile::TempDir;
use tidegate::{
    adapters::cli::{Cli, Variables},
    config::{self, Argument, AuthMode, Config, ConfigError, Loaded, LogFormat, Origin, REFERENCE, Sources},
    domain::scope::Scope,
    wiring::{Gate, Parts},
};

mod aliases;
mod issuers;
mod started;

const SECRET: &str = "a-secret-that-nobody-should-see-anywhere";

fn load_environment(variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    config::load(&Sources::of_environment(variables.iter().copied()))
}

/// Loads a file's text, with an environment laid over it.
fn load_file(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("config.toml"), text).unwrap();
    let sources =
        Sources { directory: Some(folder.path().to_owned()), ..Sources::of_environment(variables.iter().copied()) };
    config::load(&sources)
}

fn refusal(loaded: Result<Loaded, ConfigError>) -> String {
    loaded.expect_err("should have been refused").to_string()
}

#[track_caller]
fn assert_refused(loaded: Result<Loaded, ConfigError>, parts: &[&str]) {
    let message = refusal(loaded);
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert!(!message.contains(SECRET), "{message}");
}

fn value_of(config: &Config, key: &str) -> serde_json::Value {
    config.entries().into_iter().find(|(name, _)| *name == key).map(|(_, value)| value).unwrap()
}

#[test]
fn nothing_that_is_read_or_made_of_it_shows_a_secret() {
    let secret = |name: &str| format!("{SECRET}-{name}");
    let text = format!(
        "[auth]\nbootstrap_service_token = \"{}\"\n[auth.rate_limit]\nkind = \"redis\"\n\
         redis_url = \"redis://default:{}@localhost:6379/0\"\n[database]\nurl = \"postgres://gate:{}@localhost/gate\"\n\
         [sessions]\nkey = \"{}\"\n[audit]\nkey = \"{}\"\n\
         [[auth.issuers]]\nname = \"corp\"\nkind = \"jwt\"\nissuers = [\"https://corp.test\"]\naudiences = [\"tidegate\"]\nsecret = \"{}\"\n\
         [[auth.issuers]]\nname = \"opaque\"\nkind = \"introspection\"\nprefix = \"opaque-\"\naudiences = [\"tidegate\"]\n\
         introspection_url = \"https://opaque.test\"\nclient_id = \"us\"\nclient_secret = \"{}\"\n\
         [[auth.issuers]]\nname = \"workos\"\nkind = \"workos\"\nclient_id = \"client_1\"\napi_key = \"{}\"\nwebhook_secret = \"{}\"\n",
        secret("bootstrap"),
        secret("redis"),
        secret("postgres"),
        secret("session"),
        secret("audit"),
        secret("corp"),
        secret("client"),
        secret("api"),
        secret("hook"),
    );
    let loaded = load_file(&text, &[]).unwrap();
    let none = |what: &str, shown: String| assert!(!shown.contains(SECRET), "{what}: {shown}");
    none("Debug", format!("{loaded:#?}"));
    none("the report", loaded.report());
    none("the report in JSON", loaded.to_json().to_string());

    let token = secret("bootstrap");
    let parts =
        Parts::in_memory().unwrap().with_issuers(&loaded.config.auth.issuers, loaded.config.auth.leeway).unwrap();
    let parts = parts.with_bootstrap_token(&token);
    none("the parts", format!("{parts:#?}"));
    let gate = Gate::new(parts);
    none("the gate", format!("{gate:#?}"));
    none("the app", format!("{:#?}", gate.app.authenticator));

    let option = Argument { key: "sessions.key".into(), text: secret("option"), option: "--set sessions.key".into() };
    let sources = Sources::of_environment([("TIDEGATE_SESSIONS__KEY", token.as_str())]);
    none("the sources", format!("{:#?}", Sources { arguments: vec![option], ..sources }));
    none(
        "the variables",
        format!("{:#?}", Variables::new([("TIDEGATE_TOKEN".to_owned(), token.clone().into())].into())),
    );
    let set = format!("sessions.key={token}");
    for arguments in
        [&["serve", "--set", &set][..], &["whoami", "--token", &token], &["audit", "verify", "--set", &set]]
    {
        let cli = Cli::try_parse_from(["tidegate"].iter().chain(arguments)).unwrap();
        none("the command line", format!("{cli:#?}"));
    }
}

#[test]
fn no_config_at_all_is_one_machine() {
    let loaded = load_environment(&[]).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.warnings, []);
    let config = loaded.config;
    assert_eq!(config.server.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database.url.expose(), "sqlite://data/tidegate.db");
    assert_eq!(config.engines.default.as_str(), "embedded");
    assert_eq!(config.engines.list.len(), 1);
    assert_eq!(config.auth.mode, None);
    assert_eq!(loaded.origins.of("server.bind"), Origin::Default);
}

#[test]
fn every_line_of_the_shipped_file_is_commented_out() {
    for line in REFERENCE.lines() {
        assert!(line.is_empty() || line.starts_with('#'), "{line}");
    }
    assert_eq!(load_file(REFERENCE, &[]).unwrap().config, Config::default());
}

#[test]
fn the_shipped_file_uncommented_loads_and_holds_every_key() {
    let uncommented: Vec<_> = REFERENCE.lines().map(|line| line.strip_prefix('#').unwrap_or(line)).collect();
    let loaded = load_file(&uncommented.join("\n"), &[]).unwrap();
    assert_eq!(loaded.warnings, []);
    for (key, _) in loaded.config.entries() {
        assert!(matches!(loaded.origins.of(key), Origin::File { .. }), "{key} is not in config.toml");
    }
}

#[test]
fn what_the_shipped_file_calls_defaults_are_the_defaults() {
    // These have no default: the file shows what they might be.
    let examples = ["auth.mode", "bootstrap", "max_service_token_life", "redis_url", "public_url", "# key ="];
    let (before, rest) = REFERENCE.split_once("# [[auth.issuers]]").unwrap();
    let (_, after) = rest.split_once("# [sessions]").unwrap();
    let reference = format!("{before}# [sessions]{after}");
    let uncommented: Vec<_> = reference
        .lines()
        .filter(|line| !examples.iter().any(|key| line.contains(key)) && !line.starts_with("# mode"))
        .map(|line| line.strip_prefix('#').unwrap_or(line))
        .collect();
    assert_eq!(load_file(&uncommented.join("\n"), &[]).unwrap().config, Config::default());
}

#[test]
fn the_environment_beats_the_file_and_the_command_line_beats_both() {
    let text = "[server]\nbind = \"127.0.0.1:1\"\nbody_limit = \"1 MiB\"\nrequest_timeout = 5\n";
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, text).unwrap();
    let mut sources =
        Sources::of_environment([("TIDEGATE_SERVER__BIND", "127.0.0.1:2"), ("TIDEGATE_SERVER__BODY_LIMIT", "2 MiB")]);
    sources.directory = Some(folder.path().to_owned());
    sources.arguments.push(config::Argument {
        key: "server.bind".to_owned(),
        text: "127.0.0.1:3".to_owned(),
        option: "--bind".to_owned(),
    });
    let loaded = config::load(&sources).unwrap();
    assert_eq!(loaded.config.server.bind.port(), 3);
    assert_eq!(loaded.config.server.body_limit, 2 << 20);
    assert_eq!(loaded.config.server.request_timeout, Duration::from_secs(5));
    assert_eq!(loaded.origins.of("server.bind").to_string(), "--bind");
    assert_eq!(loaded.origins.of("server.body_limit").to_string(), "$TIDEGATE_SERVER__BODY_LIMIT");
    assert_eq!(loaded.origins.of("server.request_timeout"), Origin::File { path, line: 4 });
}

#[test]
fn no_secret_comes_by_the_command_line_where_others_see_it() {
    let load = |key: &str, text: &str| {
        let mut sources = Sources::of_environment([]);
        let (key, option) = (key.to_owned(), format!("--set {key}"));
        sources.arguments.push(config::Argument { key, text: text.to_owned(), option });
        config::load(&sources)
    };
    for (key, text) in [
        ("auth.bootstrap_service_token", SECRET.to_owned()),
        ("auth.issuers.corp.secret", SECRET.to_owned()),
        ("auth.issuers", format!("[{{\"name\":\"a\",\"kind\":\"jwt\",\"secret\":\"{SECRET}\"}}]")),
        ("database.url", format!("postgres://ada:{SECRET}@db/gate")),
        ("auth.rate_limit.redis_url", format!("redis://:{SECRET}@cache/0")),
    ] {
        assert_refused(load(key, &text), &[key, "--set", "list of processes"]);
    }
    assert!(load("database.url", "postgres://ada@db/gate").is_ok());
    assert!(load("auth.rate_limit.redis_url", "redis://cache/0").is_ok());
}

#[test]
fn an_unknown_key_stops_the_start_with_its_line_and_the_nearest_name() {
    assert_refused(
        load_file("[server]\n\nbnid = \"127.0.0.1:1\"\n", &[]),
        &["server.bnid", "config.toml:3", "unknown key", "did you mean server.bind?"],
    );
    assert_refused(
        load_environment(&[("TIDEGATE_AUTH__MOED", "required")]),
        &["auth.moed", "$TIDEGATE_AUTH__MOED", "did you mean auth.mode?"],
    );
    assert_refused(load_file("bind = \"127.0.0.1:1\"\n", &[]), &["bind (", "did you mean server.bind?"]);
    assert_refused(load_file("[servr]\nbind = \"127.0.0.1:1\"\n", &[]), &["servr", "unknown key"]);
    assert_refused(load_file("[auth.rate_limits]\nip = 1\n", &[]), &["auth.rate_limits", "unknown key"]);
    assert_refused(load_file("server = 1\n", &[]), &["server", "must be a table"]);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let error =
        load_file("[server]\nbind = 1\nbody_limit = \"x\"\n[telemetry]\nlog_format = \"xml\"\n", &[]).unwrap_err();
    assert_eq!(error.problems.len(), 3, "{error}");
}

#[test]
fn bad_values_stop_the_start_with_the_reason() {
    for (variable, value, reason) in [
        ("TIDEGATE_SERVER__BIND", "localhost", "must be an IP address and a port"),
        ("TIDEGATE_SERVER__BODY_LIMIT", "lots", "must be bytes or a text"),
        ("TIDEGATE_SERVER__BODY_LIMIT", "0", "must lie between"),
        ("TIDEGATE_SERVER__REQUEST_TIMEOUT", "0", "must lie between"),
        ("TIDEGATE_SERVER__REQUEST_TIMEOUT", "soon", "must be seconds"),
        ("TIDEGATE_SERVER__PUBLIC_URL", "gate.example.org", "must be an http or https URL"),
        ("TIDEGATE_SERVER__CORS_ALLOW_ORIGINS", "https://a.example/path", "without a path"),
        ("TIDEGATE_DATABASE__URL", "mysql://db/gate", "must begin with"),
        ("TIDEGATE_DATABASE__URL", "sqlite::memory:", "must be memory:"),
        ("TIDEGATE_DATABASE__URL", "sqlite://", "names no file"),
        ("TIDEGATE_DATABASE__MAX_CONNECTIONS", "many", "must be a whole number"),
        ("TIDEGATE_DATABASE__MAX_CONNECTIONS", "0", "between 1 and 1000"),
        ("TIDEGATE_AUTH__MODE", "requird", "did you mean required?"),
        ("TIDEGATE_AUTH__ALLOW_INSECURE_BIND", "perhaps", "must be true or false"),
        ("TIDEGATE_AUTH__ANONYMOUS_SCOPES", "workflows:reed", "unknown scope"),
        ("TIDEGATE_AUTH__ANONYMOUS_WORKSPACES", "a b", "a workspace's id must be"),
        ("TIDEGATE_AUTH__BOOTSTRAP_TOKEN_EXPIRES_AT", "tomorrow", "must be a time"),
        ("TIDEGATE_AUTH__RATE_LIMIT__IP", "-1", "must be 0"),
        ("TIDEGATE_AUTH__RATE_LIMIT__KIND", "redis", "needs auth.rate_limit.redis_url"),
        ("TIDEGATE_ENGINES__DEFAULT", "other", "must be one of embedded"),
        ("TIDEGATE_ENGINES__HISTORY_TTL", "1s", "at least a minute"),
        ("TIDEGATE_ENGINES__LIST", "[]", "at least one engine"),
        ("TIDEGATE_ENGINES__LIST", "embedded", "not readable as JSON"),
        ("TIDEGATE_ENGINES__LIST", r#"[{"name":"a"}]"#, "needs a kind"),
        ("TIDEGATE_ENGINES__LIST", r#"[{"kind":"embedded"}]"#, "needs a name"),
        ("TIDEGATE_ENGINES__LIST", r#"[{"name":"a","kind":"embedded","nam":1}]"#, "did you mean name?"),
        ("TIDEGATE_TELEMETRY__LOG_FORMAT", "xml", "must be one of text, json"),
        ("TIDEGATE_TELEMETRY__LOG_LEVEL", "inof", "did you mean info?"),
        ("TIDEGATE_REALTIME__KIND", "kafka", "must be one of in_process"),
    ] {
        assert_refused(load_environment(&[(variable, value)]), &[reason, variable]);
    }
}

#[test]
fn keys_of_what_is_not_built_yet_stop_the_start_and_say_so() {
    for text in [
        "[login]\nissuer = \"workos\"\n",
        "[workers]\ntimeout = 1\n",
        "[centrifugo]\nhost = \"localhost\"\n",
        "[realtime]\nkind = \"centrifugo\"\n",
        "[engines]\nidentity_signature = \"v2\"\n",
        "[engines]\nidentity_signing_keys = [\"x\"]\n",
        "[[engines.routes]]\nprocess = \"*\"\n",
        "[[engines.list]]\nname = \"c8\"\nkind = \"camunda8\"\nurl = \"http://localhost\"\n",
        "[[engines.list]]\nname = \"e\"\nkind = \"embedded\"\nurl = \"http://localhost\"\n",
        "[telemetry]\notlp_endpoint = \"http://localhost\"\n",
        "[telemetry]\nmetrics = true\n",
    ] {
        assert_refused(load_file(text, &[]), &["not built yet"]);
    }
    assert_refused(load_environment(&[("TIDEGATE_CENTRIFUGO__API_KEY", SECRET)]), &["centrifugo", "not built yet"]);
    assert_refused(load_environment(&[("TIDEGATE_CENTRIFUGO__API_KEY_FILE", "/x")]), &["centrifugo", "not built yet"]);
}

#[test]
fn a_secret_of_the_environment_comes_through_unchanged() {
    for secret in [
        "12345678901234567890123456789012",
        "\"quoted-quoted-quoted-quoted-quo\"",
        "true,false,true,false,[1,2],{a:1}",
        "0x10101010101010101010101010101010",
    ] {
        let loaded = load_environment(&[("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", secret)]).unwrap();
        assert_eq!(loaded.config.auth.bootstrap_service_token.unwrap().expose(), secret);
    }
}

#[test]
fn lists_split_at_commas_or_are_json() {
    for text in ["workflows:read, jobs:work", r#"["workflows:read","jobs:work"]"#, "workflows:read,jobs:work,"] {
        let loaded = load_environment(&[("TIDEGATE_AUTH__ANONYMOUS_SCOPES", text)]).unwrap();
        assert_eq!(loaded.config.auth.anonymous_scopes, [Scope::WorkflowsRead, Scope::JobsWork].into());
    }
    let engines = r#"[{"name":"mine","kind":"embedded"}]"#;
    let config = load_environment(&[("TIDEGATE_ENGINES__LIST", engines)]).unwrap().config;
    assert_eq!(config.engines.default.as_str(), "mine");
}

#[test]
fn values_are_read_by_the_type_of_their_key() {
    let config = load_environment(&[
        ("TIDEGATE_SERVER__REQUEST_TIMEOUT", "45"),
        ("TIDEGATE_SERVER__SHUTDOWN_GRACE", "PT1M"),
        ("TIDEGATE_SERVER__CORS_ALLOW_ORIGINS", "https://App.example.org:443,http://localhost:3000"),
        ("TIDEGATE_ENGINES__HISTORY_TTL", "7d"),
        ("TIDEGATE_AUTH__MAX_SERVICE_TOKEN_LIFE", "12h"),
        ("TIDEGATE_AUTH__MODE", "Optional"),
        ("TIDEGATE_TELEMETRY__LOG_FORMAT", "json"),
        ("TIDEGATE_TELEMETRY__LOG_LEVEL", "warn,tidegate::adapters=debug"),
    ])
    .unwrap()
    .config;
    assert_eq!(config.server.request_timeout, Duration::from_secs(45));
    assert_eq!(config.server.shutdown_grace, Duration::from_mins(1));
    assert_eq!(config.server.cors_allow_origins, ["https://app.example.org", "http://localhost:3000"]);
    assert_eq!(config.engines.history_ttl, SignedDuration::from_hours(7 * 24));
    assert_eq!(config.auth.max_service_token_life, Some(SignedDuration::from_hours(12)));
    assert_eq!(config.auth.mode, Some(AuthMode::Optional));
    assert_eq!(config.telemetry.log_format, LogFormat::Json);
}

#[test]
fn two_variables_of_one_key_stop_the_start() {
    let both = [("TIDEGATE_AUTH__MODE", "optional"), ("TIDEGATE_Auth__Mode", "required")];
    assert_refused(load_environment(&both), &["auth.mode", "TIDEGATE_AUTH__MODE", "TIDEGATE_Auth__Mode", "keep one"]);
    assert_eq!(load_environment(&both[1..]).unwrap().config.auth.mode, Some(AuthMode::Required));
}

#[test]
fn what_is_not_utf_8_stops_the_start_where_it_means_something() {
    use std::os::unix::ffi::OsStringExt as _;
    let load = |name: &str| {
        let mut sources = Sources::of_environment([]);
        sources.environment.insert(name.to_owned(), std::ffi::OsString::from_vec(vec![b'a', 0xff]));
        config::load(&sources)
    };
    for name in ["TIDEGATE_AUTH__MODE", "ORCHEO_AUTH_MODE", "ORCHEO_AUTH_JWT_SECRET", "CENTRIFUGO_API_KEY"] {
        assert_refused(load(name), &[name, "not UTF-8"]);
    }
    let told = load("ORCHEO_SOMETHING_ELSE").unwrap().warnings;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(load("SOMETHING_ELSE").unwrap().warnings, []);
}

#[test]
fn only_names_with_two_underscores_are_keys() {
    let loaded = load_environment(&[
        ("TIDEGATE_PORT", "tcp://10.0.0.1:80"),
        ("TIDEGATE_SERVICE_HOST", "10.0.0.1"),
        ("TIDEGATE_URL", "http://localhost:1"),
        ("TIDEGATE_TOKEN", SECRET),
        ("TIDEGATE_PROFILE", "x"),
    ]);
    assert_eq!(loaded.unwrap().config, Config::default());
}

#[test]
fn a_secret_may_come_from_a_file_and_loses_one_newline() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("secret");
    let name = "TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN_FILE";
    let load = || load_environment(&[(name, file.to_str().unwrap())]);
    for (content, expected) in
        [(format!("{SECRET}\n"), SECRET), (SECRET.to_owned(), SECRET), (format!("{SECRET}\r\n"), SECRET)]
    {
        fs::write(&file, content).unwrap();
        let loaded = load().unwrap();
        assert_eq!(loaded.config.auth.bootstrap_service_token.as_ref().unwrap().expose(), expected);
        assert_eq!(loaded.origins.of("auth.bootstrap_service_token"), Origin::VariableFile(name.to_owned()));
    }
    fs::write(&file, format!("{SECRET}\n\n")).unwrap();
    assert_refused(load(), &["visible ASCII"]);
    fs::remove_file(&file).unwrap();
    assert_refused(load(), &[name, "cannot be read"]);
    fs::write(&file, "postgres://ada:pw@db/gate\n").unwrap();
    let loaded = load_environment(&[("TIDEGATE_DATABASE__URL_FILE", file.to_str().unwrap())]).unwrap();
    assert_eq!(loaded.config.database.url.expose(), "postgres://ada:pw@db/gate");
}

#[test]
fn both_forms_of_a_secret_at_once_stop_the_start() {
    let both = [
        ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", SECRET),
        ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN_FILE", "/dev/null"),
    ];
    assert_refused(load_environment(&both), &["both TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN and", "_FILE are set"]);
    assert_refused(
        load_environment(&[("TIDEGATE_SERVER__BIND_FILE", "/dev/null")]),
        &["only secrets are read from files"],
    );
    assert_refused(load_environment(&[("TIDEGATE_SERVER__BNID_FILE", "/dev/null")]), &["did you mean server.bind?"]);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let missing = Path::new("/nonexistent/tidegate.toml");
    let mut sources = Sources::of_environment([]);
    sources.config = Some(missing.to_owned());
    assert_refused(config::load(&sources), &["/nonexistent/tidegate.toml", "--config names", "cannot be read"]);
    assert_refused(
        load_environment(&[("TIDEGATE_CONFIG", "/nonexistent/tidegate.toml")]),
        &["/nonexistent/tidegate.toml", "TIDEGATE_CONFIG names"],
    );
}

#[test]
fn a_file_that_cannot_be_read_as_toml_is_named_with_its_line_and_shows_no_value() {
    assert_refused(
        load_file(&format!("[auth]\nbootstrap_service_token = \"{SECRET}\nmode = 1\n"), &[]),
        &["config.toml:2", "not readable as TOML"],
    );
    assert_refused(
        load_file("[auth]\nmode = \"required\"\nmode = \"optional\"\n", &[]),
        &["config.toml:3", "duplicate"],
    );
}

#[test]
fn no_error_and_no_debug_form_shows_a_secret() {
    for (name, value) in [
        ("TIDEGATE_DATABASE__URL", format!("mysql://ada:{SECRET}@db/gate")),
        ("TIDEGATE_DATABASE__URL", format!("postgres://ada:{SECRET}@db:port/gate")),
        ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", format!("{SECRET} ")),
        ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", format!("tgs_{SECRET}")),
        ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKN", SECRET.to_owned()),
    ] {
        assert_refused(load_environment(&[(name, &value)]), &[name]);
    }
    assert_refused(load_file("[auth]\nbootstrap_service_token = 12345678901234567\n", &[]), &["must be a text"]);
    assert!(!refusal(load_file("[auth]\nbootstrap_service_token = 12345678901234567\n", &[])).contains("1234567"));

    let loaded = load_environment(&[
        ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", SECRET),
        ("TIDEGATE_DATABASE__URL", &format!("postgres://ada:{SECRET}@db/gate")),
    ])
    .unwrap();
    let shown = format!("{loaded:?} {:?}", loaded.config.entries());
    assert!(!shown.contains(SECRET), "{shown}");
    assert_eq!(value_of(&loaded.config, "auth.bootstrap_service_token"), "[redacted]");
    assert_eq!(value_of(&loaded.config, "database.url"), "postgres://ada:***@db/gate");
}

#[test]
fn a_bootstrap_token_is_long_enough_and_no_other_judges() {
    let load = |token: &str| load_environment(&[("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", token)]);
    assert_refused(load("fifteen-letters"), &["at least 16 characters"]);
    assert_refused(load(""), &["at least 16 characters"]);
    assert_refused(load("tgs_0123456789abcdef"), &["must not begin with tgs_"]);
    assert_refused(load("header99.payload99.signature99"), &["judged as a JWT"]);
    assert_refused(load("header99.payload99."), &["judged as a JWT"]);
    assert_refused(load("ünïcödé-ünïcödé-ünïcödé"), &["visible ASCII"]);
    let short = load("sixteen-letters-").unwrap();
    assert_eq!(short.warnings.len(), 1);
    assert!(short.warnings[0].to_string().contains("under 32 characters"));
    assert_eq!(load(SECRET).unwrap().warnings, []);
}

#[test]
fn a_gate_that_anybody_may_enter_listens_on_loopback_only() {
    let everywhere = ("TIDEGATE_SERVER__BIND", "0.0.0.0:8080");
    let disabled = ("TIDEGATE_AUTH__MODE", "disabled");
    assert_refused(load_environment(&[disabled, everywhere]), &["auth.mode", "loopback only", "allow_insecure_bind"]);
    let open = load_environment(&[disabled, everywhere, ("TIDEGATE_AUTH__ALLOW_INSECURE_BIND", "true")]).unwrap();
    assert!(open.warnings.iter().any(|warning| warning.message.contains("may do everything")));
    assert!(load_environment(&[disabled, ("TIDEGATE_SERVER__BIND", "[::1]:8080")]).is_ok());

    let optional = load_environment(&[("TIDEGATE_AUTH__MODE", "optional"), everywhere]).unwrap().config;
    assert!(optional.exposure(false).is_err(), "no credential is stored");
    assert!(optional.exposure(true).is_ok());
    let with_token =
        [("TIDEGATE_AUTH__MODE", "optional"), everywhere, ("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", SECRET)];
    assert!(load_environment(&with_token).unwrap().config.exposure(false).is_ok());
    assert!(load_environment(&[everywhere]).unwrap().config.exposure(false).is_ok(), "unset asks for a token");
}

#[test]
fn names_that_other_deployments_set_are_understood() {
    let loaded = load_environment(&[
        ("ORCHEO_AUTH_MODE", "required"),
        ("ORCHEO_AUTH_BOOTSTRAP_SERVICE_TOKEN", SECRET),
        ("ORCHEO_AUTH_BOOTSTRAP_TOKEN_SCOPES", "workflows:read,workflows:write"),
        ("ORCHEO_AUTH_BOOTSTRAP_TOKEN_EXPIRES_AT", "2099-01-01T00:00:00+00:00"),
        ("ORCHEO_AUTH_RATE_LIMIT_IP", "0"),
        ("ORCHEO_AUTH_RATE_LIMIT_IDENTITY", "7"),
        ("ORCHEO_AUTH_RATE_LIMIT_INTERVAL", "1.5"),
        ("ORCHEO_AUTH_SERVICE_TOKEN_BACKEND", "postgres"),
        ("ORCHEO_POSTGRES_DSN", "postgresql://ada:pw@db/gate"),
        ("ORCHEO_LOG_LEVEL", "WARNING"),
        ("ORCHEO_API_URL", "http://localhost:1"),
        ("ORCHEO_SERVICE_TOKEN", SECRET),
        ("ORCHEO_SOMETHING_ELSE", SECRET),
        ("ORCHEO_AUTH_JWT_SECRET", ""),
    ])
    .unwrap();
    let auth = &loaded.config.auth;
    assert_eq!(auth.mode, Some(AuthMode::Required));
    assert_eq!(auth.bootstrap_service_token.as_ref().unwrap().expose(), SECRET);
    assert_eq!(auth.bootstrap_token_scopes, Some([Scope::WorkflowsRead, Scope::WorkflowsWrite].into()));
    assert_eq!(auth.bootstrap_token_expires_at.unwrap().to_string(), "2099-01-01T00:00:00Z");
    assert_eq!((auth.rate_limit.ip, auth.rate_limit.identity), (0, 7));
    assert_eq!(auth.rate_limit.interval, SignedDuration::from_millis(1_500));
    assert_eq!(loaded.config.database.url.expose(), "postgresql://ada:pw@db/gate");
    assert_eq!(loaded.config.telemetry.log_level, "warn");
    assert_eq!(loaded.origins.of("auth.mode"), Origin::Alias("ORCHEO_AUTH_MODE".to_owned()));
    let told: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(told.contains(&"ORCHEO_AUTH_MODE: understood as auth.mode".to_owned()), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("ORCHEO_SOMETHING_ELSE: not a name")), "{told:?}");
    assert!(!told.concat().contains(SECRET));
}

#[test]
fn the_native_name_wins_over_the_alias_wherever_it_stands() {
    let alias = ("ORCHEO_AUTH_MODE", "disabled");
    for loaded in [
        load_environment(&[alias, ("TIDEGATE_AUTH__MODE", "required")]),
        load_file("[auth]\nmode = \"required\"\n", &[alias]),
        load_environment(&[("ORCHEO_AUTH_MODE", "no mode at all"), ("TIDEGATE_AUTH__MODE", "required")]),
    ] {
        let loaded = loaded.unwrap();
        assert_eq!(loaded.config.auth.mode, Some(AuthMode::Required));
        assert!(loaded.warnings[0].message.starts_with("has no effect: auth.mode is set by"), "{:?}", loaded.warnings);
    }
}

#[test]
fn aliases_that_cannot_be_honoured_stop_the_start() {
    for name in ["CENTRIFUGO_API_KEY", "ORCHESCALA_IDENTITY_SIGNING_KEY"] {
        assert_refused(load_environment(&[(name, SECRET)]), &[name, "not built yet"]);
    }
    assert_refused(
        load_environment(&[("ORCHEO_LOG_SENSITIVE_DEBUG", "1")]),
        &["ORCHEO_LOG_SENSITIVE_DEBUG", "never logs"],
    );
    assert_refused(load_environment(&[("ORCHEO_AUTH_MODE", "maybe")]), &["auth.mode", "ORCHEO_AUTH_MODE"]);
    assert_refused(
        load_environment(&[("ORCHEO_AUTH_SERVICE_TOKEN_BACKEND", "postgres")]),
        &["ORCHEO_POSTGRES_DSN is not set"],
    );
}

#[test]
fn a_dsn_without_its_backend_changes_nothing_and_is_reported() {
    let loaded = load_environment(&[("ORCHEO_POSTGRES_DSN", "postgres://db/gate")]).unwrap();
    assert_eq!(loaded.config.database, Config::default().database);
    assert!(loaded.warnings[0].message.contains("no effect"));
}

#[test]
fn the_report_shows_every_key_with_its_origin_and_no_secret() {
    let loaded = load_file(
        "[server]\nbind = \"127.0.0.1:1\"\n",
        &[("TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN", SECRET), ("ORCHEO_AUTH_MODE", "required"), ("ORCHEO_FOO", SECRET)],
    )
    .unwrap();
    let report = loaded.report();
    let line = |name: &str| report.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    assert!(line("bind = \"127.0.0.1:1\"").ends_with("config.toml:2"), "{report}");
    assert!(line("body_limit = \"4 MiB\"").ends_with("# default"), "{report}");
    assert!(line("bootstrap_service_token = \"[redacted]\"").ends_with("# $TIDEGATE_AUTH__BOOTSTRAP_SERVICE_TOKEN"));
    assert!(line("mode = \"required\"").ends_with("# $ORCHEO_AUTH_MODE (alias)"), "{report}");
    assert!(report.contains("warning: ORCHEO_FOO"), "{report}");
    let json = loaded.to_json();
    assert_eq!(json["config"]["server"]["bind"], "127.0.0.1:1");
    assert_eq!(json["config"]["auth"]["rate_limit"]["ip"], 60);
    assert_eq!(json["origins"]["auth.mode"], "$ORCHEO_AUTH_MODE (alias)");
    assert!(!report.contains(SECRET) && !json.to_string().contains(SECRET));

    let decimals =
        load_environment(&[("ORCHEO_AUTH_RATE_LIMIT_INTERVAL", "1.5"), ("TIDEGATE_SESSIONS__TTL_SECONDS", "2.5")]);
    let decimals = decimals.unwrap();
    let again = load_file(&decimals.report().replace("warning:", "#"), &[]).unwrap();
    assert_eq!(again.config.auth.rate_limit.interval, SignedDuration::from_millis(1_500));
    assert_eq!(again.config, decimals.config);

    // What it shows is a config again: whoever copies it gets the same gate.
    let again = load_file(&report.replace("\"[redacted]\"", &format!("\"{SECRET}\"")).replace("warning:", "#"), &[]);
    assert_eq!(again.unwrap().config, loaded.config);
}

proptest::proptest! {
    #[test]
    fn whatever_stands_there_is_taken_or_refused(
        key in "[a-z_]{1,12}(\\.[a-z_]{1,12}){0,2}",
        value in "[ -~\n]{0,40}",
        name in "(SERVER|AUTH|AUTH__RATE_LIMIT|DATABASE|ENGINES|TELEMETRY)__[A-Z_]{1,24}",
    ) {
        let file = format!("{key} = {value}\n");
        drop(load_file(&file, &[]));
        drop(load_environment(&[(&format!("TIDEGATE_{name}"), &value)]));
    }

    #[test]
    fn no_form_of_a_secret_shows_in_an_error(wrapped in "[\"'\\[{= ]{0,3}", line in 0..3_usize) {
        let mut lines = ["[auth]", "mode = \"required\"", "allow_insecure_bind = false"].map(ToOwned::to_owned);
        lines[line] = format!("{}\nbootstrap_service_token = {wrapped}{SECRET}", lines[line]);
        if let Err(error) = load_file(&lines.join("\n"), &[]) {
            proptest::prop_assert!(!error.to_string().contains(SECRET), "{error}");
        }
    }
}
