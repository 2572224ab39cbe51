//! Writes something of an owner's that is elsewhere: whole, or not at all.
//!
//! An object goes up in parts and is there when it is complete; what breaks off is aborted. What had its key before is
//! there until then. To a URL goes one request that says how long it is: a server that keeps to HTTP takes all of it or
//! nothing, and one that signs URLs, as S3 does, is such a one.

use crate::{
    Content, DiskError, Object, Place,
    bucket::{Line, PART_BYTES, Patience, Roots, SendError, Sending, abort, client},
    disk::{self, blocking},
    own::put::{self, Put},
};
use http::StatusCode;
use object_store::{
    Error, aws::AmazonS3, multipart::MultipartStore as _, path::Path as ObjectPath,
};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// Parts of an upload, at most, as S3 has it.
const PARTS_MAX: u64 = 10_000;

/// Bytes of a part, at most: they are in memory while they are sent.
const PART_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// By what parts are longer than [`PART_BYTES`].
const PART_STEP_BYTES: u64 = 1024 * 1024;

/// Bytes of an object that is written, at most: 625 GiB.
pub const OBJECT_BYTES_MAX: u64 = PARTS_MAX * PART_BYTES_MAX;

/// Bytes that go to a URL, at most: 5 GiB, which is what S3 takes in one request.
pub const PUT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// Why something is not written. It is not there then, nor is a part of it.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The file cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The file is written to.
    #[error("{} changed while it went to {place}; wait until nothing writes to it, and begin anew", path.display())]
    Changed {
        /// Where it was to go.
        place: Place,
        /// The file.
        path: PathBuf,
    },
    /// The file is too long.
    #[error(
        "{place} takes at most {most} bytes in one upload, and the file has {bytes}; keep it on this disk, or in parts"
    )]
    TooLong {
        /// Where it was to go.
        place: Place,
        /// How many it has.
        bytes: u64,
        /// How many it may have.
        most: u64,
    },
    /// A bucket cannot be asked at all.
    #[error("{place} cannot be asked with these settings; look at endpoint, region and keys")]
    Settings {
        /// Where it was to go.
        place: Place,
        /// What is wrong with them.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no such bucket, or nothing at that URL.
    #[error("nothing takes {place}; make the bucket, or mend its name, the endpoint or the URL")]
    Nowhere {
        /// Where it was to go.
        place: Place,
    },
    /// It is not allowed.
    #[error(
        "{place} is refused; its keys or the URL itself do not allow it to be written, or not any more. Of a bucket the \
         keys have to be of an account that may write there and abort uploads, the region the bucket's own, and this \
         machine's clock right"
    )]
    Refused {
        /// Where it was to go.
        place: Place,
    },
    /// It leads elsewhere.
    #[error(
        "{place} leads elsewhere, and nothing is written where nobody named it; name that place itself"
    )]
    Redirected {
        /// Where it was to go.
        place: Place,
    },
    /// The server does not do it.
    #[error(
        "{place} answers with {status}, and takes no file by PUT; have a URL signed for that, or name an object as s3://BUCKET/KEY"
    )]
    Answer {
        /// Where it was to go.
        place: Place,
        /// What the answer is.
        status: StatusCode,
    },
    /// The bucket did something else than was asked, or nothing, however often it was asked.
    #[error(
        "{place} does not take it, however often it is asked; look at region and endpoint, or try again later"
    )]
    Failed {
        /// Where it was to go.
        place: Place,
        /// What happened at last.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The bucket says that it is complete, and has something else.
    #[error("the bucket says that it keeps {place}, and has not all of it; see to that bucket")]
    Other {
        /// Where it was to go.
        place: Place,
    },
}

/// Where something of an owner's is to go.
#[derive(Clone, Debug)]
pub struct Target {
    place: Place,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Object { store: AmazonS3, path: ObjectPath },
    Url { roots: Roots, patience: Patience },
}

impl Target {
    /// An object of a bucket.
    ///
    /// # Errors
    ///
    /// If the bucket cannot be asked so.
    pub fn of_object(object: Object) -> Result<Self, TargetError> {
        let place = Place::of_object(&object);
        let settings = |source| TargetError::Settings {
            place: place.clone(),
            source,
        };
        let line = Line::new(object.bucket.roots.clone());
        let store = client(&object.bucket, &line).map_err(|error| settings(error.into()))?;
        let path = ObjectPath::parse(&object.key).map_err(|error| settings(error.into()))?;
        Ok(Self {
            place,
            way: Way::Object { store, path },
        })
    }

    /// What takes a file by `PUT`, such as a URL that a bucket's owner signed for that.
    pub fn of_url(place: Place, roots: Roots, patience: Patience) -> Self {
        Self {
            place,
            way: Way::Url { roots, patience },
        }
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Looks whether a bucket lets the object be written, by an upload that is begun and aborted. Of a URL that cannot be
    /// asked.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub async fn check(&self) -> Result<(), TargetError> {
        let Way::Object { store, path } = &self.way else {
            return Ok(());
        };
        let begun = store.create_multipart(path).await;
        let upload = begun.map_err(|error| self.failed(error))?;
        abort(store, path, &upload).await;
        Ok(())
    }

    /// Writes a file there, in the place of what is there already. `progress` hears how many of its bytes have gone.
    /// Returns how many it has.
    ///
    /// # Errors
    ///
    /// If it is not there then. What was there before is there still, as far as that is known.
    pub async fn put(
        &self,
        file: &Path,
        mut progress: impl FnMut(u64, u64) + Send,
    ) -> Result<u64, TargetError> {
        let length = disk::length(file)?.unwrap_or_default();
        let (most, part_bytes) = match &self.way {
            Way::Object { .. } => (OBJECT_BYTES_MAX, part_bytes(length)),
            Way::Url { .. } => (PUT_BYTES_MAX, Some(PART_BYTES)),
        };
        let part_bytes = part_bytes.filter(|_| length <= most);
        let part_bytes = part_bytes.ok_or_else(|| TargetError::TooLong {
            place: self.place.clone(),
            bytes: length,
            most,
        })?;
        let content = content(file).await?;
        let bytes = content.bytes;
        if bytes != length {
            return Err(self.changed(file));
        }
        let mut sent = |sent: u64| progress(sent, bytes);
        match &self.way {
            Way::Object { store, path } => {
                let sending = Sending {
                    store,
                    path,
                    file,
                    content: &content,
                    part_bytes,
                };
                let sent = sending.send(&mut sent).await;
                sent.map_err(|error| self.unsent(file, error))?;
            }
            Way::Url { roots, patience } => {
                let put = Put {
                    place: &self.place,
                    roots: roots.clone(),
                    patience: *patience,
                    file,
                    content: &content,
                };
                put::put(put, &mut sent).await?;
            }
        }
        Ok(bytes)
    }

    fn unsent(&self, file: &Path, error: SendError) -> TargetError {
        match error {
            SendError::Disk(error) => error.into(),
            SendError::Changed => self.changed(file),
            SendError::Other => TargetError::Other {
                place: self.place.clone(),
            },
            SendError::Client(error) => self.failed(error),
        }
    }

    fn changed(&self, file: &Path) -> TargetError {
        TargetError::Changed {
            place: self.place.clone(),
            path: file.to_owned(),
        }
    }

    /// What an error of the client means.
    fn failed(&self, error: Error) -> TargetError {
        let place = self.place.clone();
        match error {
            Error::NotFound { .. } => TargetError::Nowhere { place },
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                TargetError::Refused { place }
            }
            error => TargetError::Failed {
                place,
                source: error.into(),
            },
        }
    }
}

/// What a file is.
async fn content(file: &Path) -> Result<Content, DiskError> {
    let read = file.to_owned();
    blocking(file, move || {
        let opened = File::open(&read).map_err(DiskError::of(&read))?;
        Content::read(opened).map_err(DiskError::of(&read))
    })
    .await
}

/// Bytes of each part of so many; none if they are too many.
fn part_bytes(bytes: u64) -> Option<usize> {
    let needed = bytes.div_ceil(PARTS_MAX).next_multiple_of(PART_STEP_BYTES);
    let part_bytes = needed.max(PART_BYTES as u64);
    (part_bytes <= PART_BYTES_MAX)
        .then(|| usize::try_from(part_bytes).ok())
        .flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_long_as_it_takes_that_there_are_not_too_many() {
        assert_eq!(part_bytes(0), Some(PART_BYTES));
        assert_eq!(part_bytes(80_000 << 20), Some(PART_BYTES));
        assert_eq!(part_bytes((80_000 << 20) + 1), Some(9 << 20));
        assert_eq!(part_bytes(OBJECT_BYTES_MAX), Some(64 << 20));
        assert_eq!(part_bytes(OBJECT_BYTES_MAX + 1), None);
        for bytes in [1, 100 << 30, 300 << 30, OBJECT_BYTES_MAX - 1] {
            let parts = bytes.div_ceil(part_bytes(bytes).unwrap() as u64);
            assert!(parts <= PARTS_MAX, "{bytes}");
        }
    }
}
