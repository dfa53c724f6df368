//! The real gate, started with the names that existing deployments set; and `config check --online`.

use std::{
    fs::{self, File},
    process::{Child, Output, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use josekit::{
    jwk::alg::rsa::RsaKeyPair,
    jws::{HS256, JwsHeader, JwsSigner, RS256},
    jwt::{self, JwtPayload},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate::{adapters::clock::SystemClock, ports::clock::Clock as _};

use crate::support::{
    process::{PATIENCE, answer, free_port, pause, tidegate},
    scripted::{Reply, Scripted},
};

const SECRET: &str = "a-secret-of-an-older-deployment-0123456789";

static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(2_048).unwrap());

fn public_key(id: &str) -> Value {
    let mut key = Value::Object(RSA.to_jwk_public_key().as_ref().clone());
    key["kid"] = json!(id);
    key
}

fn token(signer: &dyn JwsSigner, id: Option<&str>, more: &Value) -> String {
    let now = SystemClock.now().as_second();
    let mut claims = json!({"sub": "ada", "iat": now, "exp": now + 300, "scope": "workflows:read"});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut header = JwsHeader::new();
    if let Some(id) = id {
        header.set_key_id(id);
    }
    let payload = JwtPayload::from_map(claims.as_object().unwrap().clone()).unwrap();
    jwt::encode_with_signer(&payload, &header, signer).unwrap()
}

fn by_secret(more: &Value) -> String {
    token(&HS256.signer_from_bytes(SECRET).unwrap(), None, more)
}

fn by_key(id: &str) -> String {
    token(&RS256.signer_from_der(RSA.to_der_private_key()).unwrap(), Some(id), &json!({}))
}

/// `tidegate serve` with these variables and nothing else; ends with the test.
struct Started {
    folder: TempDir,
    base: String,
    child: Child,
    client: reqwest::Client,
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Started {
    async fn with(variables: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let log = File::create(folder.path().join("gate.log")).unwrap();
        let mut command = tidegate();
        command.args(["serve", "--bind", &address]).current_dir(folder.path()).env_clear();
        let child = command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        let mut gate = Self { folder, base: format!("http://{address}"), child, client };
        let deadline = Instant::now() + PATIENCE;
        while answer(gate.client.get(format!("{}/health/ready", gate.base))).await.is_none() {
            let ended = gate.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{}", gate.log());
            pause().await;
        }
        gate
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("gate.log")).unwrap()
    }

    async fn whoami(&self, token: &str) -> (u16, Value) {
        let request = self.client.get(format!("{}/api/whoami", self.base));
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        answer(request).await.unwrap()
    }

    #[track_caller]
    fn assert_known(&self, (status, who): (u16, Value)) {
        assert_eq!((status, &who["issuer"], &who["subject"]), (200, &json!("orcheo"), &json!("ada")), "{}", self.log());
    }
}

#[tokio::test]
async fn a_gate_starts_with_a_secret_an_audience_and_an_issuer_of_an_older_deployment() {
    let gate = Started::with(&[
        ("ORCHEO_AUTH_JWT_SECRET", SECRET),
        ("ORCHEO_AUTH_AUDIENCE", "gate, other"),
        ("ORCHEO_AUTH_ISSUER", "https://id.example"),
        ("ORCHEO_AUTH_ALLOWED_ALGORITHMS", "HS256"),
    ])
    .await;
    let good = json!({"iss": "https://id.example", "aud": "gate"});
    let (status, who) = gate.whoami(&by_secret(&good)).await;
    assert_eq!(who["all_workspaces"], true, "older tokens know no workspaces: {who}");
    gate.assert_known((status, who));
    for (claims, code) in [
        (json!({"iss": "https://id.example", "aud": "elsewhere"}), "auth.invalid_audience"),
        (json!({"iss": "https://id.example"}), "auth.invalid_audience"),
        (json!({"iss": "https://evil.example", "aud": "gate"}), "auth.invalid_issuer"),
    ] {
        let (status, problem) = gate.whoami(&by_secret(&claims)).await;
        assert_eq!((status, &problem["code"]), (401, &json!(code)), "{claims}");
    }
    assert_eq!(gate.whoami("").await.1["code"], "auth.missing_token", "an issuer is a credential");
    assert!(!gate.folder.path().join("data/first-token").exists(), "where there is an issuer nothing is minted");
    assert!(!gate.log().contains(SECRET));
}

#[tokio::test]
async fn a_gate_starts_with_the_keys_of_an_older_deployment_wherever_they_are() {
    let published = Scripted::start(Reply::json(&json!({"keys": [public_key("published")]}))).await;
    let gate = Started::with(&[
        ("ORCHEO_AUTH_JWKS_URL", &published.url("/jwks")),
        ("ORCHEO_AUTH_JWKS", &json!({"keys": [public_key("given")]}).to_string()),
        ("ORCHEO_AUTH_JWKS_STATIC", &json!([public_key("static")]).to_string()),
        ("ORCHEO_AUTH_JWKS_CACHE_TTL", "60.5"),
        ("ORCHEO_AUTH_JWKS_TIMEOUT", "2.5"),
    ])
    .await;
    gate.assert_known(gate.whoami(&by_key("published")).await);
    gate.assert_known(gate.whoami(&by_key("given")).await);
    assert_eq!(gate.whoami(&by_key("static")).await.1["code"], "auth.invalid_token", "ORCHEO_AUTH_JWKS wins");
    assert!(gate.log().contains("ORCHEO_AUTH_JWKS is set"), "{}", gate.log());

    let gate = Started::with(&[("ORCHEO_AUTH_JWKS_STATIC", &json!([public_key("static")]).to_string())]).await;
    gate.assert_known(gate.whoami(&by_key("static")).await);
}

#[tokio::test]
async fn a_gate_starts_with_the_entrance_and_the_limits_of_an_older_deployment() {
    let bootstrap = "bootstrap-of-an-older-deployment-012345";
    let variables = [
        ("ORCHEO_AUTH_MODE", "optional"),
        ("ORCHEO_AUTH_BOOTSTRAP_SERVICE_TOKEN", bootstrap),
        ("ORCHEO_AUTH_BOOTSTRAP_TOKEN_SCOPES", "workflows:read,jobs:work"),
        ("ORCHEO_AUTH_BOOTSTRAP_TOKEN_EXPIRES_AT", "2099-01-01T00:00:00Z"),
        ("ORCHEO_AUTH_RATE_LIMIT_IP", "2"),
        ("ORCHEO_AUTH_RATE_LIMIT_IDENTITY", "0"),
        ("ORCHEO_AUTH_RATE_LIMIT_INTERVAL", "60.0"),
        ("ORCHEO_LOG_LEVEL", "WARNING"),
        ("ORCHEO_API_URL", "http://elsewhere.example"),
        ("ORCHEO_SERVICE_TOKEN", SECRET),
    ];
    let gate = Started::with(&variables).await;
    assert_eq!(gate.whoami("").await.1["kind"], "anonymous");
    let (_, who) = gate.whoami(bootstrap).await;
    assert_eq!(who["scopes"], json!(["workflows:read", "jobs:work"]));
    assert_eq!(who["expires_at"], "2099-01-01T00:00:00.000000Z");
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(gate.whoami("no-token-of-anybody").await.0);
    }
    assert_eq!(statuses, [401, 401, 429]);

    let one = variables.map(|(name, value)| (name, if name.ends_with("_IDENTITY") { "1" } else { value }));
    let one = one.map(|(name, value)| (name, if name.ends_with("_INTERVAL") { "2.5" } else { value }));
    let gate = Started::with(&[&one[..], &[("ORCHEO_AUTH_JWT_SECRET", SECRET)]].concat()).await;
    let expired = by_secret(&json!({"exp": SystemClock.now().as_second() - 60}));
    assert_eq!(gate.whoami(&expired).await.1["code"], "auth.token_expired");
    assert_eq!(gate.whoami(&expired).await.1["code"], "auth.rate_limited.identity");
    let deadline = Instant::now() + PATIENCE;
    while gate.whoami(&expired).await.0 != 401 {
        assert!(Instant::now() < deadline, "an interval of 2.5 s is over");
        pause().await;
    }

    let unlimited = variables.map(|(name, value)| (name, if name.ends_with("_IP") { "0" } else { value }));
    let gate = Started::with(&unlimited).await;
    for _ in 0..5 {
        assert_eq!(gate.whoami("no-token-of-anybody").await.0, 401, "0 switches the limit off");
    }
}

#[tokio::test]
async fn a_gate_starts_on_the_database_of_an_older_deployment() {
    let database = crate::support::postgres::TestDatabase::fresh().await;
    let (backend, secret) = (("ORCHEO_AUTH_SERVICE_TOKEN_BACKEND", "postgres"), ("ORCHEO_AUTH_JWT_SECRET", SECRET));
    let url = database.url();
    let gate = Started::with(&[backend, secret, ("ORCHEO_POSTGRES_DSN", &url)]).await;
    gate.assert_known(gate.whoami(&by_secret(&json!({}))).await);
    assert!(!gate.folder.path().join("data").exists(), "no file of its own");
    // Another one there knows the service tokens of this one.
    let admin = by_secret(&json!({"scope": "admin:tokens:write workflows:read"}));
    let order = json!({"identifier": "ci", "scopes": ["workflows:read"], "all_workspaces": true});
    let minting = gate.client.post(format!("{}/api/admin/service-tokens", gate.base)).bearer_auth(admin).json(&order);
    let (status, made) = answer(minting).await.unwrap();
    assert_eq!(status, 201, "{made}");
    let native = [("TIDEGATE_DATABASE__URL", url.as_str()), ("ORCHEO_POSTGRES_DSN", "postgres://nowhere/x")];
    let other = Started::with(&[&native[..], &[backend, secret]].concat()).await;
    assert_eq!(other.whoami(made["secret"].as_str().unwrap()).await.1["subject"], "ci", "our own name wins");
}

/// Runs in a thread of its own, so that the scripted peers answer meanwhile.
async fn check_online(text: String) -> (i32, Value) {
    let ran = tokio::task::spawn_blocking(move || {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("config.toml"), text).unwrap();
        let mut command = tidegate();
        command.args(["config", "check", "--online", "--json"]).current_dir(folder.path()).env_clear();
        command.output().unwrap()
    });
    let Output { status, stdout, stderr } = ran.await.unwrap();
    let told = serde_json::from_slice::<Value>(&stdout);
    let told = told.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr)));
    (status.code().unwrap(), told["online"].clone())
}

#[tokio::test]
async fn a_check_online_tells_which_keys_can_be_used_and_which_not() {
    let keys = json!({"keys": [public_key("good"), {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "RSA", "kid": "bad"}]});
    let peer = Scripted::start(Reply::json(&keys)).await;
    let text = format!(
        "[[auth.issuers]]\nname = \"a\"\nkind = \"jwt\"\naudiences = [\"x\"]\njwks_url = \"{}\"\n",
        peer.url("/jwks")
    );
    let (code, online) = check_online(text).await;
    assert_eq!(code, 0, "{online}");
    assert_eq!(online[0]["usable"], json!(["kid \"good\" (RS256)"]));
    assert_eq!(online[0]["skipped"].as_array().unwrap().len(), 2, "{online}");
    assert_eq!(online[0]["source"], peer.url("/jwks"));
}

#[tokio::test]
async fn a_check_online_fails_for_an_issuer_that_could_judge_nothing() {
    let gone = format!("http://127.0.0.1:{}", free_port());
    let document = json!({"issuer": "https://somebody.example", "jwks_uri": "https://somebody.example/jwks"});
    let other = Scripted::start(Reply::json(&document)).await;
    let inactive = Scripted::start(Reply::json(&json!({"active": false}))).await;
    let closed = Scripted::start(Reply::status(401)).await;
    let oidc = |name: &str, url: &str| {
        format!("[[auth.issuers]]\nname = \"{name}\"\nkind = \"oidc\"\naudiences = [\"x\"]\nissuers = [\"{url}\"]\n")
    };
    let asked = |name: &str, url: &str| {
        format!(
            "[[auth.issuers]]\nname = \"{name}\"\nkind = \"introspection\"\naudiences = [\"x\"]\nprefix = \"{name}_\"\n\
             introspection_url = \"{url}\"\nclient_id = \"gate\"\nclient_secret = \"{SECRET}\"\n"
        )
    };
    let text = [
        oidc("gone", &gone),
        oidc("other", &other.url("")),
        asked("inactive", &inactive.url("/introspect")),
        asked("closed", &closed.url("/introspect")),
    ]
    .concat();
    let (code, online) = check_online(text).await;
    assert_eq!(code, 1, "{online}");
    let verdicts: Vec<_> = online.as_array().unwrap().iter().map(|one| one["ok"].as_bool().unwrap()).collect();
    assert_eq!(verdicts, [false, false, true, false], "{online}");
    assert!(!online.to_string().contains(SECRET));
}

#[tokio::test]
async fn a_check_online_says_what_came_instead_of_keys() {
    for (reply, said) in [
        (Reply::html(), "JSON"),
        (Reply::status(500), "500"),
        (Reply::redirect("https://id.example/jwks"), "302"),
        (Reply::json(&json!({"keys": []})), "no key"),
        (Reply::json(&json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]})), "no key"),
        (Reply::status(200).huge(2 << 20), "1048576"),
        (Reply::status(200).never(), "in time"),
    ] {
        let peer = Scripted::start(reply).await;
        let text = format!(
            "[[auth.issuers]]\nname = \"a\"\nkind = \"jwt\"\naudiences = [\"x\"]\njwks_timeout = 0.5\njwks_url = \"{}\"\n",
            peer.url("/jwks")
        );
        let (code, online) = check_online(text).await;
        assert_eq!((code, &online[0]["ok"]), (1, &json!(false)), "{said}: {online}");
        assert!(online[0]["failure"].as_str().unwrap().contains(said), "{said}: {online}");
    }
    // A document that is good, and leads to keys that are not there.
    let peer = Scripted::start(Reply::status(404)).await;
    let document = json!({"issuer": peer.url(""), "jwks_uri": format!("http://127.0.0.1:{}/jwks", free_port())});
    peer.reply(Reply::json(&document));
    let text = format!(
        "[[auth.issuers]]\nname = \"a\"\nkind = \"oidc\"\naudiences = [\"x\"]\nissuers = [\"{}\"]\n",
        peer.url("")
    );
    let (code, online) = check_online(text).await;
    assert_eq!((code, &online[0]["ok"]), (1, &json!(false)), "{online}");
    assert!(online[0]["failure"].as_str().is_some_and(|failure| !failure.is_empty()), "{online}");
}
