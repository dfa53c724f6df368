//! Redis, the shared one and private ones.

use std::time::Duration;

use redis::AsyncCommands;
use tokio::time::timeout;

use crate::support::redis::{PrivateRedis, SharedRedis};

#[tokio::test]
async fn the_shared_redis_keeps_the_keys_of_two_tests_apart() {
    let (one, other) = (SharedRedis::new(), SharedRedis::new());
    let mut connection = one.connection().await;
    let () = connection.set_ex(format!("{}a", one.prefix), 1, 60).await.unwrap();
    let mine: Option<u32> = connection.get(format!("{}a", one.prefix)).await.unwrap();
    let theirs: Option<u32> = other.connection().await.get(format!("{}a", other.prefix)).await.unwrap();
    assert_eq!((mine, theirs), (Some(1), None));
}

#[tokio::test]
async fn a_private_redis_is_gone_while_stopped_and_comes_back_empty_at_the_same_url() {
    let mut redis = PrivateRedis::start().await;
    let url = redis.url();
    let mut before = redis.connection().await;
    let () = before.set("a", 1).await.unwrap();

    redis.stop();
    assert!(before.get::<_, Option<u32>>("a").await.is_err(), "an open connection breaks");
    let client = redis::Client::open(url.clone()).unwrap();
    assert!(client.get_multiplexed_async_connection().await.is_err(), "no new one opens");

    redis.start_again().await;
    assert_eq!(redis.url(), url);
    assert_eq!(redis.connection().await.get::<_, Option<u32>>("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_frozen_redis_lets_callers_wait() {
    let redis = PrivateRedis::start().await;
    let mut connection = redis.connection().await;
    redis.freeze(Duration::from_mins(10)).await;
    let answer = timeout(Duration::from_millis(200), connection.get::<_, Option<u32>>("a")).await;
    assert!(answer.is_err(), "{answer:?}");
}

#[tokio::test]
async fn nobody_uses_a_redis_without_its_password() {
    let redis = PrivateRedis::start().await;
    let open = redis.url().replacen("default:", "default:x", 1);
    assert!(redis::Client::open(open).unwrap().get_multiplexed_async_connection().await.is_err());
}
