//! WorkOS's emulator: sign-in, organizations, events.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{key_set, verified};
use crate::support::{
    peers::{WorkosEmulator, claims},
    scripted::{Reply, Request, Scripted},
};

#[tokio::test]
async fn a_user_signs_in_and_the_token_is_signed_by_a_key_of_the_set() {
    let workos = WorkosEmulator::start().await;
    let session = workos.sign_in("ada@example.com").await;
    let claims = verified(&session.access_token, &key_set(&workos.jwks_url()).await).unwrap();
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(workos.url()), &json!(WorkosEmulator::CLIENT_ID)));
    assert_eq!((&claims["sub"], &claims["sid"]), (&json!(session.user), &json!(session.id)));
    assert_eq!((claims.get("email"), claims.get("org_id")), (None, None));
    assert_eq!(workos.user("ada@example.com").await, session.user);
}

#[tokio::test]
async fn a_token_for_an_organization_has_the_role_of_members_only() {
    let workos = WorkosEmulator::start().await;
    let ada = workos.user("ada@example.com").await;
    let organization = workos.add_organization("Acme").await;
    let membership = workos.add_member(&organization, &ada, "member").await;

    let member = claims(&workos.sign_in_to("ada@example.com", &organization).await.access_token);
    assert_eq!((&member["org_id"], &member["role"]), (&json!(organization), &json!("member")));
    assert_eq!(member["permissions"], json!(["workflows:read"]));
    let stranger = claims(&workos.sign_in_to("bob@example.com", &organization).await.access_token);
    assert_eq!((&stranger["org_id"], stranger.get("role")), (&json!(organization), None));

    workos.remove_member(&membership).await;
    let former = claims(&workos.sign_in_to("ada@example.com", &organization).await.access_token);
    assert_eq!(former.get("role"), None);
}

#[tokio::test]
async fn a_refresh_token_is_good_for_one_use() {
    let workos = WorkosEmulator::start().await;
    let session = workos.sign_in("ada@example.com").await;
    let next = workos.refresh(&session, None).await;
    assert_eq!(next.user, session.user);
    let again = json!({ "grant_type": "refresh_token", "refresh_token": session.refresh_token });
    let answer = workos.request(Method::POST, "/user_management/authenticate").json(&again).send().await.unwrap();
    assert_eq!(answer.status(), 400);
}

#[tokio::test]
async fn its_api_tells_the_profile_that_the_token_lacks_to_who_has_the_key() {
    let workos = WorkosEmulator::start().await;
    let path = format!("/user_management/users/{}", workos.add_user("eve@example.com").await);
    let profile: Value = workos.request(Method::GET, &path).send().await.unwrap().json().await.unwrap();
    assert_eq!(profile["email"], "eve@example.com");
    let stranger = super::get(&format!("{}{path}", workos.url())).await.unwrap();
    assert_eq!(stranger.status(), 401);
    assert!(workos.api_key().starts_with("sk_"));
}

#[tokio::test]
async fn its_events_come_signed_with_the_secret_of_the_endpoint() {
    let workos = WorkosEmulator::start().await;
    let receiver = Scripted::start(Reply::status(200)).await;
    workos.send_events(&receiver.url("/events"), "whsec", &["session.revoked", "user.deleted"]).await;

    let session = workos.sign_in("ada@example.com").await;
    workos.revoke_session(&session.id).await;
    let revoked = signed(&receiver.asked(1).await[0], "whsec");
    assert_eq!((&revoked["event"], &revoked["data"]["id"]), (&json!("session.revoked"), &json!(session.id)));

    workos.delete_user(&session.user).await;
    let deleted = signed(&receiver.asked(2).await[1], "whsec");
    assert_eq!((&deleted["event"], &deleted["data"]["id"]), (&json!("user.deleted"), &json!(session.user)));
}

/// The event of a request whose signature holds.
fn signed(request: &Request, secret: &str) -> Value {
    let signature = request.header("workos-signature").unwrap();
    let (stamp, mac) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut expected = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    expected.update(format!("{stamp}.{}", request.body).as_bytes());
    expected.verify_slice(&HEXLOWER.decode(mac.as_bytes()).unwrap()).unwrap();
    serde_json::from_str(&request.body).unwrap()
}
