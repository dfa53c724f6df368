//! Algorithms, keys and signatures.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use josekit::jws::{HS256, HS384, HS512, JwsSigner, RS256};
use serde_json::{Value, json};

use super::world::{Broken, Outcome, Subject, encode};
use crate::ports::token_validator::AuthError;

/// Another bit, another token's, a part, more, none; and what an ECDSA signature, two numbers behind each other, may be
/// made into: a number that is zero or out of range, both in the wrong order, both as DER.
///
/// # Errors
/// [`Broken`].
pub async fn a_wrong_signature_is_refused(subject: &Subject) -> Outcome {
    let good = subject.good_token();
    let (text, signature) = good.rsplit_once('.').ok_or_else(|| Broken("no JWT".to_owned()))?;
    let bytes = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Broken("no base64url".to_owned()))?;
    let mut flipped = bytes.clone();
    flipped.iter_mut().take(1).for_each(|byte| *byte ^= 1);
    let other = subject.mint.sign(b"another.text");
    let (first, zeros) = (bytes.iter().copied().take(16).collect(), vec![0; bytes.len()]);
    let doubled = [bytes.clone(), bytes.clone()].concat();
    let mut all = vec![flipped, other, first, zeros, doubled, vec![255; bytes.len()], Vec::new(), vec![0]];
    let (r, s) = bytes.split_at(bytes.len() / 2);
    all.extend([[s, r].concat(), der(r, s), [&[0], r, s].concat(), [r, s, &[0]].concat()]);
    for edge in [0, 255] {
        let edge = |half: &[u8]| vec![edge; half.len()];
        all.extend([[edge(r), s.to_vec()].concat(), [r.to_vec(), edge(s)].concat()]);
    }
    for bad in all {
        subject.is_invalid(&format!("{text}.{}", encode(bad))).await?;
    }
    let (header, _) = text.split_once('.').ok_or_else(|| Broken("no JWT".to_owned()))?;
    let mut claims = subject.claims();
    claims.insert("sub".to_owned(), json!("eve"));
    subject.is_invalid(&format!("{header}.{}.{signature}", encode(Value::Object(claims).to_string()))).await
}

/// Two numbers as a DER sequence.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let with_length = |tag: u8, bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        let head = if length < 128 { vec![tag, length] } else { vec![tag, 0x81, length] };
        [head, bytes.to_vec()].concat()
    };
    let number = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let bytes = bytes.get(zeros..).unwrap_or_default();
        let sign = if bytes.first().is_some_and(|byte| *byte >= 128) { &[0][..] } else { &[] };
        with_length(2, &[sign, bytes].concat())
    };
    with_length(0x30, &[number(r), number(s)].concat())
}

/// `none` in any spelling, with and without a signature.
///
/// # Errors
/// [`Broken`].
pub async fn an_unsigned_token_is_refused(subject: &Subject) -> Outcome {
    for alg in ["none", "None", "NONE", "nOnE"] {
        let token = subject.token_headed(&[("alg", json!(alg))]);
        let (text, _) = token.rsplit_once('.').ok_or_else(|| Broken("no JWT".to_owned()))?;
        subject.refuses(&format!("{text}."), AuthError::UnsupportedAlgorithm).await?;
        subject.refuses(&token, AuthError::UnsupportedAlgorithm).await?;
    }
    Ok(())
}

/// An algorithm's name in another case, with blanks, unknown, or no text.
///
/// # Errors
/// [`Broken`].
pub async fn an_algorithm_is_spelled_exactly(subject: &Subject) -> Outcome {
    let own = subject.mint.header().get("alg").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut first_small = own.clone();
    first_small.get_mut(..1).into_iter().for_each(str::make_ascii_lowercase);
    for alg in
        [own.to_lowercase(), first_small, format!("{own} "), format!(" {own}"), format!("{own}\0"), "XX256".to_owned()]
    {
        subject.refuses(&subject.token_headed(&[("alg", json!(alg))]), AuthError::UnsupportedAlgorithm).await?;
    }
    subject.refuses(&subject.token_headed(&[("alg", json!(""))]), AuthError::UnsupportedAlgorithm).await?;
    for alg in [Value::Null, json!([own]), json!(1), json!({"alg": own})] {
        subject.is_invalid(&subject.token_headed(&[("alg", alg)])).await?;
    }
    Ok(())
}

/// HS256, HS384 and HS512 keyed with the issuer's public key, in whatever form.
///
/// # Errors
/// [`Broken`].
pub async fn a_public_key_is_no_secret(subject: &Subject) -> Outcome {
    for form in subject.mint.public_key_forms() {
        for (algorithm, name) in [(HS256, "HS256"), (HS384, "HS384"), (HS512, "HS512")] {
            let Ok(signer) = algorithm.signer_from_bytes(&form) else { continue };
            for header in [vec![("alg", json!(name))], vec![("alg", json!(name)), ("kid", Value::Null)]] {
                let token = subject.token_headed(&header);
                let (text, _) = token.rsplit_once('.').ok_or_else(|| Broken("no JWT".to_owned()))?;
                let signature = signer.sign(text.as_bytes()).map_err(|_| Broken("cannot sign".to_owned()))?;
                subject.rejection(&format!("{text}.{}", encode(signature))).await?;
            }
        }
    }
    Ok(())
}

/// A `kid` that no key has, or that means something to a file system or a database. Where there are no ids it counts for
/// nothing.
///
/// # Errors
/// [`Broken`].
pub async fn a_key_is_known_by_its_id(subject: &Subject) -> Outcome {
    let (long, short_enough) = ("k".repeat(1024 * 1024), "k".repeat(8 * 1024));
    let bad = [
        "unknown",
        "../../../../dev/null",
        "' OR '1'='1",
        "x'; DROP TABLE keys; --",
        "http://attacker.example/k",
        "\0",
        &long,
        &short_enough,
    ];
    for kid in bad {
        let token = subject.token_headed(&[("kid", json!(kid))]);
        if subject.mint.header().contains_key("kid") || kid.len() > 1_024 {
            subject.is_invalid(&token).await?;
        } else {
            subject.accepts(&token).await?;
        }
    }
    for kid in [json!(1), json!(["a"]), json!({})] {
        subject.is_invalid(&subject.token_headed(&[("kid", kid)])).await?;
    }
    Ok(())
}

/// `jwk`, `jku`, `x5u` and `x5c` change nothing: a good token stays good, and a key that comes along signs nothing.
///
/// # Errors
/// [`Broken`].
pub async fn a_key_in_the_header_is_not_looked_at(subject: &Subject) -> Outcome {
    let broken = |_| Broken("no key can be made".to_owned());
    let pair = RS256.generate_key_pair(2_048).map_err(broken)?;
    let signer = RS256.signer_from_der(pair.to_der_private_key()).map_err(broken)?;
    let jwk = Value::Object(pair.to_jwk_public_key().as_ref().clone());
    let headers = [
        ("jwk", jwk.clone()),
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("x5u", json!("http://127.0.0.1:1/chain")),
        ("x5c", json!([encode(pair.to_der_public_key())])),
    ];
    for (name, value) in headers {
        subject.accepts(&subject.token_headed(&[(name, value.clone())])).await?;
        for kid in [None, Some(json!("mine"))] {
            let own = subject.mint.header().get("kid").cloned().unwrap_or(Value::Null);
            let header = [(name, value.clone()), ("alg", json!("RS256")), ("kid", kid.unwrap_or(own))];
            let token = subject.token_headed(&header);
            let (text, _) = token.rsplit_once('.').ok_or_else(|| Broken("no JWT".to_owned()))?;
            let signature = signer.sign(text.as_bytes()).map_err(broken)?;
            subject.rejection(&format!("{text}.{}", encode(signature))).await?;
        }
    }
    Ok(())
}
