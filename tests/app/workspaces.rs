//! 403 or 404 (authentication.md section 3).

use std::time::Duration;

use jiff::SignedDuration;
use tidegate::{
    app::{
        error::{AppError, Noun},
        jobs::JobRequest,
        tasks::TaskFilter,
    },
    domain::{
        identity::Identity,
        page::PageRequest,
        scope::{Scope, all_scopes},
    },
    ports::token_validator::AuthError,
};

use super::world::{World, admin, deployment, key, nothing, one_job, only, workspace};

/// What each use case answers that takes the name of a workspace.
async fn answers(world: &World, who: &Identity, named: &str) -> Vec<(&'static str, AppError)> {
    let (app, ghost, page) = (world.app(), workspace(named), PageRequest::default());
    let filter = TaskFilter { workspace: Some(ghost.clone()), ..TaskFilter::default() };
    let jobs = JobRequest {
        topics: vec![key("t")],
        worker: key("w"),
        max: 1,
        lock: SignedDuration::from_secs(60),
        variables: None,
        workspace: Some(ghost.clone()),
    };
    vec![
        ("workspace", app.workspaces.get(who, &ghost).await.map(drop).unwrap_err()),
        ("new workflow", world.workflow(who, named, "a").await.map(drop).unwrap_err()),
        ("workflows", app.workflows.list(who, Some(&ghost), None, &page).await.map(drop).unwrap_err()),
        ("deploy", app.deployments.create(who, deployment(named, &one_job("p")), None).await.map(drop).unwrap_err()),
        ("deployments", app.deployments.list(who, Some(&ghost), None, &page).await.map(drop).unwrap_err()),
        ("tasks", app.tasks.inbox(who, filter, &page).await.map(drop).unwrap_err()),
        ("jobs", app.jobs.activate(who, jobs, Duration::ZERO).await.map(drop).unwrap_err()),
        ("start", app.processes.start(who, key("p"), Some(&ghost), None, nothing(), None).await.map(drop).unwrap_err()),
        ("signal", app.messages.broadcast(who, key("s"), Some(&ghost), nothing()).await.map(drop).unwrap_err()),
    ]
}

#[tokio::test]
async fn only_who_has_all_workspaces_learns_that_one_does_not_exist() {
    let world = World::new().await;
    for (what, error) in answers(&world, &admin(), "ghost").await {
        assert!(matches!(error, AppError::NotFound(Noun::Workspace)), "{what}: {error:?}");
    }
    for workspaces in [only(&["demo"]), only(&[])] {
        let who = Identity::service("ci", all_scopes(), workspaces);
        for (what, error) in answers(&world, &who, "ghost").await {
            assert!(matches!(error, AppError::Auth(AuthError::WorkspaceForbidden)), "{what}: {error:?}");
        }
    }
    // A token may name a workspace before there is one: nothing is in it, and nothing can be made in it.
    let early = Identity::service("ci", all_scopes(), only(&["ghost"]));
    let made = world.workflow(&early, "ghost", "a").await;
    assert!(matches!(made, Err(AppError::Auth(AuthError::WorkspaceForbidden))), "{made:?}");
    let listed = world.app().workflows.list(&early, Some(&workspace("ghost")), None, &PageRequest::default()).await;
    assert!(listed.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_stranger_learns_that_a_credential_is_needed() {
    let world = World::new().await;
    let scopes = all_scopes().into_iter().filter(|scope| *scope != Scope::AdminMetricsRead).collect();
    let who = Identity::anonymous(scopes, only(&["demo"]));
    for (what, error) in answers(&world, &who, "ghost").await {
        assert!(matches!(error, AppError::Auth(AuthError::MissingToken)), "{what}: {error:?}");
    }
}
