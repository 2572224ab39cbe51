//! The rules' errors as the pallet's. The pallet's carry no fields; whoever wants the numbers asks
//! the runtime for a quote, or computes with the rules.

use crate::Error;
use quern_job_rules::{
    exposure::AboveBond,
    group::{CertificateError, TakeOverError},
    life::LifeError,
    pay::PricesError,
    quote::QuoteError,
    settlement::BatchError,
    tasks::TaskSetError,
};

impl<T> From<AboveBond> for Error<T> {
    fn from(AboveBond { .. }: AboveBond) -> Self {
        Self::ExposureAboveBond
    }
}

impl<T> From<QuoteError> for Error<T> {
    fn from(error: QuoteError) -> Self {
        match error {
            QuoteError::NoTasks => Self::NoTasks,
            QuoteError::TooManyTasks { .. } => Self::TooManyTasks,
            QuoteError::NoInput => Self::NoInput,
            QuoteError::InputTooLarge { .. } => Self::InputTooLarge,
            QuoteError::NoFuel => Self::NoFuel,
            QuoteError::TooMuchFuel { .. } => Self::TooMuchFuel,
            QuoteError::NoMemory => Self::NoMemory,
            QuoteError::TooMuchMemory { .. } => Self::TooMuchMemory,
            QuoteError::ResultTooLong { .. } => Self::ResultTooLong,
            QuoteError::AgreementUndecidable { .. } => Self::AgreementUndecidable,
            QuoteError::RegionUnknown => Self::RegionUnknown,
            QuoteError::HardwareUnknown => Self::HardwareUnknown,
            QuoteError::LineUnknown => Self::LineUnknown,
            QuoteError::TooManyProcessorPoints { .. } => Self::TooManyProcessorPoints,
            QuoteError::DeadlinePassed { .. } => Self::DeadlinePassed,
            QuoteError::DeadlineTooNear { .. } => Self::DeadlineTooNear,
            QuoteError::DeadlineTooFar { .. } => Self::DeadlineTooFar,
            QuoteError::PriceTooLarge => Self::PriceTooLarge,
            QuoteError::AbovePriceMax { .. } => Self::AbovePriceMax,
            QuoteError::TaskWorthTooMuch { .. } => Self::TaskWorthTooMuch,
        }
    }
}

impl<T> From<LifeError> for Error<T> {
    fn from(error: LifeError) -> Self {
        match error {
            LifeError::Over => Self::JobOver,
            LifeError::Closed => Self::JobClosed,
            LifeError::NotPending => Self::BatchNotPending,
            LifeError::AlreadyDrawn => Self::AlreadyDrawn,
            LifeError::NotDrawn => Self::NotDrawn,
            LifeError::NotCoordinator => Self::NotCoordinator,
            LifeError::NotOwner => Self::NotOwner,
            LifeError::AlreadyCancelled => Self::AlreadyCancelled,
            LifeError::TooLate { .. } => Self::TooLate,
            LifeError::TooEarly { .. } => Self::TooEarly,
            LifeError::NoSuchTask { .. } => Self::NoSuchTask,
            LifeError::TaskSettled { .. } => Self::TaskSettled,
            LifeError::ExitIsSuccess => Self::ExitIsSuccess,
            LifeError::MoreThanLeft => Self::MoreThanLeft,
        }
    }
}

impl<T> From<TaskSetError> for Error<T> {
    fn from(error: TaskSetError) -> Self {
        match error {
            TaskSetError::Empty => Self::TaskSetEmpty,
            TaskSetError::NotShortest => Self::TaskSetNotShortest,
            TaskSetError::NotInJob { .. } => Self::NoSuchTask,
            TaskSetError::TooMany { .. } => Self::TaskSetTooLarge,
            TaskSetError::AlreadySettled { .. } => Self::TaskSettled,
        }
    }
}

impl<T> From<BatchError> for Error<T> {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Life(error) => error.into(),
            BatchError::WrongSequence { .. } => Self::WrongSequence,
            BatchError::LogReversed => Self::LogReversed,
            BatchError::Tasks(error) => error.into(),
            BatchError::OverCap { .. } => Self::OverCap,
            BatchError::OverEscrow { .. } => Self::OverEscrow,
            BatchError::PayoutsUnsorted => Self::PayoutsUnsorted,
            BatchError::PayoutZero => Self::PayoutZero,
            BatchError::TooManyPayees { .. } => Self::TooManyPayees,
            BatchError::WorkersOverShare(_) => Self::WorkersOverShare,
            BatchError::DevicesUnsorted => Self::DevicesUnsorted,
            BatchError::DeviceUnchanged => Self::DeviceUnchanged,
            BatchError::TooManyFindings { .. } => Self::TooManyFindings,
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

impl<T> From<TakeOverError> for Error<T> {
    fn from(error: TakeOverError) -> Self {
        match error {
            TakeOverError::NotMember => Self::NotMember,
            TakeOverError::NoTurn => Self::NoTurn,
            TakeOverError::TooEarly { .. } => Self::NotStalled,
        }
    }
}

impl<T> From<PricesError> for Error<T> {
    fn from(error: PricesError) -> Self {
        match error {
            PricesError::Gigafuel => Self::GigafuelOutOfBounds,
            PricesError::TaskMin => Self::TaskMinOutOfBounds,
            PricesError::Replica => Self::ReplicaOutOfBounds,
            PricesError::Low => Self::LowOutOfBounds,
            PricesError::High => Self::HighOutOfBounds,
        }
    }
}
