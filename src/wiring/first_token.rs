//! The first service token: where no credential is configured and none was ever stored, the start makes one, once, and
//! shows it on the terminal, or without one in a file that only its owner can read (authentication.md section 2).

use std::{
    fmt::Write as _,
    fs, io,
    io::{IsTerminal, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::{
    app::audit,
    domain::{
        identity::Identity,
        scope::all_scopes,
        service_token::{HashedToken, PlainToken, ServiceToken, ServiceTokenId},
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
        return finish(repository, folder).await;
    }
    let plain = PlainToken::from_random(&rng.bits256());
    let token = first(&plain, clock)?;
    if io::stderr().is_terminal() {
        if store(repository, &token).await? {
            show(&plain);
        }
        return Ok(());
    }
    into_file(repository, &plain, &token, folder).await
}

fn first(plain: &PlainToken, clock: &dyn Clock) -> Result<ServiceToken, InvalidText> {
    Ok(ServiceToken {
        id: ServiceTokenId::parse("first")?,
        hash: plain.hashed(),
        previous: None,
        scopes: all_scopes(),
        workspaces: WorkspaceAccess::All,
        issued_at: clock.now(),
        expires_at: None,
        rotated_at: None,
        revoked: None,
        created_by: (&Identity::system("system")).into(),
        owner: None,
        last_used_at: None,
        use_count: 0,
    })
}

async fn into_file(
    repository: &dyn Repository,
    plain: &PlainToken,
    token: &ServiceToken,
    folder: &Path,
) -> Result<(), FirstTokenError> {
    // The secret is on disk before the token is in the store: a crash in between leaves a file that opens nothing,
    // never a token that nobody knows. A crash before the file has its name is mended by the next start.
    let draft = draft_of(plain, folder);
    let failed = |source| FirstTokenError::File { path: draft.clone(), source };
    write(folder, &draft, plain).map_err(failed)?;
    if !store(repository, token).await? {
        return fs::remove_file(&draft).map_err(failed);
    }
    hand_over(&draft, folder)
}

/// What begins the name of a file until its token is stored.
const DRAFT: &str = ".first-token.";

/// Named after its own token: replicas that share a folder, each as process 1 of its container, do not take each other's.
fn draft_of(plain: &PlainToken, folder: &Path) -> PathBuf {
    let mut name = DRAFT.to_owned();
    for byte in plain.hashed().as_bytes().iter().take(8) {
        // Writing to a string never fails.
        let _ = write!(name, "{byte:02x}");
    }
    folder.join(name)
}

/// Gives the file its name, and says where it is. One that has the name already is another store's only credential: it is
/// put aside.
fn hand_over(draft: &Path, folder: &Path) -> Result<(), FirstTokenError> {
    let path = folder.join("first-token");
    let failed = |source| FirstTokenError::File { path: path.clone(), source };
    let mut count = 1_u32;
    // A link never replaces what is there, whoever comes at the same moment.
    loop {
        let aside = folder.join(format!("first-token.{count}"));
        match fs::hard_link(&path, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => count += 1,
            linked => {
                linked.map_err(failed)?;
                tracing::warn!(path = %aside.display(), "the first token of another database was here; it is now in this file");
                break;
            }
        }
    }
    fs::rename(draft, &path).map_err(failed)?;
    tracing::info!(path = %path.display(), "made the first service token; its secret is in this file");
    Ok(())
}

/// Hands over the file of a gate that died once its token was stored. Another replica's that is just being made, or one
/// that opens nothing, is left alone.
async fn finish(repository: &dyn Repository, folder: &Path) -> Result<(), FirstTokenError> {
    // No folder, no file.
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for draft in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(DRAFT)) {
        let Ok(secret) = fs::read_to_string(draft.path()) else { continue };
        let hash = HashedToken::of(secret.trim_end());
        if repository.view().await?.tokens().find_by_hash(&hash).await?.is_some() {
            return hand_over(&draft.path(), folder);
        }
    }
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
    let system = Identity::system("system");
    let made = audit::entry(token.issued_at, &system, audit::action::TOKEN_MINT, token.id.as_str());
    unit.audit().append(&[made]).await?;
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
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // A new file: one that stood here, or a link, might be another's to read.
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", plain.expose())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::adapters::{clock::SystemClock, persistence::memory::MemoryRepository};

    fn plain(seed: u8) -> PlainToken {
        PlainToken::from_random(&[seed; 32])
    }

    fn shown(folder: &Path) -> String {
        fs::read_to_string(folder.join("first-token")).unwrap_or_default().trim_end().to_owned()
    }

    #[tokio::test]
    async fn the_file_is_its_owners_alone_and_no_other_is_written_to() {
        let (folder, repository) = (tempfile::tempdir().unwrap(), MemoryRepository::default());
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, "").unwrap();
        symlink(&elsewhere, folder.path().join("first-token")).unwrap();
        let token = first(&plain(1), &SystemClock).unwrap();
        into_file(&repository, &plain(1), &token, folder.path()).await.unwrap();
        assert_eq!(shown(folder.path()), plain(1).expose());
        let mode = fs::symlink_metadata(folder.path().join("first-token")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "");
        symlink(&elsewhere, draft_of(&plain(2), folder.path())).unwrap();
        assert!(into_file(&MemoryRepository::default(), &plain(2), &token, folder.path()).await.is_err());
        assert_eq!(fs::read_to_string(elsewhere).unwrap(), "");
    }

    #[tokio::test]
    async fn two_that_share_a_folder_do_not_take_each_others_drafts() {
        let (folder, repository) = (tempfile::tempdir().unwrap(), MemoryRepository::default());
        let token = first(&plain(1), &SystemClock).unwrap();
        let drafts = [plain(1), plain(2)].map(|plain| {
            let draft = draft_of(&plain, folder.path());
            write(folder.path(), &draft, &plain).unwrap();
            draft
        });
        assert!(store(&repository, &token).await.unwrap());
        hand_over(&drafts[0], folder.path()).unwrap();
        assert_eq!(shown(folder.path()), plain(1).expose());
    }

    #[tokio::test]
    async fn the_token_of_another_store_is_put_aside_not_destroyed() {
        let folder = tempfile::tempdir().unwrap();
        for seed in [1, 2, 3] {
            let token = first(&plain(seed), &SystemClock).unwrap();
            into_file(&MemoryRepository::default(), &plain(seed), &token, folder.path()).await.unwrap();
        }
        let kept = |name| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(shown(folder.path()), plain(3).expose());
        assert_eq!(kept("first-token.1").trim_end(), plain(1).expose());
        assert_eq!(kept("first-token.2").trim_end(), plain(2).expose());
    }

    #[tokio::test]
    async fn of_two_only_the_one_that_is_stored_is_shown() {
        let (folder, repository) = (tempfile::tempdir().unwrap(), MemoryRepository::default());
        for seed in [1, 2] {
            let token = first(&plain(seed), &SystemClock).unwrap();
            into_file(&repository, &plain(seed), &token, folder.path()).await.unwrap();
        }
        assert_eq!(shown(folder.path()), plain(1).expose());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[tokio::test]
    async fn a_start_that_died_once_its_token_was_stored_is_finished_by_the_next() {
        let (folder, repository) = (tempfile::tempdir().unwrap(), MemoryRepository::default());
        write(folder.path(), &folder.path().join(format!("{DRAFT}1")), &plain(1)).unwrap();
        write(folder.path(), &folder.path().join(format!("{DRAFT}2")), &plain(2)).unwrap();
        finish(&repository, folder.path()).await.unwrap();
        assert_eq!(shown(folder.path()), "", "it opens nothing");
        assert!(store(&repository, &first(&plain(2), &SystemClock).unwrap()).await.unwrap());
        finish(&repository, folder.path()).await.unwrap();
        assert_eq!(shown(folder.path()), plain(2).expose());
    }
}
