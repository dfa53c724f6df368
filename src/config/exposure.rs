//! What is dangerous about who may come in, and where (authentication.md section 2).

use super::{AuthMode, Config, Warning, problem::Findings};

impl Config {
    pub(super) fn judge_exposure(&self, findings: &mut Findings) {
        if self.auth.mode != Some(AuthMode::Disabled) {
            return;
        }
        if let Err(reason) = self.exposure(false) {
            findings.refuse("auth.mode", reason);
            return;
        }
        findings.warn("auth.mode", "disabled: whoever reaches the gate may do everything");
        if !self.server.cors_allow_origins.is_empty() {
            let message = "in mode disabled pages of these origins may do everything, whoever opens them";
            findings.warn("server.cors_allow_origins", message);
        }
        if self.server.public_url.is_some() {
            findings.warn("server.public_url", "in mode disabled whoever reaches the gate by it may do everything");
        }
    }

    /// Whether the gate may listen where it is told to: where anybody may come in without a token, only on loopback
    /// (authentication.md section 2). [`load`](super::load) has asked for `disabled`; for `optional` the one who knows whether any
    /// credential is stored has to ask.
    ///
    /// # Errors
    /// The reason why not.
    pub fn exposure(&self, credentials_stored: bool) -> Result<(), String> {
        let credentials = credentials_stored || self.auth.holds_credential();
        let open = match self.auth.mode {
            Some(AuthMode::Disabled) => "disabled",
            Some(AuthMode::Optional) if !credentials => "optional, without any credential,",
            _ => return Ok(()),
        };
        if self.server.bind.ip().is_loopback() || self.auth.allow_insecure_bind {
            return Ok(());
        }
        Err(format!(
            "{open} lets anybody in, so the gate listens on loopback only and not on {}; set auth.allow_insecure_bind = true if you mean it",
            self.server.bind
        ))
    }

    /// What should be known besides what [`load`](super::load) warns of: what hangs on whether a credential is stored
    /// (`None`: the database was not asked), and what is left out that a gate for real use has.
    pub fn cautions(&self, credentials_stored: Option<bool>) -> Vec<Warning> {
        let unkeyed = self.database.url.stored().is_some() && self.audit.key.is_none();
        let unkeyed = unkeyed.then(|| Warning {
            key: "audit.key".to_owned(),
            message: "not set: whoever can write the database can make the audit's chain anew (docs/audit.md)"
                .to_owned(),
        });
        let shut = self.auth.mode == Some(AuthMode::Required) && !self.auth.holds_credential();
        let shut = (shut && credentials_stored == Some(false)).then(|| Warning {
            key: "auth.mode".to_owned(),
            message:
                "required, without any credential: nobody can come in; set auth.bootstrap_service_token or an issuer"
                    .to_owned(),
        });
        self.openness(credentials_stored).into_iter().chain(shut).chain(unkeyed).collect()
    }

    /// Whether it hangs on a stored credential what callers without a token may do: in mode `optional`, where none is
    /// configured.
    pub fn hangs_on_the_store(&self) -> bool {
        self.auth.mode == Some(AuthMode::Optional) && !self.auth.holds_credential()
    }

    fn openness(&self, credentials_stored: Option<bool>) -> Option<Warning> {
        if !self.hangs_on_the_store() {
            return None;
        }
        let message = match credentials_stored {
            Some(true) => return None,
            Some(false) => {
                "optional, without any credential: whoever reaches the gate may do everything but administer"
            }
            None => {
                "optional, and no credential is configured: unless a service token was ever made, whoever reaches the gate \
                 may do everything but administer, and it starts on loopback only; --online asks the database"
            }
        };
        Some(Warning { key: "auth.mode".to_owned(), message: message.to_owned() })
    }
}
