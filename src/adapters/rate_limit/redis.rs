//! Counts in Redis, for all replicas together.
//!
//! One script reads, judges and counts, so that replicas do not run into each other. What this replica counts it also
//! counts by itself: that answers for a limited address without asking Redis, and goes on when Redis is down.
//!
//! The connection is ours to open again: redis-rs's `ConnectionManager` keeps for ever the error of a Redis that was still
//! loading, or wanted another password, when it connected, and never leaves a connection on which nothing is answered.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use redis::{AsyncConnectionConfig, Client, RedisError, Script, aio::MultiplexedConnection};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::memory::{MemoryLimiter, is_on, micros};
use crate::ports::rate_limiter::{Counter, RateLimiter, Verdict};

/// How long an answer may take, with connecting where that is needed.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long Redis is left alone after it did not answer.
const REST: Duration = Duration::from_secs(1);
/// Of how many keys it is remembered until when they are limited.
const REMEMBERED: u64 = 50_000;

/// KEYS: the counters. ARGV: the moment, whether to count, then for each counter how many, and within how long; in
/// microseconds. Answers which counter is full (from 1; 0: none) and for how long.
const SCRIPT: &str = r"
local now = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  local most, interval = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  local oldest = redis.call('LINDEX', key, 0)
  while oldest and tonumber(oldest) + interval <= now do
    redis.call('LPOP', key)
    oldest = redis.call('LINDEX', key, 0)
  end
  local count = redis.call('LLEN', key)
  if count >= most then
    local wait = tonumber(redis.call('LINDEX', key, count - most)) + interval - now
    return { i, math.max(1, math.min(wait, interval)) }
  end
end
if ARGV[2] == '1' then
  for i, key in ipairs(KEYS) do
    redis.call('RPUSH', key, ARGV[1])
    redis.call('PEXPIRE', key, math.ceil(tonumber(ARGV[2 * i + 2]) / 1000))
  end
end
return { 0, 0 }
";

/// The URL is none that Redis is reached by. (What is wrong is not told: a password may be in it.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no URL of a Redis: redis://[user:password@]host[:port][/database], or rediss:// for TLS")]
pub struct RedisUrlError;

/// Counts in Redis.
pub struct RedisLimiter {
    client: Client,
    prefix: String,
    script: Script,
    /// What this replica counted: a part of what Redis has, and all there is while Redis is down.
    local: MemoryLimiter,
    /// Until when keys are limited, as Redis said.
    limited: Cache<String, Timestamp>,
    line: Mutex<Line>,
}

/// How Redis is reached.
struct Line {
    connection: Option<MultiplexedConnection>,
    /// How often a connection was opened: what went wrong on an earlier one says nothing of this one.
    opened: u64,
    /// While there is no connection, counting is local; from then on one request tries whether Redis is back.
    rests_until: Instant,
    /// Whether the log has that Redis is down.
    told: bool,
}

/// What a request may do.
enum Turn {
    Ask(MultiplexedConnection),
    Connect,
    Rest,
}

/// Why Redis did not judge. (redis-rs's errors hold what Redis said, and never the URL.)
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("{0}")]
    Error(#[from] RedisError),
    #[error("no answer within {PATIENCE:?}")]
    TooSlow,
}

impl fmt::Debug for RedisLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLimiter").field("at", &self.place()).finish_non_exhaustive()
    }
}

impl RedisLimiter {
    /// Counts at this URL, under keys that begin with `prefix`. Connects by itself, when it is first asked or by
    /// [`connect`](Self::connect).
    ///
    /// # Errors
    /// [`RedisUrlError`].
    pub fn at(url: &SecretString, prefix: &str) -> Result<Self, RedisUrlError> {
        let line = Line { connection: None, opened: 0, rests_until: Instant::now(), told: false };
        Ok(Self {
            client: Client::open(url.expose_secret()).map_err(|_| RedisUrlError)?,
            prefix: prefix.to_owned(),
            script: Script::new(SCRIPT),
            local: MemoryLimiter::default(),
            limited: Cache::new(REMEMBERED),
            line: Mutex::new(line),
        })
    }

    /// Connects, so that the very first failures are counted together. A Redis that does not answer stops nothing, and the
    /// log says so.
    pub async fn connect(&self) {
        let (turn, opened) = self.turn();
        if matches!(turn, Turn::Connect) {
            match within(async { Ok(self.open().await?) }).await {
                Ok(connection) => self.came_up(connection),
                Err(error) => self.went_down(opened, &error),
            }
        }
    }

    /// Host and port: all of the URL that is ever shown.
    fn place(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Nothing that holds it panics.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> (Turn, u64) {
        let (mut line, now) = (self.line(), Instant::now());
        let turn = match &line.connection {
            Some(connection) => Turn::Ask(connection.clone()),
            None if now < line.rests_until => Turn::Rest,
            None => {
                // Others count locally meanwhile.
                line.rests_until = now + PATIENCE + REST;
                Turn::Connect
            }
        };
        (turn, line.opened)
    }

    fn came_up(&self, connection: MultiplexedConnection) {
        let mut line = self.line();
        line.connection = Some(connection);
        line.opened += 1;
        if std::mem::take(&mut line.told) {
            tracing::info!(redis = self.place(), "Redis answers again: failures are counted together");
        }
    }

    fn went_down(&self, opened: u64, error: &NoAnswer) {
        let mut line = self.line();
        if line.opened != opened {
            return;
        }
        line.connection = None;
        line.rests_until = Instant::now() + REST;
        if !std::mem::replace(&mut line.told, true) {
            tracing::warn!(redis = self.place(), %error, "Redis does not answer: each replica counts failures by itself");
        }
    }

    async fn open(&self) -> Result<MultiplexedConnection, RedisError> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Redis's judgement; `None` when there is none to be had.
    async fn ask(&self, counters: &[Counter<'_>], now: Timestamp, counts: bool) -> Option<Verdict> {
        let (turn, opened) = self.turn();
        let answer = match turn {
            Turn::Rest => return None,
            Turn::Ask(connection) => within(self.run(connection, counters, now, counts)).await,
            Turn::Connect => {
                let asked = async {
                    let connection = self.open().await?;
                    Ok((self.run(connection.clone(), counters, now, counts).await?, connection))
                };
                within(asked).await.map(|(verdict, connection)| {
                    self.came_up(connection);
                    verdict
                })
            }
        };
        answer.map_err(|error| self.went_down(opened, &error)).ok()
    }

    async fn run(
        &self,
        mut connection: MultiplexedConnection,
        counters: &[Counter<'_>],
        now: Timestamp,
        counts: bool,
    ) -> Result<Verdict, NoAnswer> {
        let mut script = self.script.prepare_invoke();
        script.arg(now.as_microsecond()).arg(u8::from(counts));
        for counter in counters {
            let interval = micros(counter.limit.interval);
            script.key(self.key(counter)).arg(counter.limit.most).arg(interval);
        }
        let (place, wait): (usize, i64) = script.invoke_async(&mut connection).await?;
        let wait = SignedDuration::from_micros(wait);
        Ok(place.checked_sub(1).map_or(Verdict::Free, |which| Verdict::Limited { which, wait }))
    }

    fn key(&self, counter: &Counter<'_>) -> String {
        format!("{}{}", self.prefix, counter.key)
    }

    /// What this replica knows by itself. It never limits whom Redis would not: what it counted, Redis counted too, unless
    /// it was down or has forgotten.
    fn known(&self, counters: &[Counter<'_>], now: Timestamp) -> Verdict {
        let verdict = self.local.check_now(counters, now);
        if verdict != Verdict::Free {
            return verdict;
        }
        for (which, counter) in counters.iter().enumerate() {
            if let Some(until) = self.limited.get(counter.key) {
                // Bounded, as the clock may have been set back.
                let wait = until.duration_since(now).min(counter.limit.interval);
                if wait.is_positive() {
                    return Verdict::Limited { which, wait };
                }
                self.limited.invalidate(counter.key);
            }
        }
        Verdict::Free
    }

    async fn judge(&self, counters: &[Counter<'_>], now: Timestamp, counts: bool) -> Verdict {
        let known = self.known(counters, now);
        if known != Verdict::Free {
            return known;
        }
        match self.ask(counters, now, counts).await {
            Some(Verdict::Limited { which, wait }) => {
                if let (Some(counter), Ok(until)) = (counters.get(which), now.checked_add(wait)) {
                    self.limited.insert(counter.key.to_owned(), until);
                }
                Verdict::Limited { which, wait }
            }
            Some(Verdict::Free) => {
                if counts {
                    self.local.record_now(counters, now);
                }
                Verdict::Free
            }
            None if counts => self.local.record_now(counters, now),
            None => Verdict::Free,
        }
    }
}

async fn within<T>(asked: impl Future<Output = Result<T, NoAnswer>>) -> Result<T, NoAnswer> {
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err(NoAnswer::TooSlow))
}

/// Judges those counters that are on, and says which it was by its place among all of them.
async fn among_those_on<'a, F: Future<Output = Verdict>>(
    counters: &[Counter<'a>],
    judge: impl FnOnce(Vec<Counter<'a>>) -> F,
) -> Verdict {
    let on: Vec<_> = counters.iter().copied().enumerate().filter(|(_, counter)| is_on(counter)).collect();
    if on.is_empty() {
        return Verdict::Free;
    }
    match judge(on.iter().map(|(_, counter)| *counter).collect()).await {
        Verdict::Limited { which, wait } => {
            Verdict::Limited { which: on.get(which).map_or(which, |(place, _)| *place), wait }
        }
        Verdict::Free => Verdict::Free,
    }
}

#[async_trait]
impl RateLimiter for RedisLimiter {
    async fn record_failure(&self, counters: &[Counter<'_>], now: Timestamp) -> Verdict {
        among_those_on(counters, |counters| async move { self.judge(&counters, now, true).await }).await
    }

    async fn check(&self, counters: &[Counter<'_>], now: Timestamp) -> Verdict {
        among_those_on(counters, |counters| async move { self.judge(&counters, now, false).await }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_bad_url_nor_a_limiter_shows_the_password() {
        let bad = RedisLimiter::at(&SecretString::from("redis://u:hunter2@h:x/0"), "").unwrap_err();
        assert!(!format!("{bad} {bad:?}").contains("hunter2"));
        let limiter = RedisLimiter::at(&SecretString::from("rediss://u:hunter2@example.org/0"), "").unwrap();
        assert_eq!(format!("{limiter:?}"), "RedisLimiter { at: \"example.org:6379\", .. }");
    }
}
