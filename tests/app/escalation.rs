//! Whoever has less does not come to more, whatever they do with what they have, and with what they get for it
//! (authentication.md sections 3 and 4).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::SignedDuration;
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
};
use secrecy::ExposeSecret;
use tidegate::{
    app::{
        error::AppError,
        revocations::{NewRevocation, Target},
        service_tokens::{NewRotation, NewServiceToken},
        sessions::NewSession,
    },
    domain::{
        identity::{Identity, IdentityKind},
        issuer::{IssuerPolicy, Provision},
        page::PageRequest,
        scope::{Scope, Scopes},
        service_token::{PlainToken, ServiceToken, ServiceTokenId},
        user::Role,
        workspace::WorkspaceAccess,
    },
    ports::repository::Repository,
};
use tokio::runtime;

use super::{
    town::{Town, id},
    world::{admin, id as token_id, workspace},
};
use crate::support::{
    people::{bounded, only, person, policy},
    rights::{PLACES, Reach, all_rights, reach, roles, scopes},
};

/// What the gang begins with: `eve`, whose token may be bounded, and a service token of hers; `mal`, who is nobody yet; a
/// service token that is nobody's. They know the names of others' tokens.
#[derive(Debug, Clone)]
struct Start {
    roles: BTreeMap<&'static str, Role>,
    bound: Option<Scopes>,
    hers: Wish,
    nobodys: Wish,
    others: Vec<Wish>,
    /// Whether their issuer has `default_workspaces`.
    lobby: bool,
}

/// What a service token is to have.
#[derive(Debug, Clone)]
struct Wish {
    scopes: Scopes,
    /// `None`: what its maker has.
    reach: Option<Reach>,
    life: Option<i64>,
}

/// What somebody tries.
#[derive(Debug, Clone)]
enum Step {
    Mint(Wish),
    Rotate { token: Index, add: Scopes, life: Option<i64> },
    Revoke { token: Index, minted: bool },
    Put { place: &'static str, whom: &'static str, role: Role },
    Remove { place: &'static str, whom: &'static str },
    OpenSession { place: &'static str },
    Found,
    Ban,
}

fn life() -> impl Strategy<Value = Option<i64>> {
    option::of(select(vec![60, 600, 6_000]))
}

fn wish(reach: impl Strategy<Value = Option<Reach>>) -> impl Strategy<Value = Wish> {
    (scopes(), reach, life()).prop_map(|(scopes, reach, life)| Wish { scopes, reach, life })
}

fn start() -> impl Strategy<Value = Start> {
    let placed = || wish(reach().prop_map(Some));
    (roles(), option::of(scopes()), placed(), placed(), vec(placed(), 2..4), any::<bool>())
        .prop_map(|(roles, bound, hers, nobodys, others, lobby)| Start { roles, bound, hers, nobodys, others, lobby })
}

fn step() -> impl Strategy<Value = Step> {
    let place = || select(PLACES.to_vec());
    let whom = || select(vec!["eve", "mal", "boss"]);
    let role = select(Role::ALL.to_vec());
    prop_oneof![
        4 => wish(option::of(reach())).prop_map(Step::Mint),
        4 => (any::<Index>(), scopes(), life()).prop_map(|(token, add, life)| Step::Rotate { token, add, life }),
        1 => (any::<Index>(), any::<bool>()).prop_map(|(token, minted)| Step::Revoke { token, minted }),
        6 => (place(), whom(), role).prop_map(|(place, whom, role)| Step::Put { place, whom, role }),
        2 => (place(), whom()).prop_map(|(place, whom)| Step::Remove { place, whom }),
        1 => place().prop_map(|place| Step::OpenSession { place }),
        1 => Just(Step::Found),
        1 => Just(Step::Ban),
    ]
}

impl Wish {
    fn named(&self, id: Option<&str>) -> NewServiceToken {
        NewServiceToken {
            id: id.map(token_id),
            scopes: self.scopes.clone(),
            workspaces: match self.reach.as_ref().map(Reach::access) {
                Some(WorkspaceAccess::Only(ids)) => Some(ids),
                Some(WorkspaceAccess::All) | None => None,
            },
            all_workspaces: self.reach == Some(Reach::All),
            expires_in: self.life.map(SignedDuration::from_secs),
        }
    }
}

/// Those who try.
struct Gang {
    town: Town,
    held: Vec<String>,
    known: Vec<ServiceTokenId>,
    made: BTreeSet<ServiceTokenId>,
    founded: u32,
}

impl Gang {
    async fn of(start: &Start) -> Self {
        let defaults = if start.lobby { only(&["c"]) } else { WorkspaceAccess::none() };
        let town = Town::of(IssuerPolicy { default_workspaces: defaults, ..policy(Provision::User) }).await;
        let members = &town.world.app().members;
        for place in PLACES {
            town.world.workspace(place).await;
            members.put(&admin(), workspace(place), id("boss"), Role::Owner).await.unwrap();
        }
        for (place, role) in &start.roles {
            members.put(&admin(), workspace(place), id("eve"), *role).await.unwrap();
        }
        let eve = match &start.bound {
            Some(scopes) => bounded("eve", &scopes.iter().copied().collect::<Vec<_>>()),
            None => person("eve"),
        };
        let mut held = vec![town.token(eve), town.token(person("mal"))];
        let (_, plain) = town.world.mint(&admin(), start.nobodys.named(Some("nobodys"))).await;
        held.push(plain.expose().to_owned());
        let (token, _) = town.world.mint(&admin(), start.hers.named(Some("template"))).await;
        let plain = PlainToken::from_random(&[7; 32]);
        let hers = ServiceToken { id: token_id("hers"), hash: plain.hashed(), owner: Some(id("eve")), ..token };
        let mut unit = town.world.repository.begin().await.unwrap();
        unit.tokens().insert(&hers).await.unwrap();
        unit.commit().await.unwrap();
        held.push(plain.expose().to_owned());
        let mut known = ["nobodys", "hers", "template"].map(token_id).to_vec();
        for (number, wish) in start.others.iter().enumerate() {
            let (token, _) = town.world.mint(&admin(), wish.named(Some(&format!("other-{number}")))).await;
            known.push(token.id);
        }
        Self { town, held, known, made: ["hers", "nobodys"].map(token_id).into(), founded: 0 }
    }

    async fn callers(&self) -> Vec<Arc<Identity>> {
        let mut callers = Vec::new();
        for token in &self.held {
            callers.extend(self.town.who(token).await.ok());
        }
        callers
    }

    /// All that they may do.
    async fn rights(&self) -> BTreeSet<(Scope, &'static str)> {
        self.callers().await.iter().flat_map(|who| all_rights(&who.rights)).collect()
    }

    /// A service token that one of them made or rotated is theirs, and ends no later than they.
    fn keep(&mut self, by: &Identity, got: Result<(ServiceToken, PlainToken), AppError>) -> Result<(), TestCaseError> {
        let Ok((token, plain)) = got else { return Ok(()) };
        if let Some(end) = by.expires_at.filter(|_| by.kind == IdentityKind::Service) {
            prop_assert!(token.expires_at.is_some_and(|its| its <= end), "{token:?} outlives {by:?}");
        }
        self.held.push(plain.expose().to_owned());
        self.known.push(token.id.clone());
        self.made.insert(token.id);
        Ok(())
    }

    async fn attempt(&mut self, by: &Identity, step: Step) -> Result<(), TestCaseError> {
        let app = self.town.world.gate.app.clone();
        match step {
            Step::Mint(wish) => {
                let minted = app.tokens.mint(by, wish.named(None), None).await;
                self.keep(by, minted)?;
            }
            Step::Rotate { token, add, life } => {
                let new = NewRotation {
                    overlap: Some(SignedDuration::ZERO),
                    expires_in: life.map(SignedDuration::from_secs),
                    add_scopes: add,
                };
                let rotated = app.tokens.rotate(by, token.get(&self.known).clone(), new, None).await;
                self.keep(by, rotated)?;
            }
            Step::Revoke { token, minted } => {
                drop(app.tokens.revoke(by, token.get(&self.known).clone(), None, minted).await);
            }
            Step::Put { place, whom, role } => {
                drop(app.members.put(by, workspace(place), id(whom), role).await);
            }
            Step::Remove { place, whom } => drop(app.members.remove(by, workspace(place), id(whom)).await),
            Step::OpenSession { place } => {
                let new = NewSession { workspace: Some(workspace(place)), ..NewSession::default() };
                if let Ok(made) = app.sessions.create(by, new).await {
                    self.held.push(made.client_secret.expose_secret().to_owned());
                }
            }
            Step::Found => {
                self.founded += 1;
                drop(app.workspaces.create(by, workspace(&format!("theirs-{}", self.founded)), None, None).await);
            }
            Step::Ban => {
                let new = NewRevocation {
                    target: Target::User,
                    issuer: "corp".to_owned(),
                    value: "boss".to_owned(),
                    reason: None,
                    ban: true,
                };
                let banned = app.revocations.add(by, new).await.is_ok();
                prop_assert!(!banned || by.where_may(Scope::AdminTokensWrite) == WorkspaceAccess::All, "{by:?} bans");
            }
        }
        Ok(())
    }

    /// Others' tokens do not exist.
    async fn sees_only_its_own(&self) -> Result<(), TestCaseError> {
        for who in self.callers().await {
            let Ok(listed) = self.town.world.app().tokens.list(&who, &PageRequest::default()).await else { continue };
            for token in listed.items {
                let may = match &token.workspaces {
                    WorkspaceAccess::All => who.rights.reaches_all(),
                    WorkspaceAccess::Only(ids) if ids.is_empty() => {
                        who.rights.reaches_all() || self.made.contains(&token.id)
                    }
                    WorkspaceAccess::Only(ids) => ids.iter().all(|place| who.may(Scope::AdminTokensRead, place)),
                };
                prop_assert!(may, "{who:?} sees {token:?}");
            }
        }
        Ok(())
    }
}

/// What somebody with these rights can bring about by right: who has `admin:workspaces:write` in a workspace does as its
/// owners do.
fn most(held: &BTreeSet<(Scope, &'static str)>) -> BTreeSet<(Scope, &'static str)> {
    let owned = PLACES.into_iter().filter(|place| held.contains(&(Scope::AdminWorkspacesWrite, *place)));
    let given = Scope::ALL.iter().copied().filter(|scope| Role::Owner.gives(*scope));
    let owners = owned.flat_map(|place| given.clone().map(move |scope| (scope, place)));
    held.iter().copied().chain(owners).collect()
}

async fn tried(start: Start, steps: Vec<(Index, Step)>) -> Result<(), TestCaseError> {
    let mut gang = Gang::of(&start).await;
    let most = most(&gang.rights().await);
    let everywhere = gang.callers().await.iter().any(|who| who.rights.reaches_all());
    for (by, step) in steps {
        let token = by.get(&gang.held).clone();
        let Ok(by) = gang.town.who(&token).await else { continue };
        let told = format!("{step:?} by {by:?}");
        gang.attempt(&by, step).await?;
        let now = gang.rights().await;
        let gained: Vec<_> = now.difference(&most).collect();
        prop_assert!(gained.is_empty(), "{told} gains {gained:?}");
        prop_assert!(everywhere || gang.callers().await.iter().all(|who| !who.rights.reaches_all()), "{told}");
    }
    gang.sees_only_its_own().await
}

#[test]
fn whatever_they_try_those_who_have_less_do_not_come_to_more() {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    proptest!(ProptestConfig::with_cases(256), |(start in start(), steps in vec((any::<Index>(), step()), 1..40))| {
        runtime.block_on(tried(start, steps))?;
    });
}
