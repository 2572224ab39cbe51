//! Commands, and the yes that they need.

use quern_primitives::Digest;
use quern_swarm::{
    Begin, Computing, Consent, ConsentError, Peer, PeerConfig, PeerError,
    run::{Helper, PrepareError},
};
use quern_swarm_file::ValidatedTaskFile;
use std::{collections::BTreeSet, fs, num::NonZeroU8, path::Path, sync::Arc};

/// A task of a command.
const TASK: &str = "d7:commandd4:diski0e6:memoryi67108864e7:secondsi60e5:shell16:seq $QUERN_PIECEe\
    5:filesld5:partsi3e4:pathl9:table.txteee4:name5:table11:piece-bytesi262144e6:piecesi3e7:versioni1ee";

fn task(name: &str) -> Arc<ValidatedTaskFile> {
    let text = TASK.replace("5:table11:", &format!("{}:{name}11:", name.len()));
    Arc::new(ValidatedTaskFile::decode(text.as_bytes()).unwrap())
}

/// A peer whose helper would leave a file behind if anything ran it.
fn config(task: &Arc<ValidatedTaskFile>, folder: &Path, consent: Option<Consent>) -> PeerConfig {
    PeerConfig {
        task: Arc::clone(task),
        folder: folder.to_owned(),
        beside: folder.parent().unwrap().to_owned(),
        computing: Some(Computing {
            slots: NonZeroU8::MIN,
            consent,
            helper: Some(Helper {
                program: "/usr/bin/touch".into(),
                arguments: vec![folder.with_extension("ran").into()],
            }),
        }),
        listen: Vec::new(),
        peers: Vec::new(),
        trusted: BTreeSet::new(),
        begin: Begin::WhenHeard,
    }
}

async fn assert_refused(task: &Arc<ValidatedTaskFile>, folder: &Path, consent: Option<Consent>) {
    let started = Peer::start(config(task, folder, consent)).await;
    let error = started.unwrap_err();
    assert!(
        matches!(error, PeerError::Prepare(PrepareError::NoConsent)),
        "{error}"
    );
    assert!(!folder.exists(), "it has begun all the same");
    assert!(!folder.with_extension("ran").exists(), "something ran");
}

#[tokio::test]
async fn no_command_runs_without_a_yes_to_this_very_file() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("swarm");
    let (one, other) = (task("table"), task("chair"));
    assert_refused(&one, &folder, None).await;
    let yes_to_other = Consent::give(&folder, &other, other.digest()).unwrap();
    assert_refused(&one, &folder, Some(yes_to_other)).await;
}

#[test]
fn a_yes_is_kept_beside_the_folder_and_is_for_one_file() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("new/swarm");
    let (one, other) = (task("table"), task("chair"));
    assert_eq!(Consent::kept(&folder, &one).unwrap(), None);
    let wrong = Consent::give(&folder, &one, Digest([1; 32]));
    assert!(matches!(wrong, Err(ConsentError::Another { .. })));
    assert_eq!(Consent::kept(&folder, &one).unwrap(), None);
    let given = Consent::give(&folder, &one, one.digest()).unwrap();
    assert!(given.is_for(&one) && !given.is_for(&other));
    assert_eq!(Consent::kept(&folder, &one).unwrap(), Some(given));
    assert_eq!(Consent::kept(&folder, &other).unwrap(), None);
    // A slash at the end names the same folder.
    let slashed = place.path().join("new/swarm/");
    assert_eq!(Consent::kept(&slashed, &one).unwrap(), Some(given));
    assert!(!folder.exists());
    let kept = fs::read_to_string(place.path().join("new/swarm.yes")).unwrap();
    assert_eq!(kept.len(), 65);
}
