//! How a token is written.

use serde_json::{Value, json};

use super::world::{Outcome, Subject, encode};
use crate::domain::bearer::BearerToken;

/// The shape alone says whose a token is, good or not; what has another shape is somebody else's.
///
/// # Errors
/// [`Broken`](super::Broken).
pub async fn a_shape_is_recognized_by_itself(subject: &Subject) -> Outcome {
    let recognizes = |text: &str| subject.validator.recognizes(&BearerToken::new(text));
    subject.expect("a good token is recognized", recognizes(&subject.good_token()))?;
    let expired = subject.token_with(&[("exp", json!(0))]);
    subject.expect("an expired token is recognized", recognizes(&expired))?;
    for other in ["", "x", "tgs_0123456789", "a.b"] {
        subject.expect("what is no JWT is not recognized", !recognizes(other))?;
    }
    Ok(())
}

/// `typ` is absent, `JWT` or `at+jwt`, with or without `application/`, in any case.
///
/// # Errors
/// [`Broken`](super::Broken).
pub async fn a_header_may_name_its_type(subject: &Subject) -> Outcome {
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/JWT"] {
        subject.accepts(&subject.token_headed(&[("typ", json!(typ))])).await?;
    }
    subject.accepts(&subject.token_headed(&[("typ", Value::Null)])).await?;
    for typ in [json!("JOSE"), json!("id_token"), json!("logout+jwt"), json!("dpop+jwt"), json!(""), json!(1)] {
        subject.is_invalid(&subject.token_headed(&[("typ", typ)])).await?;
    }
    Ok(())
}

/// No extension is known, so none that is critical is overlooked; nothing is compressed or left unencoded.
///
/// # Errors
/// [`Broken`](super::Broken).
pub async fn a_header_has_nothing_that_changes_what_is_signed(subject: &Subject) -> Outcome {
    for header in [
        vec![("crit", json!(["unheard-of"])), ("unheard-of", json!(true))],
        vec![("crit", json!(["exp"]))],
        vec![("crit", json!([]))],
        vec![("crit", json!(["b64"])), ("b64", json!(false))],
        vec![("b64", json!(false))],
        vec![("zip", json!("DEF"))],
        vec![("enc", json!("A256GCM"))],
    ] {
        subject.is_invalid(&subject.token_headed(&header)).await?;
    }
    subject.accepts(&subject.token_headed(&[("unheard-of", json!({"a": [1]}))])).await.map(drop)
}

/// Five segments, and a token within a token.
///
/// # Errors
/// [`Broken`](super::Broken).
pub async fn encrypted_and_nested_tokens_are_refused(subject: &Subject) -> Outcome {
    let good = subject.good_token();
    subject.is_invalid(&format!("{good}.{}.{}", encode("iv"), encode("tag"))).await?;
    subject.is_invalid(&subject.token_headed(&[("cty", json!("JWT"))])).await?;
    let header = Value::Object(subject.mint.header()).to_string();
    subject.is_invalid(&subject.sign_texts(&header, &good)).await?;
    subject.is_invalid(&subject.sign_texts(&header, &format!("\"{good}\""))).await
}

/// A name that comes twice, in the header, in the claims or within them, could be read in two ways.
///
/// # Errors
/// [`Broken`](super::Broken).
pub async fn a_name_comes_once(subject: &Subject) -> Outcome {
    let header = Value::Object(subject.mint.header()).to_string();
    let claims = Value::Object(subject.claims()).to_string();
    let more = |object: &str, member: &str| format!("{{{member},{}", object.trim_start_matches('{'));
    for member in [r#""alg":"none""#, r#""alg":"HS256""#, "\"\\u0061lg\":\"none\""] {
        subject.is_invalid(&subject.sign_texts(&more(&header, member), &claims)).await?;
    }
    for member in [r#""sub":"eve""#, r#""exp":9999999999"#, "\"s\\u0075b\":\"ada\"", r#""x":{"y":1,"y":2}"#] {
        subject.is_invalid(&subject.sign_texts(&header, &more(&claims, member))).await?;
    }
    Ok(())
}

/// Canonical base64url without padding, no byte before, between or behind, and objects within.
///
/// # Errors
/// [`Broken`](super::Broken).
pub async fn a_token_is_spelled_in_one_way(subject: &Subject) -> Outcome {
    let good = subject.good_token();
    for bad in [
        format!("{good}="),
        format!("{good}A"),
        format!("{good}AAAA"),
        format!("{good}\n"),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}."),
        format!("{good}\0"),
        good.replace('.', ".\n"),
        good.replace('.', ".."),
    ] {
        subject.is_invalid(&bad).await?;
    }
    let (header, claims) =
        (Value::Object(subject.mint.header()).to_string(), Value::Object(subject.claims()).to_string());
    // Padded, and with bits behind the end that say nothing: both well signed.
    let padded = |text: &str| format!("{}=", encode(text));
    subject.is_invalid(&subject.sign_segments(&padded(&header), &encode(&claims))).await?;
    subject.is_invalid(&subject.sign_segments(&encode(&header), &padded(&claims))).await?;
    for blanks in 0..3 {
        let claims = format!("{claims}{}", " ".repeat(blanks));
        if let Some(other) = other_last_letter(&encode(&claims)) {
            subject.is_invalid(&subject.sign_segments(&encode(&header), &other)).await?;
        }
    }
    for text in ["", "null", "[]", "1", "\"ada\"", "{", "{}x", "\u{feff}{}"] {
        subject.is_invalid(&subject.sign_texts(&header, text)).await?;
        subject.is_invalid(&subject.sign_texts(text, &claims)).await?;
    }
    subject.is_invalid(&subject.sign_segments(&encode(&header), &encode(b"{\"sub\":\"\xff\"}"))).await
}

/// The same text with other unused bits in its last letter; `None` where every bit is used.
fn other_last_letter(text: &str) -> Option<String> {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = text.chars().last().filter(|_| !text.len().is_multiple_of(4))?;
    let next = LETTERS.chars().skip_while(|letter| *letter != last).nth(1)?;
    Some(format!("{}{next}", text.get(..text.len() - 1)?))
}

/// Over 16 KiB nothing is read, however good it is.
///
/// # Errors
/// [`Broken`](super::Broken).
pub async fn a_long_token_is_not_read(subject: &Subject) -> Outcome {
    subject.accepts(&subject.token_with(&[("more", json!("x".repeat(8_000)))])).await?;
    for length in [16 * 1024, 64 * 1024, 1024 * 1024] {
        subject.is_invalid(&subject.token_with(&[("more", json!("x".repeat(length)))])).await?;
    }
    // Whatever else is wrong with it: that would have to be read.
    let long = ("more", json!("x".repeat(64 * 1024)));
    for header in [("alg", json!("none")), ("kid", json!("unknown")), ("typ", json!("JOSE"))] {
        subject.is_invalid(&subject.token(&[header], std::slice::from_ref(&long))).await?;
    }
    for claim in [("iss", json!("https://attacker.example")), ("aud", json!("others")), ("exp", json!(0))] {
        subject.is_invalid(&subject.token_with(&[claim, long.clone()])).await?;
    }
    let header = Value::Object(subject.mint.header()).to_string();
    subject.is_invalid(&subject.sign_texts(&header, &format!("{{\"a\":{}", "[".repeat(8_000)))).await
}
