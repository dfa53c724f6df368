//! What stands against credentials now, on this replica: the revocation log as it was last read (authentication.md
//! section 5). Everything here is in memory; a verdict that was cached elsewhere is checked against it at each use.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::Hash,
    sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::signals::Bell;
use crate::{
    domain::{
        identity::{CredentialKind, Identity},
        ids::RevocationId,
        revocation::{Notice, Revocation, Revoked},
        service_token::ServiceTokenId,
        user::UserId,
    },
    ports::{
        repository::{LogPosition, LogRead},
        token_validator::AuthError,
    },
};

/// If no look into the log succeeded for so long, cached verdicts stop counting.
pub const BELIEVED_FOR: Duration = Duration::from_secs(5);
/// By how much the clocks of issuers may be ahead, unless something else is configured.
const DEFAULT_LEEWAY: SignedDuration = SignedDuration::from_secs(30);
/// After so long without a look, the next one may be a long one.
const FAR_BEHIND: Duration = Duration::from_hours(1);
/// Of how many people and tokens the last change is known one by one.
const CHANGES_KEPT: usize = 10_000;

/// A moment in the life of this replica's caches: what was read from the store after it counts until the next change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Epoch(u64);

/// What stands against credentials now.
#[derive(Debug, Default)]
pub struct Standing {
    state: RwLock<State>,
    /// Rings when something was revoked or changed: open streams are judged anew.
    pub changed: Bell,
    leeway: OnceLock<SignedDuration>,
}

#[derive(Debug, Default)]
struct State {
    revocations: HashMap<RevocationId, Entered>,
    by_target: HashMap<Revoked, Vec<RevocationId>>,
    by_end: BTreeSet<(Timestamp, RevocationId)>,
    epoch: u64,
    /// The epoch when the look began that is under way.
    looked_at: u64,
    tokens: Changes<ServiceTokenId>,
    users: Changes<UserId>,
    position: Option<LogPosition>,
    read_at: Option<Instant>,
}

/// A revocation, and since which epoch it is known.
#[derive(Debug)]
struct Entered {
    revocation: Revocation,
    at: u64,
}

/// When each key last changed; older ones are forgotten together, and then count as changed.
#[derive(Debug)]
struct Changes<K> {
    last: HashMap<K, u64>,
    floor: u64,
}

impl<K> Default for Changes<K> {
    fn default() -> Self {
        Self { last: HashMap::new(), floor: 0 }
    }
}

impl<K: Eq + Hash> Changes<K> {
    fn note(&mut self, key: K, epoch: u64) {
        if self.last.len() >= CHANGES_KEPT {
            self.all(epoch);
        }
        self.last.insert(key, epoch);
    }

    fn all(&mut self, epoch: u64) {
        self.last.clear();
        self.floor = epoch;
    }

    fn holds(&self, key: &K, since: Epoch) -> bool {
        self.floor <= since.0 && self.last.get(key).is_none_or(|changed| *changed <= since.0)
    }
}

impl State {
    fn apply(&mut self, notice: Notice) {
        self.epoch += 1;
        match notice {
            Notice::Revoked(revocation) => self.enter(revocation),
            Notice::Lifted(id) => self.lift(id),
            Notice::ServiceToken(id) => self.tokens.note(id, self.epoch),
            Notice::Memberships(user) => self.users.note(user, self.epoch),
        }
    }

    fn enter(&mut self, revocation: Revocation) {
        let id = revocation.id;
        let ids = self.by_target.entry(revocation.revoked.clone()).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
        if let Some(end) = revocation.ends_at {
            self.by_end.insert((end, id));
        }
        // Why is for people to read, and may be long.
        let revocation = Revocation { reason: None, ..revocation };
        self.revocations.insert(id, Entered { revocation, at: self.epoch });
    }

    /// These are all that hold: what is known besides was lifted, unless it came while they were read.
    fn replace(&mut self, all: &[Notice]) {
        let hold: HashSet<_> = all
            .iter()
            .filter_map(|notice| if let Notice::Revoked(revocation) = notice { Some(revocation.id) } else { None })
            .collect();
        let known = self.revocations.iter().filter(|(id, entered)| entered.at <= self.looked_at && !hold.contains(id));
        for id in known.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.lift(id);
        }
    }

    fn lift(&mut self, id: RevocationId) {
        let Some(Entered { revocation, .. }) = self.revocations.remove(&id) else { return };
        if let Some(end) = revocation.ends_at {
            self.by_end.remove(&(end, id));
        }
        if let Some(ids) = self.by_target.get_mut(&revocation.revoked) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_target.remove(&revocation.revoked);
            }
        }
    }

    fn revokes(&self, target: &Revoked, issued_at: Option<Timestamp>, leeway: SignedDuration) -> bool {
        let ids = self.by_target.get(target).into_iter().flatten();
        ids.filter_map(|id| self.revocations.get(id)).any(|entered| entered.revocation.refuses(issued_at, leeway))
    }
}

impl Standing {
    /// Sets by how much the clocks of issuers may be ahead of this gateway's; the first call counts.
    pub fn set_leeway(&self, leeway: SignedDuration) {
        self.leeway.get_or_init(|| leeway);
    }

    /// By how much the clocks of issuers may be ahead.
    pub fn leeway(&self) -> SignedDuration {
        self.leeway.get().copied().unwrap_or(DEFAULT_LEEWAY)
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        // A panic elsewhere leaves the maps whole: every change of them is one call.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in lines of the log: what this replica has just committed, or what it has read.
    pub fn apply(&self, notices: impl IntoIterator<Item = Notice>) {
        let mut any = false;
        {
            let mut state = self.write();
            for notice in notices {
                any = true;
                state.apply(notice);
            }
        }
        if any {
            self.changed.ring();
        }
    }

    /// Begins a look into the log: says where to read on. One look at a time.
    pub fn begin_look(&self) -> Option<LogPosition> {
        let mut state = self.write();
        state.looked_at = state.epoch;
        state.position
    }

    /// Takes in a look into the log that began at a moment. After a gap everything cached is doubted.
    pub fn took(&self, read: LogRead, began: Instant) {
        {
            let mut state = self.write();
            let gap = state.read_at.is_none_or(|at| began.saturating_duration_since(at) > BELIEVED_FOR);
            if gap {
                state.epoch += 1;
                let epoch = state.epoch;
                state.tokens.all(epoch);
                state.users.all(epoch);
            }
            state.position = Some(read.position);
            state.read_at = state.read_at.max(Some(began));
            if read.whole {
                state.replace(&read.notices);
            }
        }
        self.apply(read.notices);
    }

    /// Where to read on.
    pub fn position(&self) -> Option<LogPosition> {
        self.read().position
    }

    /// Whether the log was not read for so long that lines of it may be gone, and all that holds must be read.
    pub fn is_far_behind(&self) -> bool {
        self.read().read_at.is_none_or(|at| at.elapsed() > FAR_BEHIND)
    }

    /// Whether the log was read lately enough for cached verdicts to count.
    pub fn is_fresh(&self) -> bool {
        self.read().read_at.is_some_and(|at| at.elapsed() <= BELIEVED_FOR)
    }

    /// Whether a revocation refuses this caller's token, by person, session or token id.
    pub fn revokes(&self, who: &Identity) -> bool {
        let (state, leeway) = (self.read(), self.leeway());
        !state.by_target.is_empty() && Revoked::naming(who).any(|target| state.revokes(&target, who.issued_at, leeway))
    }

    /// Whether a person is refused to whom something belongs that this gateway issued then: a service token of theirs.
    pub fn revokes_user(&self, user: &UserId, issued_at: Timestamp) -> bool {
        self.read().revokes(&Revoked::User(user.clone()), Some(issued_at), SignedDuration::ZERO)
    }

    /// Judges a caller whom a validator let in.
    ///
    /// # Errors
    /// [`AuthError::TokenRevoked`]; [`AuthError::Unavailable`] when the log could not be read lately.
    pub fn judge(&self, who: &Identity) -> Result<(), AuthError> {
        if !matches!(who.credential, CredentialKind::External | CredentialKind::Session) {
            return Ok(());
        }
        if self.revokes(who) {
            return Err(AuthError::TokenRevoked);
        }
        if self.is_fresh() { Ok(()) } else { Err(AuthError::Unavailable) }
    }

    /// Now, for a cache: take it before reading the store.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.read().epoch)
    }

    /// Whether what was read of a service token at an epoch still counts.
    pub fn token_holds(&self, id: &ServiceTokenId, since: Epoch) -> bool {
        self.read().tokens.holds(id, since)
    }

    /// Whether what was read of a person at an epoch still counts.
    pub fn user_holds(&self, user: &UserId, since: Epoch) -> bool {
        self.read().users.holds(user, since)
    }

    /// Forgets revocations that no token can be left for.
    pub fn forget(&self, now: Timestamp) {
        let mut state = self.write();
        while let Some((end, id)) = state.by_end.first().copied()
            && end <= now
        {
            state.by_end.remove(&(end, id));
            state.lift(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        identity::{IdentityKind, Maker},
        rights::Rights,
        user::IssuerName,
    };

    const MOMENT: i64 = 1_800_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(MOMENT + seconds).unwrap()
    }

    fn corp() -> IssuerName {
        IssuerName::parse("corp").unwrap()
    }

    fn ada() -> UserId {
        UserId::new(corp(), "ada").unwrap()
    }

    fn revocation(id: u128, revoked: Revoked) -> Revocation {
        Revocation {
            id: RevocationId::new(Uuid::from_u128(id)),
            revoked,
            reason: None,
            ban: false,
            at: at(0),
            ends_at: Some(at(100)),
            created_by: Maker::from(&Identity::system("test")),
        }
    }

    /// Ada with a token of a session, issued then.
    fn token(issued: Option<i64>) -> Identity {
        let who = Identity::new("ada", IdentityKind::User, CredentialKind::External, Rights::none());
        Identity {
            issuer: Some("corp".to_owned()),
            session_id: Some("session".to_owned()),
            token_id: Some("token".to_owned()),
            issued_at: issued.map(at),
            ..who
        }
    }

    fn read(position: i64) -> LogRead {
        LogRead { notices: Vec::new(), position: LogPosition(position), whole: false }
    }

    /// That has just read a log of these lines.
    fn standing(notices: impl IntoIterator<Item = Notice>) -> Standing {
        let standing = Standing::default();
        standing.took(LogRead { notices: notices.into_iter().collect(), ..read(1) }, Instant::now());
        standing
    }

    #[tokio::test]
    async fn a_persons_entry_refuses_what_was_issued_up_to_it() {
        let standing = standing([Notice::Revoked(revocation(1, Revoked::User(ada())))]);
        // By people: the issuer's clock may be ahead of theirs.
        let by_ada = Maker { kind: IdentityKind::User, issuer: Some("corp".to_owned()), subject: "root".to_owned() };
        let by_person = Revocation { created_by: by_ada, ..revocation(9, Revoked::User(ada())) };
        let leeway = DEFAULT_LEEWAY.as_secs();
        let by_people = super::tests::standing([Notice::Revoked(by_person)]);
        assert!(by_people.revokes(&token(Some(leeway))) && !by_people.revokes(&token(Some(leeway + 1))));
        for (issued, refused) in [(Some(-1), true), (Some(0), true), (Some(1), false), (None, true)] {
            assert_eq!(standing.revokes(&token(issued)), refused, "{issued:?}");
        }
        assert_eq!(standing.judge(&token(Some(0))), Err(AuthError::TokenRevoked));
        assert_eq!(standing.judge(&token(Some(1))), Ok(()));
        assert!(standing.revokes_user(&ada(), at(0)) && !standing.revokes_user(&ada(), at(1)));
        let bob = Identity { subject: "bob".to_owned(), ..token(Some(0)) };
        let other = Identity { issuer: Some("other".to_owned()), ..token(Some(0)) };
        assert!(!standing.revokes(&bob) && !standing.revokes(&other), "nobody else's");
    }

    #[tokio::test]
    async fn a_ban_refuses_what_is_issued_later_until_it_is_lifted() {
        let ban = Revocation { ban: true, ends_at: None, ..revocation(1, Revoked::User(ada())) };
        let id = ban.id;
        let standing = standing([Notice::Revoked(ban), Notice::Revoked(revocation(2, Revoked::User(ada())))]);
        standing.forget(at(1_000_000));
        assert!(standing.revokes(&token(Some(2_000_000))));
        standing.apply([Notice::Lifted(id), Notice::Lifted(id)]);
        assert!(!standing.revokes(&token(Some(0))), "the other entry is over");
    }

    #[tokio::test]
    async fn lifting_one_entry_leaves_the_others() {
        let entries = [1, 2].map(|id| Notice::Revoked(revocation(id, Revoked::User(ada()))));
        let standing = standing(entries.clone());
        // A line that is read twice is one.
        standing.apply(entries);
        standing.apply([Notice::Lifted(RevocationId::new(Uuid::from_u128(1)))]);
        assert!(standing.revokes(&token(Some(0))));
        standing.apply([Notice::Lifted(RevocationId::new(Uuid::from_u128(2)))]);
        assert!(!standing.revokes(&token(Some(0))));
    }

    #[tokio::test]
    async fn sessions_and_tokens_are_refused_by_their_claims() {
        let session = |sid: &str| Revoked::Session { issuer: corp(), sid: sid.to_owned() };
        let jti = |jti: &str| Revoked::Token { issuer: corp(), jti: jti.to_owned() };
        for (revoked, refused) in
            [(session("session"), true), (session("token"), false), (jti("token"), true), (jti("session"), false)]
        {
            let standing = standing([Notice::Revoked(revocation(1, revoked.clone()))]);
            assert_eq!(standing.revokes(&token(Some(50))), refused, "{revoked:?}");
            let bare = Identity { session_id: None, token_id: None, ..token(Some(50)) };
            assert!(!standing.revokes(&bare), "{revoked:?}");
        }
    }

    #[tokio::test]
    async fn an_entry_ends_when_no_token_can_be_left() {
        let standing = standing([Notice::Revoked(revocation(1, Revoked::User(ada())))]);
        standing.forget(at(99));
        assert!(standing.revokes(&token(Some(0))));
        standing.forget(at(100));
        assert!(!standing.revokes(&token(Some(0))));
        assert!(
            standing.read().by_target.is_empty()
                && standing.read().revocations.is_empty()
                && standing.read().by_end.is_empty(),
            "nothing is left of it"
        );
    }

    /// So long ago.
    fn ago(duration: Duration) -> Instant {
        Instant::now().checked_sub(duration).unwrap()
    }

    #[tokio::test]
    async fn without_a_look_for_five_seconds_nothing_cached_counts() {
        let standing = Standing::default();
        assert_eq!(standing.judge(&token(Some(1))), Err(AuthError::Unavailable), "before the first look");
        standing.took(read(1), ago(BELIEVED_FOR + Duration::from_millis(1)));
        assert_eq!(standing.judge(&token(Some(1))), Err(AuthError::Unavailable));
        standing.apply([Notice::Revoked(revocation(1, Revoked::User(ada())))]);
        assert_eq!(standing.judge(&token(Some(0))), Err(AuthError::TokenRevoked), "what is known is said");
        standing.took(read(2), ago(BELIEVED_FOR / 2));
        assert_eq!(standing.judge(&token(Some(1))), Ok(()));
    }

    #[tokio::test]
    async fn what_was_read_counts_until_the_next_change_of_its_own() {
        let standing = standing([]);
        let id = |text: &str| ServiceTokenId::parse(text).unwrap();
        let epoch = standing.epoch();
        assert!(standing.token_holds(&id("ci"), epoch) && standing.user_holds(&ada(), epoch));
        standing.apply([Notice::ServiceToken(id("ci"))]);
        assert!(!standing.token_holds(&id("ci"), epoch) && standing.token_holds(&id("other"), epoch));
        assert!(standing.token_holds(&id("ci"), standing.epoch()), "read since");
        standing.apply([Notice::Memberships(ada())]);
        assert!(!standing.user_holds(&ada(), epoch));
        assert!(standing.user_holds(&ada(), standing.epoch()));
    }

    #[tokio::test]
    async fn after_a_gap_everything_cached_is_doubted() {
        let standing = Standing::default();
        let id = ServiceTokenId::parse("ci").unwrap();
        let began = ago(Duration::from_secs(20));
        standing.took(read(1), began);
        let epoch = standing.epoch();
        standing.took(read(2), began + BELIEVED_FOR);
        assert!(standing.token_holds(&id, epoch), "looks that are near enough leave no gap");
        standing.took(read(3), began + BELIEVED_FOR * 2 + Duration::from_millis(1));
        assert!(!standing.token_holds(&id, epoch) && !standing.user_holds(&ada(), epoch));
        assert!(standing.token_holds(&id, standing.epoch()));
        assert_eq!(standing.position(), Some(LogPosition(3)));
    }

    #[tokio::test]
    async fn all_that_hold_take_the_place_of_what_was_known() {
        let [lifted, kept, meanwhile, new] = [1, 2, 3, 4].map(|id| {
            let session = Revoked::Session { issuer: corp(), sid: id.to_string() };
            Notice::Revoked(revocation(id, session))
        });
        let standing = standing([lifted, kept.clone()]);
        standing.begin_look();
        // Entered here while the store was read.
        standing.apply([meanwhile]);
        let whole = LogRead { notices: vec![kept, new], whole: true, ..read(2) };
        standing.took(whole, Instant::now());
        let of = |sid: &str| Identity { session_id: Some(sid.to_owned()), ..token(Some(50)) };
        assert_eq!(["1", "2", "3", "4"].map(|sid| standing.revokes(&of(sid))), [false, true, true, true]);
    }

    #[tokio::test]
    async fn more_changes_than_are_kept_one_by_one_count_for_all() {
        let standing = standing([]);
        let id = |number: usize| ServiceTokenId::parse(&format!("t{number}")).unwrap();
        let before = standing.epoch();
        standing.apply((0..CHANGES_KEPT).map(|number| Notice::ServiceToken(id(number))));
        assert!(standing.token_holds(&id(CHANGES_KEPT), before), "it did not change");
        standing.apply([Notice::ServiceToken(id(0)), Notice::ServiceToken(id(CHANGES_KEPT + 1))]);
        assert!(!standing.token_holds(&id(CHANGES_KEPT), before), "nobody knows any more");
        assert!(standing.token_holds(&id(CHANGES_KEPT), standing.epoch()));
        assert!(standing.read().tokens.last.len() <= CHANGES_KEPT);
    }

    #[tokio::test]
    async fn a_change_rings_once_it_counts() {
        let standing = standing([]);
        let mut bell = standing.changed.listen();
        standing.apply([]);
        assert!(tokio::time::timeout(Duration::from_millis(20), bell.rung()).await.is_err(), "nothing has changed");
        standing.apply([Notice::Memberships(ada())]);
        tokio::time::timeout(Duration::from_secs(5), bell.rung()).await.expect("it rings");
    }
}
