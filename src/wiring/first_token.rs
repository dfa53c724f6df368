//! The first service token: where no credential is configured and none was ever stored, the start makes one, once, and
//! shows it on the terminal, or without one in a file that only its owner can read (authentication.md section 2).

use std::{
    fs, io,
    io::{IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::{
    domain::{
        scope::all_scopes,
        service_token::{PlainToken, ServiceToken, ServiceTokenId},
        text::InvalidText,
        workspace::WorkspaceAccess,
    },
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError},
        rng::{Rng, RngExt},
    },
};

/// The first token could not be made or shown.
#[derive(Debug, thiserror::Error)]
pub enum FirstTokenError {
    /// The store's answer.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The file could not be written; no token was made.
    #[error("cannot write {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The name `first` is no identifier.
    #[error(transparent)]
    Name(#[from] InvalidText),
}

/// Makes the first token if there never was one, and shows it.
pub(super) async fn mint(
    repository: &dyn Repository,
    clock: &dyn Clock,
    rng: &dyn Rng,
    folder: &Path,
) -> Result<(), FirstTokenError> {
    if repository.view().await?.tokens().any().await? {
        return Ok(());
    }
    let plain = PlainToken::from_random(&rng.bits256());
    let token = ServiceToken {
        id: ServiceTokenId::parse("first")?,
        hash: plain.hashed(),
        previous: None,
        scopes: all_scopes(),
        workspaces: WorkspaceAccess::All,
        issued_at: clock.now(),
        expires_at: None,
        rotated_at: None,
        revoked: None,
        created_by: "system".to_owned(),
        last_used_at: None,
        use_count: 0,
    };
    if io::stderr().is_terminal() {
        if store(repository, &token).await? {
            show(&plain);
        }
        return Ok(());
    }
    // The secret is on disk before the token is in the store: a crash in between leaves a file that opens nothing,
    // never a token that nobody knows.
    let path = folder.join("first-token");
    let draft = folder.join(format!(".first-token.{}", std::process::id()));
    let failed = |source| FirstTokenError::File { path: path.clone(), source };
    write(folder, &draft, &plain).map_err(failed)?;
    if !store(repository, &token).await? {
        fs::remove_file(&draft).map_err(failed)?;
        return Ok(());
    }
    fs::rename(&draft, &path).map_err(failed)?;
    tracing::info!(path = %path.display(), "made the first service token; its secret is in this file");
    Ok(())
}

/// Whether this replica was the one that stored it: the identifier lets only one.
async fn store(repository: &dyn Repository, token: &ServiceToken) -> Result<bool, RepositoryError> {
    let mut unit = repository.begin().await?;
    if unit.tokens().any().await? {
        return Ok(false);
    }
    match unit.tokens().insert(token).await {
        Err(RepositoryError::Conflict) => return Ok(false),
        result => result?,
    }
    match unit.commit().await {
        Err(RepositoryError::Conflict | RepositoryError::Serialization) => Ok(false),
        result => result.map(|()| true),
    }
}

#[expect(clippy::print_stderr, reason = "the one time that a secret is shown, to whoever sits at the terminal")]
fn show(plain: &PlainToken) {
    eprintln!("\n  The first service token, shown once:\n\n    {}\n", plain.expose());
    eprintln!("  export TIDEGATE_TOKEN={}\n", plain.expose());
}

fn write(folder: &Path, path: &Path, plain: &PlainToken) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{}", plain.expose())?;
    file.sync_all()
}
