//! Which gate is called, and with which token.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::{CliError, Options, profiles};

const DEFAULT_URL: &str = "http://127.0.0.1:8080";
const DEFAULT_PROFILE: &str = "default";

/// The environment variables that the command line reads.
#[derive(Clone, Default)]
pub struct Variables {
    environment: BTreeMap<String, OsString>,
}

/// Some of them are tokens.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables").field("environment", &self.environment.keys()).finish_non_exhaustive()
    }
}

impl Variables {
    /// Wraps an environment.
    pub const fn new(environment: BTreeMap<String, OsString>) -> Self {
        Self { environment }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.environment.get(name).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
    }

    /// The file with the profiles, by the XDG base directory specification.
    fn profiles_file(&self) -> Option<PathBuf> {
        let home = || self.get("HOME").map(|home| Path::new(home).join(".config"));
        let folder = self.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home);
        folder.map(|folder| folder.join("tidegate/cli.toml"))
    }
}

/// A gate and what to show it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) url: Url,
    pub(super) token: Option<SecretString>,
    pub(super) chosen: Chosen,
}

/// Who said which gate it is and which token: what `auth status` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    /// As it is called with.
    pub(super) url: String,
    /// Who named it.
    pub(super) url_from: String,
    /// Who gave the token, if there is one.
    pub(super) token_from: Option<String>,
}

/// Chooses. An option beats the profile that `--profile` names, that beats a variable, that beats the profile that
/// `TIDEGATE_PROFILE` names or `default`. A profile's token goes to the profile's gate and to no other.
pub(super) fn resolve(options: &Options, variables: &Variables) -> Result<Connection, CliError> {
    let chosen = options.profile.as_deref();
    let named = chosen.or_else(|| variables.get("TIDEGATE_PROFILE"));
    let profile = find_profile(named, variables)?;
    let profile_name = || format!("profile {}", named.unwrap_or(DEFAULT_PROFILE));
    let profile_url = profile.api_url.as_deref().unwrap_or(DEFAULT_URL);
    let of_profile = || profile.api_url.as_deref().map(|url| (url, profile_name()));
    let of_variable = |name: &str| variables.get(name).map(|url| (url, format!("${name}")));
    let found = match (options.url.as_deref(), chosen) {
        (Some(url), _) => Some((url, "--url".to_owned())),
        (None, Some(_)) => of_profile(),
        (None, None) => of_variable("TIDEGATE_URL").or_else(of_profile).or_else(|| of_variable("ORCHEO_API_URL")),
    };
    let (text, url_from) = found.unwrap_or_else(|| (DEFAULT_URL, "default".to_owned()));
    let url = parse(text)?;

    let for_this_gate = parse(profile_url).is_ok_and(|theirs| theirs.origin() == url.origin());
    let of_profile = profile.service_token.filter(|_| for_this_gate).map(|token| (token, profile_name()));
    let of_variable = |name: &str| variables.get(name).map(|token| (SecretString::from(token), format!("${name}")));
    let token = match (options.token.clone(), chosen) {
        (Some(token), _) => Some((token, "--token".to_owned())),
        (None, Some(_)) if of_profile.is_some() => of_profile,
        (None, _) => of_variable("TIDEGATE_TOKEN").or(of_profile).or_else(|| of_variable("ORCHEO_SERVICE_TOKEN")),
    };
    // Files and pipes leave line ends behind, of Windows, too; no token has blanks.
    let trimmed = |token: &SecretString| SecretString::from(token.expose_secret().trim().to_owned());
    let token = token.map(|(token, from)| (trimmed(&token), from));
    let (token, token_from) = token.map_or((None, None), |(token, from)| (Some(token), Some(from)));
    let chosen = Chosen { url: url.to_string(), url_from, token_from };
    Ok(Connection { url, token, chosen })
}

fn find_profile(named: Option<&str>, variables: &Variables) -> Result<profiles::Profile, CliError> {
    let file = variables.profiles_file();
    let found = match &file {
        Some(file) => profiles::find(file, named.unwrap_or(DEFAULT_PROFILE))?,
        None => None,
    };
    match (found, named) {
        (Some(profile), _) => Ok(profile),
        (None, None) => Ok(profiles::Profile::default()),
        (None, Some(name)) => {
            let file = file.map_or_else(|| "~/.config/tidegate/cli.toml".to_owned(), |file| file.display().to_string());
            Err(CliError::Usage(format!("there is no profile {name:?} in {file}")))
        }
    }
}

/// No message repeats a URL that cannot be used: it may hold a password.
fn parse(text: &str) -> Result<Url, CliError> {
    let unusable = |reason: &str| CliError::Usage(format!("the gate's URL {reason}"));
    let url = Url::parse(text).map_err(|_| unusable("is none; it looks like https://gate.example.org"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(unusable("must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable("must not hold credentials; they go into TIDEGATE_TOKEN or a profile"));
    }
    Ok(url)
}

/// Whether the URL leads to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::cli::Cli;
    use clap::Parser as _;

    fn resolve_with(
        arguments: &[&str],
        variables: &[(&str, &str)],
        file: &str,
    ) -> Result<(String, Option<String>), String> {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("tidegate")).unwrap();
        std::fs::write(home.path().join("tidegate/cli.toml"), file).unwrap();
        let mut environment: BTreeMap<String, OsString> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        environment.insert("XDG_CONFIG_HOME".to_owned(), home.path().into());
        let cli = Cli::try_parse_from(["tidegate", "whoami"].iter().chain(arguments)).unwrap();
        let variables = Variables { environment };
        resolve(&cli.options, &variables)
            .map(|found| (found.url.to_string(), found.token.map(|token| token.expose_secret().to_owned())))
            .map_err(|error| error.to_string())
    }

    const PROFILES: &str = "[profiles.a]\napi_url = \"http://a.example\"\nservice_token = \"of-a\"\n";

    fn is(url: &str, token: Option<&str>) -> (String, Option<String>) {
        (url.to_owned(), token.map(ToOwned::to_owned))
    }

    #[test]
    fn options_beat_profiles_beat_variables() {
        let variables = [("TIDEGATE_URL", "http://v.example"), ("TIDEGATE_TOKEN", "of-v")];
        assert_eq!(resolve_with(&[], &[], ""), Ok(is("http://127.0.0.1:8080/", None)));
        assert_eq!(resolve_with(&[], &variables, PROFILES), Ok(is("http://v.example/", Some("of-v"))));
        assert_eq!(resolve_with(&["--profile", "a"], &variables, PROFILES), Ok(is("http://a.example/", Some("of-a"))));
        assert_eq!(
            resolve_with(&[], &[("TIDEGATE_PROFILE", "a")], PROFILES),
            Ok(is("http://a.example/", Some("of-a")))
        );
        let all = ["--profile", "a", "--url", "http://o.example", "--token", "of-o"];
        assert_eq!(resolve_with(&all, &variables, PROFILES), Ok(is("http://o.example/", Some("of-o"))));
    }

    #[test]
    fn the_names_of_other_deployments_come_last() {
        let orcheo = [("ORCHEO_API_URL", "http://x.example"), ("ORCHEO_SERVICE_TOKEN", "of-x")];
        assert_eq!(resolve_with(&[], &orcheo, ""), Ok(is("http://x.example/", Some("of-x"))));
        let both = [orcheo[0], orcheo[1], ("TIDEGATE_TOKEN", "of-v")];
        assert_eq!(resolve_with(&[], &both, ""), Ok(is("http://x.example/", Some("of-v"))));
    }

    #[test]
    fn a_profiles_token_goes_to_its_own_gate_only() {
        assert_eq!(
            resolve_with(&["--profile", "a", "--url", "http://b.example"], &[], PROFILES),
            Ok(is("http://b.example/", None))
        );
    }

    #[test]
    fn line_ends_around_a_token_are_cut() {
        let found = resolve_with(&[], &[("TIDEGATE_TOKEN", " tgs_a\r\n")], "");
        assert_eq!(found, Ok(is("http://127.0.0.1:8080/", Some("tgs_a"))));
    }

    #[test]
    fn no_message_shows_a_password_or_what_the_file_holds() {
        for url in ["http://ada:s3cret@a.example", "ftp://ada:s3cret@a.example", "ada:s3cret@"] {
            let message = resolve_with(&["--url", url], &[], "").unwrap_err();
            assert!(!message.contains("s3cret"), "{message}");
        }
        let message = resolve_with(&[], &[], "[profiles.default]\nservice_token = \"s3cret\n").unwrap_err();
        assert!(message.contains("line 2") && !message.contains("s3cret"), "{message}");
        let message = resolve_with(&[], &[], "[profiles.default]\nservice_token = 5550\n").unwrap_err();
        assert!(message.contains("must be a text") && !message.contains("5550"), "{message}");
    }

    #[test]
    fn who_said_it_is_known() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("tidegate")).unwrap();
        std::fs::write(home.path().join("tidegate/cli.toml"), PROFILES).unwrap();
        let environment = BTreeMap::from([
            ("XDG_CONFIG_HOME".to_owned(), home.path().into()),
            ("TIDEGATE_TOKEN".to_owned(), "of-v".into()),
        ]);
        let variables = Variables { environment };
        let chosen = |arguments: &[&str]| {
            let cli = Cli::try_parse_from(["tidegate", "whoami"].iter().chain(arguments)).unwrap();
            let chosen = resolve(&cli.options, &variables).unwrap().chosen;
            (chosen.url_from, chosen.token_from.unwrap_or_default())
        };
        let is = |url: &str, token: &str| (url.to_owned(), token.to_owned());
        assert_eq!(chosen(&[]), is("default", "$TIDEGATE_TOKEN"));
        assert_eq!(chosen(&["--profile", "a"]), is("profile a", "profile a"));
        assert_eq!(chosen(&["--url", "http://b.example", "--token", "x"]), is("--url", "--token"));
    }

    #[test]
    fn a_profile_that_is_named_must_be_there() {
        let message = resolve_with(&["--profile", "b"], &[], PROFILES).unwrap_err();
        assert!(message.contains("no profile \"b\""), "{message}");
    }
}
