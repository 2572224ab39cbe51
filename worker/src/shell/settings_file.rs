//! Looks whether the settings file has changed since it was last seen.
//!
//! It is read on a thread that may block, for it may be on a network file system that hangs.

use super::News;
use crate::settings::{self, Settings, SettingsError};
use std::{fs, path::PathBuf, time::SystemTime};
use tokio::sync::mpsc;

/// What looks at the settings file.
pub(super) struct SettingsFile {
    /// `None` while it is being read.
    seen: Option<Seen>,
    /// It is to be read once more, whatever its time says.
    is_asked: bool,
    news: mpsc::Sender<News>,
}

/// The file as it was last seen.
struct Seen {
    path: PathBuf,
    /// `None` if that is not known.
    modified: Option<SystemTime>,
    /// `None` before it was first read, and if it could not be.
    text: Option<String>,
    /// It could not be read, and that was told.
    is_unreadable: bool,
}

/// What came of a look.
pub(super) struct Found {
    seen: Seen,
    /// What it says, if that is not what it said.
    settings: Option<Result<Settings, SettingsError>>,
}

impl SettingsFile {
    pub(super) fn new(path: PathBuf, news: mpsc::Sender<News>) -> Self {
        Self {
            seen: Some(Seen {
                path,
                modified: None,
                text: None,
                is_unreadable: false,
            }),
            is_asked: false,
            news,
        }
    }

    /// Begins to look. If somebody has asked for it, the file is read even if its time says that it
    /// was not modified.
    pub(super) fn look(&mut self, is_asked: bool) {
        let Some(seen) = self.seen.take() else {
            self.is_asked |= is_asked;
            return;
        };
        let news = self.news.clone();
        tokio::spawn(async move {
            let look = tokio::task::spawn_blocking(move || seen.look(is_asked));
            let outcome = match look.await {
                Ok(found) => News::SettingsSeen(Box::new(found)),
                Err(_) => News::LookEnded,
            };
            // An error says that the worker ends.
            let _ = news.send(outcome).await;
        });
    }

    /// Takes what came of a look: the settings, if they were written anew.
    pub(super) fn looked(&mut self, found: Found) -> Option<Result<Settings, SettingsError>> {
        self.seen = Some(found.seen);
        if std::mem::take(&mut self.is_asked) {
            self.look(true);
        }
        found.settings
    }
}

impl Seen {
    fn look(mut self, is_asked: bool) -> Found {
        // The time is read first: what is written between the two is found by the next look.
        let modified = fs::metadata(&self.path).and_then(|file| file.modified());
        let modified = modified.ok();
        let is_same = modified.is_some() && modified == self.modified;
        let settings = if is_same && !is_asked {
            None
        } else {
            self.modified = modified;
            self.read()
        };
        Found {
            seen: self,
            settings,
        }
    }

    fn read(&mut self) -> Option<Result<Settings, SettingsError>> {
        match settings::read(&self.path) {
            Ok(text) => {
                self.is_unreadable = false;
                if self.text.as_ref() == Some(&text) {
                    return None;
                }
                let settings = Settings::parse(&text, &self.path);
                self.text = Some(text);
                Some(settings)
            }
            Err(error) => {
                self.text = None;
                let was_told = std::mem::replace(&mut self.is_unreadable, true);
                (!was_told).then_some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{path::Path, time::Duration};

    const CHAIN: &str = "chain = [\"ws://127.0.0.1:1\"]\n";

    fn at(path: &Path) -> Seen {
        let (news, _) = mpsc::channel(1);
        SettingsFile::new(path.into(), news).seen.unwrap()
    }

    /// Writes the file, with a time of its own.
    fn write(path: &Path, text: &str, second: u64) {
        fs::write(path, text).unwrap();
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second))
            .unwrap();
    }

    /// What a look finds: `None` for nothing new, else whether it is of use.
    fn look(seen: &mut Seen, is_asked: bool) -> Option<bool> {
        let path = seen.path.clone();
        let found = std::mem::replace(seen, at(&path)).look(is_asked);
        *seen = found.seen;
        found.settings.map(|settings| settings.is_ok())
    }

    #[test]
    fn a_file_is_new_when_its_text_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.toml");
        let mut seen = at(&path);
        write(&path, CHAIN, 1);
        assert_eq!(look(&mut seen, false), Some(true));
        assert_eq!(look(&mut seen, false), None);
        // Written again, with nothing else in it.
        write(&path, CHAIN, 2);
        assert_eq!(look(&mut seen, false), None);
        write(&path, &format!("{CHAIN}stop_grace_s = 1"), 3);
        assert_eq!(look(&mut seen, false), Some(true));
    }

    #[test]
    fn a_file_with_the_same_time_is_read_only_if_somebody_asks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.toml");
        let mut seen = at(&path);
        write(&path, CHAIN, 1);
        assert_eq!(look(&mut seen, false), Some(true));
        write(&path, &format!("{CHAIN}stop_grace_s = 1"), 1);
        assert_eq!(look(&mut seen, false), None);
        assert_eq!(look(&mut seen, true), Some(true));
        assert_eq!(look(&mut seen, true), None);
    }

    #[test]
    fn a_file_of_no_use_is_told_once_and_one_that_is_mended_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.toml");
        let mut seen = at(&path);
        write(&path, CHAIN, 1);
        assert_eq!(look(&mut seen, false), Some(true));
        write(&path, "chain = [", 2);
        assert_eq!(look(&mut seen, false), Some(false));
        assert_eq!(look(&mut seen, true), None);
        fs::remove_file(&path).unwrap();
        assert_eq!(look(&mut seen, false), Some(false));
        assert_eq!(look(&mut seen, false), None);
        write(&path, CHAIN, 3);
        assert_eq!(look(&mut seen, false), Some(true));
    }

    #[tokio::test]
    async fn whoever_asks_while_it_is_read_is_heard_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.toml");
        write(&path, CHAIN, 1);
        let (news, mut received) = mpsc::channel(8);
        let mut file = SettingsFile::new(path.clone(), news);
        let mut looked = Vec::new();
        file.look(false);
        write(&path, &format!("{CHAIN}stop_grace_s = 1"), 1);
        file.look(true);
        for _ in 0..2 {
            let Some(News::SettingsSeen(found)) = received.recv().await else {
                panic!("nothing was seen")
            };
            looked.extend(file.looked(*found));
        }
        // Whichever of the two it was that the first look found, the last is as it was written last.
        let last = looked.pop().unwrap().unwrap();
        assert_eq!(last.stop_grace_ms, 1_000);
        assert!(received.try_recv().is_err(), "one look for each");
    }
}
