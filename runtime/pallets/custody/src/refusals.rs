//! The rules' errors as the pallet's. The pallet's carry no fields; whoever wants the numbers computes with the
//! rules.

use crate::Error;
use quern_custody_rules::{
    challenge::{AnswerError, MissError, OpenError},
    holding::{ForgetError, HoldError, ReleaseError},
    life::LifeError,
    mismatch::NoMismatch,
    steps::ReviewError,
};
use quern_job_rules::group::CertificateError;

impl<T> From<LifeError> for Error<T> {
    fn from(error: LifeError) -> Self {
        match error {
            LifeError::Terms(_) => Self::TermsUnfit,
            LifeError::Pieces { .. } => Self::PiecesOutOfBounds,
            LifeError::Copies { .. } => Self::CopiesOutOfBounds,
            LifeError::Periods => Self::PeriodsOutOfBounds,
            LifeError::Nothing => Self::NothingAdded,
            LifeError::NotCovered { .. } => Self::NotCovered,
            LifeError::TooMuch => Self::TooMuch,
            LifeError::NotOwner => Self::NotOwner,
            LifeError::Ended => Self::ContractEnding,
            LifeError::TooEarly { .. } => Self::TooEarly,
            LifeError::Challenged { .. } => Self::ChallengesOpen,
        }
    }
}

impl<T> From<HoldError> for Error<T> {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Over => Self::NoPeriodLeft,
            HoldError::Contained => Self::DeviceContained,
            HoldError::Known => Self::HoldingExists,
            HoldError::Taken => Self::PieceTaken,
            HoldError::Version { .. } => Self::EntryVersion,
            HoldError::Bytes { .. } => Self::EntryBytes,
            HoldError::Audits { .. } => Self::EntryAudits,
            HoldError::Proof(_) => Self::EntryNotInContract,
            HoldError::NotCovered { .. } => Self::NotCovered,
            HoldError::TooMuch => Self::TooMuch,
            HoldError::Since { .. } => Self::WrongSince,
            HoldError::NotSigned => Self::ConsentNotSigned,
        }
    }
}

impl<T> From<NoMismatch> for Error<T> {
    fn from(error: NoMismatch) -> Self {
        match error {
            NoMismatch::NotUnderRoot => Self::SpanNotUnderRoot,
            NoMismatch::Fits => Self::SpanFits,
        }
    }
}

impl<T> From<CertificateError> for Error<T> {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::Unsorted => Self::CertificatesUnsorted,
            CertificateError::NoVoice { .. } => Self::CertificateOfNobody,
            CertificateError::TooFew { .. } => Self::TooFewCertificates,
            CertificateError::NotSigned { .. } => Self::CertificateNotSigned,
        }
    }
}

impl<T> From<OpenError> for Error<T> {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NotEntitled => Self::NotEntitled,
            OpenError::NotHeld { .. } => Self::NotHeldNow,
            OpenError::AlreadyOpen => Self::ChallengeOpen,
            OpenError::AlreadyProved => Self::AlreadyProved,
            OpenError::TooMany => Self::TooManyChallenges,
        }
    }
}

impl<T> From<AnswerError> for Error<T> {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Late { .. } => Self::AnswerLate,
            AnswerError::NoSuchPart { .. } => Self::NoSuchPart,
            AnswerError::AlreadyAnswered => Self::PartShown,
            AnswerError::Chunks { .. } => Self::WrongChunks,
            AnswerError::Repeated { .. } => Self::ChunkRepeated,
            AnswerError::Bytes { .. } => Self::ChunkLength,
            AnswerError::Proof { .. } => Self::ChunkNotInPiece,
            AnswerError::Unfit => Self::Unfit,
        }
    }
}

impl<T> From<MissError> for Error<T> {
    fn from(error: MissError) -> Self {
        match error {
            MissError::TooEarly { .. } => Self::AnswerAwaited,
            MissError::Unfit => Self::Unfit,
        }
    }
}

impl<T> From<ReleaseError> for Error<T> {
    fn from(error: ReleaseError) -> Self {
        match error {
            ReleaseError::NotEntitled => Self::NotEntitled,
            ReleaseError::Ending { .. } => Self::ReleasedAlready,
            ReleaseError::Over => Self::ContractEnding,
            ReleaseError::Escrow => Self::EscrowShort,
        }
    }
}

impl<T> From<ForgetError> for Error<T> {
    fn from(error: ForgetError) -> Self {
        match error {
            ForgetError::Held { .. } => Self::StillHeld,
            ForgetError::Payable => Self::StillPayable,
            ForgetError::Challenged => Self::ChallengeOpen,
            ForgetError::Escrow => Self::EscrowShort,
        }
    }
}

impl<T> From<ReviewError> for Error<T> {
    fn from(error: ReviewError) -> Self {
        match error {
            ReviewError::NotContained => Self::NotContained,
            ReviewError::TooEarly { .. } => Self::MissedLately,
        }
    }
}
