//! Tag `operations`: health, the document, its page, and the pages about codes. Open to everybody.

use std::sync::{Arc, OnceLock};

use poem::Request;
use poem_openapi::OpenApi;

use super::{
    answers::Ok200,
    codes,
    conditions::Accept,
    document::Document,
    json::response,
    pages,
    params::{Path, Raw},
    problem::Problem,
    static_text::Static,
    tags::Tag,
    text::{HtmlText, JsonText, PageOrJson, Text, YamlText},
};
use crate::app::App;

/// The pages about codes have a style within, and no script.
const PAGES_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// Tag `operations`.
pub(super) struct OperationsApi {
    pub(super) app: Arc<App>,
    /// Made when somebody first asks for it: the start need not wait for it.
    pub(super) document: OnceLock<Document>,
}

response! {
    /// How the gate is.
    struct Health {
        /// `ok`
        required status ("status"): &'static str,
    }
}

impl Health {
    const OK: Self = Self { status: "ok" };
}

impl OperationsApi {
    fn document(&self) -> &Document {
        self.document.get_or_init(Document::generate)
    }
}

#[OpenApi(tag = "Tag::Operations")]
impl OperationsApi {
    /// Whether the process lives
    ///
    /// Asks nothing of anybody: for a supervisor that restarts what hangs.
    #[oai(path = "/health/live", method = "get", operation_id = "live")]
    async fn live(&self) -> Result<Ok200<Health>, Problem> {
        Ok(Ok200::new(Health::OK))
    }

    /// Whether the gate can do its work
    ///
    /// Asks the database: 503 tells a load balancer to send requests elsewhere.
    #[oai(path = "/health/ready", method = "get", operation_id = "ready")]
    async fn ready(&self) -> Result<Ok200<Health>, Problem> {
        self.app.ready().await?;
        Ok(Ok200::new(Health::OK))
    }

    /// This document as JSON
    #[oai(path = "/openapi.json", method = "get", operation_id = "openapi_json")]
    async fn openapi_json(&self, request: &Request) -> Result<Static<JsonText>, Problem> {
        Ok(Static::new(&self.document().json, request))
    }

    /// This document as YAML
    #[oai(path = "/openapi.yaml", method = "get", operation_id = "openapi_yaml")]
    async fn openapi_yaml(&self, request: &Request) -> Result<Static<YamlText>, Problem> {
        Ok(Static::new(&self.document().yaml, request))
    }

    /// This document as a page
    ///
    /// Swagger UI, which can also send requests.
    #[oai(path = "/docs", method = "get", operation_id = "docs")]
    async fn docs(&self, request: &Request) -> Result<Static<HtmlText>, Problem> {
        Ok(Static::new(&self.document().html, request))
    }

    /// What a problem's code means
    ///
    /// Why it happens, and what to do. A problem's `type` leads here.
    #[oai(path = "/problems/:code", method = "get", operation_id = "get_problem")]
    async fn get_problem(
        &self,
        code: Path<Raw>,
        #[oai(name = "Accept")] accept: Accept,
    ) -> Result<Text<PageOrJson>, Problem> {
        let found = codes::find(&code.0.0);
        let found = found.ok_or_else(|| Problem::new(codes::REQUEST_NOT_FOUND, "there is no such code"))?;
        if accept.prefers("text/html") {
            return Ok(Text::new("text/html; charset=utf-8", pages::html(found)).under(PAGES_POLICY));
        }
        Ok(Text::new("application/json", pages::json(found)))
    }
}
