//! Every algorithm, and nothing but what an issuer is bound to.

use secrecy::SecretString;
use serde_json::json;
use tidegate::{
    adapters::auth::jwt::{Algorithm, IssuerConfig},
    ports::token_validator::AuthError,
};

use super::{
    kinds::{Ground, judge, jwt, refusal},
    mint::{Key, SECRET, set},
};

fn issuer_of(key: &Key) -> IssuerConfig {
    let config = jwt(&[key.algorithm]);
    if key.algorithm.is_secret() {
        IssuerConfig { secret: Some(SecretString::from(SECRET)), ..config }
    } else {
        IssuerConfig { jwks: Some(set(&[key])), ..config }
    }
}

#[tokio::test]
async fn a_token_of_every_algorithm_is_accepted() {
    let ground = Ground::new();
    for algorithm in Algorithm::ALL {
        for id in [None, Some("key-1")] {
            let key = Key::new(algorithm, id);
            let validator = ground.validator([issuer_of(&key)]);
            let judged = judge(&validator, &key.token(&ground.claims(&json!({})))).await;
            assert_eq!(judged.map(|who| who.subject.clone()), Ok("ada".to_owned()), "{algorithm} {id:?}");
        }
    }
}

#[tokio::test]
async fn a_token_of_another_algorithm_is_refused() {
    let ground = Ground::new();
    let keys = Algorithm::ALL.map(|algorithm| Key::new(algorithm, None));
    for own in &keys {
        let validator = ground.validator([issuer_of(own)]);
        for other in keys.iter().filter(|other| other.algorithm != own.algorithm) {
            let token = other.token(&ground.claims(&json!({})));
            let error = refusal(&validator, &token).await;
            assert_eq!(error, Some(AuthError::UnsupportedAlgorithm), "{} for {}", other.algorithm, own.algorithm);
        }
    }
}

/// A key is for what its type and its `alg` say, whatever the token's header says.
#[tokio::test]
async fn an_algorithm_takes_no_key_that_is_for_another() {
    let ground = Ground::new();
    let (rs, ps) = (Key::new(Algorithm::Rs256, Some("one")), Key::new(Algorithm::Ps256, Some("one")));
    let mut bound = rs.public();
    bound["alg"] = json!("RS256");
    let every: Vec<_> = Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_secret()).collect();
    let validator = ground.validator([IssuerConfig { jwks: Some(json!([bound])), ..jwt(&every) }]);
    assert!(judge(&validator, &rs.token(&ground.claims(&json!({})))).await.is_ok());
    for other in [ps, Key::new(Algorithm::Es256, Some("one")), Key::new(Algorithm::EdDsa, Some("one"))] {
        let token = other.token(&ground.claims(&json!({})));
        assert_eq!(refusal(&validator, &token).await, Some(AuthError::InvalidToken), "{}", other.algorithm);
    }
}
