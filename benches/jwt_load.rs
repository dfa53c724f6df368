//! What `scripts/measure` puts beside the gate where bearer tokens are judged:
//!
//! `jwt_load mint FOLDER COUNT`: an RSA key's public half as `jwks.json`, and COUNT different RS256 tokens, one a line, in
//! `tokens`. `jwt_load serve FOLDER`: a bare poem handler that verifies RS256 with a prepared josekit verifier and looks at
//! `exp`, nothing else; prints its address.

#![allow(missing_docs, reason = "a program")]
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a measurement that fails may fail loudly")]
#![allow(clippy::disallowed_methods, reason = "it stands beside the gate: its clock is the system's")]
#![allow(clippy::needless_pass_by_value, reason = "poem hands extractors over by value")]

use std::{
    env,
    error::Error,
    fs,
    io::Write as _,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use josekit::{
    jwk::{Jwk, alg::rsa::RsaKeyPair},
    jws::{JwsHeader, JwsSigner, JwsVerifier, RS256},
    jwt::{self, JwtPayload},
};
use poem::{
    EndpointExt, Route, Server, get, handler,
    http::{HeaderMap, StatusCode, header},
    listener::{Acceptor, Listener, TcpListener},
    web::{Data, Json},
};

type Failed = Box<dyn Error + Send + Sync>;

const KEY: &str = "load";

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["mint", folder, count] => mint(Path::new(folder), count.parse()?),
        ["serve", folder] => tokio::runtime::Runtime::new()?.block_on(serve(Path::new(folder))),
        _ => Err("jwt_load mint FOLDER COUNT | serve FOLDER".into()),
    }
}

fn mint(folder: &Path, count: usize) -> Result<(), Failed> {
    let pair = RsaKeyPair::generate(2048)?;
    let mut public: Jwk = pair.to_jwk_public_key();
    public.set_key_id(KEY);
    public.set_algorithm("RS256");
    fs::write(folder.join("jwks.json"), serde_json::json!({ "keys": [public] }).to_string())?;
    let pem = pair.to_pem_private_key();
    let threads = thread::available_parallelism()?.get();
    let parts = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|part| {
                let pem = &pem;
                scope.spawn(move || {
                    let signer = RS256.signer_from_pem(pem)?;
                    (part..count).step_by(threads).map(|number| token(&signer, number)).collect()
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("a thread")).collect::<Result<Vec<Vec<String>>, Failed>>()
    })?;
    let mut file = std::io::BufWriter::new(fs::File::create(folder.join("tokens"))?);
    for token in parts.iter().flatten() {
        writeln!(file, "{token}")?;
    }
    Ok(file.flush()?)
}

fn token(signer: &dyn JwsSigner, number: usize) -> Result<String, Failed> {
    let mut header = JwsHeader::new();
    header.set_key_id(KEY);
    header.set_token_type("JWT");
    let now = SystemTime::now();
    let mut payload = JwtPayload::new();
    payload.set_issuer("https://load.example");
    payload.set_audience(vec!["tidegate"]);
    payload.set_subject("ada");
    payload.set_jwt_id(format!("token-{number}"));
    payload.set_issued_at(&now);
    payload.set_expires_at(&(now + Duration::from_hours(1)));
    payload.set_claim("scope", Some("workflows:read".into()))?;
    payload.set_claim("workspace_ids", Some(serde_json::json!(["load"])))?;
    Ok(jwt::encode_with_signer(&payload, &header, signer)?)
}

async fn serve(folder: &Path) -> Result<(), Failed> {
    let keys: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("jwks.json"))?)?;
    let key = Jwk::from_bytes(keys["keys"][0].to_string())?;
    let verifier: Arc<dyn JwsVerifier> = Arc::new(RS256.verifier_from_jwk(&key)?);
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await?;
    let address = acceptor.local_addr()[0].to_string();
    println!("{}", address.trim_start_matches("socket://"));
    Ok(Server::new_with_acceptor(acceptor).run(Route::new().at("/", get(who)).data(verifier)).await?)
}

#[handler]
fn who(headers: &HeaderMap, verifier: Data<&Arc<dyn JwsVerifier>>) -> Result<Json<serde_json::Value>, StatusCode> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let (payload, _) = jwt::decode_with_verifier(token.ok_or(StatusCode::UNAUTHORIZED)?, &***verifier)
        .map_err(|_| StatusCode::UNAUTHORIZED)?;
    if payload.expires_at().is_none_or(|end| end <= SystemTime::now()) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok(Json(serde_json::json!({ "sub": payload.subject() })))
}
