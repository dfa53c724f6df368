//! Tidegate: one authenticated, real-time, OpenAPI-described HTTP API in front of workflow engines.
//!
//! The house is hexagonal: [`domain`] (values and rules) ← [`ports`] (what is asked of the world) ← [`app`] (use cases) ←
//! [`adapters`] (HTTP, the command line, engines, databases). Only [`wiring`] and [`config`] name concrete adapters.
//!
//! The program `tidegate` is one way to run it. A whole gate on memory adapters is another, in a few lines:
//!
//! ```
//! use std::time::Duration;
//!
//! use tidegate::{adapters::http::Settings, wiring::{Gate, Parts}};
//! use tokio::net::TcpListener;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gate = Gate::new(Parts::in_memory()?.with_bootstrap_token("a-secret-of-sixteen-or-more"));
//! gate.start();
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let served = gate.listen(listener, Settings::default(), Duration::from_secs(10));
//! # let used = async {
//! #     let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
//! let who = client.get(format!("http://{address}/api/whoami")).bearer_auth("a-secret-of-sixteen-or-more");
//! #     let status = who.send().await?.status();
//! #     gate.stop(Duration::from_secs(1)).await;
//! #     Ok::<_, reqwest::Error>(status)
//! # };
//! # let (served, status) = tokio::join!(served, used);
//! # served?;
//! # assert_eq!(status?, 200);
//! # Ok(())
//! # }
//! ```
//!
//! # Tokens and routes of your own
//!
//! A [`TokenValidator`](ports::token_validator::TokenValidator) judges tokens by what they look like, an
//! [`IdentityExtractor`](ports::token_validator::IdentityExtractor) says whom they name. Routes of your own ask the same gate
//! who is calling, and the same guards what they may do where:
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use poem::{Endpoint, EndpointExt as _, Request, Route, handler, http::StatusCode, web::{Data, Path}};
//! use tidegate::{
//!     adapters::http,
//!     app::{App, access},
//!     domain::{
//!         bearer::BearerToken,
//!         identity::Identity,
//!         scope::Scope,
//!         workspace::{WorkspaceAccess, WorkspaceId},
//!     },
//!     ports::token_validator::{AuthError, IdentityExtractor, Rejection, TokenValidator, ValidatedToken},
//!     wiring::{Gate, Parts},
//! };
//!
//! /// Tokens of a badge reader: `badge_ada`.
//! #[derive(Debug)]
//! struct Badges;
//!
//! #[async_trait]
//! impl TokenValidator for Badges {
//!     fn recognizes(&self, token: &BearerToken) -> bool {
//!         token.expose().starts_with("badge_")
//!     }
//!
//!     async fn validate(&self, token: &BearerToken) -> Result<ValidatedToken, Rejection> {
//!         let holder = token.expose().strip_prefix("badge_").filter(|holder| *holder == "ada");
//!         let holder = holder.ok_or(AuthError::InvalidToken)?;
//!         // Names nobody's rights yet. `external` instead of `own` would pass the token on to engines, `in_place_of`
//!         // another that they understand.
//!         Ok(ValidatedToken::own(Identity::service(holder, [].into(), WorkspaceAccess::none())))
//!     }
//! }
//!
//! /// Whoever has a badge may read in the workspace `lobby`.
//! #[async_trait]
//! impl IdentityExtractor for Badges {
//!     async fn identify(&self, token: &ValidatedToken) -> Result<Arc<Identity>, AuthError> {
//!         let lobby = WorkspaceId::parse("lobby").map_err(|_| AuthError::Unavailable)?;
//!         let there = WorkspaceAccess::Only([lobby].into());
//!         Ok(Arc::new(Identity::service(&token.identity().subject, [Scope::WorkflowsRead].into(), there)))
//!     }
//! }
//!
//! #[handler]
//! async fn board(request: &Request, app: Data<&Arc<App>>, Path(workspace): Path<String>) -> Result<String, StatusCode> {
//!     let credential = http::credential(request.headers());
//!     let from = request.remote_addr().as_socket_addr().map(std::net::SocketAddr::ip);
//!     let caller = app.authenticator.authenticate(&credential, from).await.map_err(|_| StatusCode::UNAUTHORIZED)?;
//!     let workspace = WorkspaceId::parse(&workspace).map_err(|_| StatusCode::NOT_FOUND)?;
//!     access::in_named_workspace(&caller.identity, Scope::WorkflowsRead, &workspace)
//!         .map_err(|_| StatusCode::FORBIDDEN)?;
//!     Ok(format!("Good morning, {}", caller.identity.subject))
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gate = Gate::new(Parts::in_memory()?.with_scheme(Arc::new(Badges), Arc::new(Badges)));
//! let routes = Route::new().at("/board/:workspace", board).data(Arc::clone(&gate.app));
//! # for (workspace, token, status) in [
//! #     ("lobby", "badge_ada", StatusCode::OK),
//! #     ("vault", "badge_ada", StatusCode::FORBIDDEN),
//! #     ("lobby", "badge_eve", StatusCode::UNAUTHORIZED),
//! #     ("lobby", "", StatusCode::UNAUTHORIZED),
//! # ] {
//! #     let request = Request::builder().uri(format!("/board/{workspace}").parse()?);
//! #     let request = if token.is_empty() { request } else { request.header("authorization", format!("Bearer {token}")) };
//! #     assert_eq!(routes.get_response(request.finish()).await.status(), status, "{workspace} {token}");
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! Whether a validator keeps its port's promises, [`conformance::validator`] tells.
//!
//! Each of [`Parts`](wiring::Parts) may be replaced: another [`Repository`](ports::repository::Repository), another
//! [`Clock`](ports::clock::Clock). The use cases are there without HTTP, too: [`Gate::app`](wiring::Gate::app).

pub mod adapters;
pub mod app;
pub mod config;
pub mod conformance;
pub mod domain;
pub mod ports;
pub mod wiring;
