//! What is judged of claims.

use serde_json::{Value, json};

use super::world::{Broken, Judged, Outcome, Subject};
use crate::ports::token_validator::AuthError;

/// A second past its end and the most that clocks may differ by, a token is expired; so is one that was accepted before.
///
/// # Errors
/// [`Broken`].
pub async fn an_expired_token_is_refused(subject: &Subject) -> Outcome {
    subject.refuses(&subject.token_with(&[("exp", json!(subject.seconds(-61)))]), AuthError::TokenExpired).await?;
    subject.refuses(&subject.token_with(&[("exp", json!(0))]), AuthError::TokenExpired).await?;
    let token = subject.good_token();
    subject.accepts(&token).await?;
    subject.advance(300 + 61);
    subject.refuses(&token, AuthError::TokenExpired).await
}

/// `exp` is required.
///
/// # Errors
/// [`Broken`].
pub async fn a_token_without_an_end_is_refused(subject: &Subject) -> Outcome {
    subject.is_invalid(&subject.token_with(&[("exp", Value::Null)])).await
}

/// Times are finite non-negative numbers up to the year 9999.
///
/// # Errors
/// [`Broken`].
pub async fn what_is_no_time_is_refused(subject: &Subject) -> Outcome {
    let soon = subject.seconds(60);
    let bad = [
        format!("\"{soon}\""),
        "-1".to_owned(),
        "-0.5".to_owned(),
        "true".to_owned(),
        "null".to_owned(),
        format!("[{soon}]"),
        "{}".to_owned(),
        "253402300800".to_owned(),
        "1e400".to_owned(),
        "1e999999999999999999999".to_owned(),
        "9".repeat(400),
    ];
    for name in ["exp", "nbf", "iat"] {
        for bad in &bad {
            // As text: a number that no float holds must reach the validator.
            let mut claims = subject.claims();
            claims.remove(name);
            let rest = Value::Object(claims).to_string();
            let rest = rest.trim_start_matches('{');
            let header = Value::Object(subject.mint.header()).to_string();
            subject.is_invalid(&subject.sign_texts(&header, &format!("{{\"{name}\":{bad},{rest}"))).await?;
        }
    }
    Ok(())
}

/// Fractions of seconds are allowed.
///
/// # Errors
/// [`Broken`].
pub async fn fractions_of_seconds_count(subject: &Subject) -> Outcome {
    let times = |name: &'static str, at: i64| {
        let text = format!("{}.25", subject.seconds(at));
        (name, text.parse::<serde_json::Number>().map_or(Value::Null, Value::Number))
    };
    subject.accepts(&subject.token_with(&[times("exp", 60), times("nbf", -60), times("iat", -60)])).await.map(drop)
}

/// `nbf` and `iat` are not later than the clocks may differ by.
///
/// # Errors
/// [`Broken`].
pub async fn what_is_not_yet_valid_is_refused(subject: &Subject) -> Outcome {
    for name in ["nbf", "iat"] {
        subject.is_invalid(&subject.token_with(&[(name, json!(subject.seconds(62)))])).await?;
        subject.accepts(&subject.token_with(&[(name, json!(subject.seconds(0)))])).await?;
    }
    Ok(())
}

/// A token must not outlive what is remembered of revocations: a day, and no more than clocks may differ by.
///
/// # Errors
/// [`Broken`].
pub async fn a_life_longer_than_allowed_is_refused(subject: &Subject) -> Outcome {
    let day = 24 * 60 * 60;
    let (now, end) = (json!(subject.seconds(0)), |more: i64| json!(subject.seconds(more)));
    subject.accepts(&subject.token_with(&[("iat", now.clone()), ("exp", end(day))])).await?;
    subject.is_invalid(&subject.token_with(&[("iat", now), ("exp", end(day + 1))])).await?;
    subject.is_invalid(&subject.token_with(&[("iat", Value::Null), ("exp", end(day + 61))])).await?;
    subject.is_invalid(&subject.token_with(&[("exp", json!(253_402_300_799_i64))])).await
}

/// A wrong `iss`, none, and one that is no text.
///
/// # Errors
/// [`Broken`].
pub async fn the_issuer_is_judged(subject: &Subject) -> Outcome {
    if subject.mint.judges_issuer() == Judged::Never {
        return subject.accepts(&subject.token_with(&[("iss", json!("https://anybody.example"))])).await.map(drop);
    }
    let own = subject.mint.claims().get("iss").and_then(Value::as_str).unwrap_or_default().to_owned();
    for bad in [
        json!("https://attacker.example"),
        json!(format!("{own}/")),
        json!(own.to_uppercase()),
        json!(format!(" {own}")),
        json!(""),
        json!([own]),
        json!(1),
        Value::Null,
    ] {
        subject.refuses(&subject.token_with(&[("iss", bad)]), AuthError::InvalidIssuer).await?;
    }
    Ok(())
}

/// `aud` is a text or a list of texts, and one of them is ours.
///
/// # Errors
/// [`Broken`].
pub async fn the_audience_is_judged(subject: &Subject) -> Outcome {
    let judged = subject.mint.judges_audience();
    let others = subject.token_with(&[("aud", json!("https://others.example"))]);
    let nobody = subject.token_with(&[("aud", Value::Null)]);
    if judged == Judged::Never {
        subject.accepts(&others).await?;
        return subject.accepts(&nobody).await.map(drop);
    }
    match judged {
        Judged::Always => subject.refuses(&nobody, AuthError::InvalidAudience).await?,
        Judged::IfPresent | Judged::Never => subject.accepts(&nobody).await.map(drop)?,
    }
    subject.refuses(&others, AuthError::InvalidAudience).await?;
    let own = subject.mint.claims().get("aud").cloned();
    let own = own.ok_or_else(|| Broken("the mint names no audience, and one is judged".to_owned()))?;
    subject.accepts(&subject.token_with(&[("aud", json!(["https://others.example", own]))])).await?;
    for bad in
        [json!([]), json!(["https://others.example"]), json!({"aud": own}), json!(1), json!(true), json!([[own]])]
    {
        subject.refuses(&subject.token_with(&[("aud", bad)]), AuthError::InvalidAudience).await?;
    }
    Ok(())
}

/// `sub` is a text that is not empty.
///
/// # Errors
/// [`Broken`].
pub async fn a_subject_is_a_text_that_is_not_empty(subject: &Subject) -> Outcome {
    for bad in [Value::Null, json!(""), json!(1), json!(true), json!(["ada"]), json!({"sub": "ada"})] {
        subject.is_invalid(&subject.token_with(&[("sub", bad)])).await?;
    }
    Ok(())
}
