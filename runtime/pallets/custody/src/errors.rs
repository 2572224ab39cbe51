//! Why calls are refused, as a section of the pallet.

use frame_support::pallet_macros::pallet_section;

#[pallet_section]
mod errors {
    /// Why a call was refused. A refused call changes nothing but its sender's fee.
    #[pallet::error]
    pub enum Error<T> {
        /// The owner's account is banned; ask the council.
        OwnerBanned,
        /// The terms are not those of now; look at them and name them.
        TermsChanged,
        /// The terms of now cannot be; wait for the council to set others.
        TermsUnfit,
        /// The contract has no pieces, or more than allowed; cut the data into another number.
        PiecesOutOfBounds,
        /// No device is to hold a piece, or more than allowed; ask for another number of copies.
        CopiesOutOfBounds,
        /// The contract would end at once, or too far away; name another number of periods.
        PeriodsOutOfBounds,
        /// The owner has a contract with this salt, or had one of which holdings are left; take another salt.
        ContractExists,
        /// The owner has as many open contracts as allowed; wait for one to close.
        TooManyContracts,
        /// As many contracts await their group as can; open this one in the next block.
        TooManyAwaiting,
        /// As many of the owner's contracts await their group as may; open this one in the next block.
        TooManyOwnAwaiting,
        /// Contracts with as many different lengths of a period are open as may be; wait for those with one
        /// of them to close.
        TooManyLengths,
        /// The owner's free balance does not cover the deposit; buy ByteChips or deposit less.
        BalanceBelowDeposit,

        /// There is no such contract; check its id.
        NoSuchContract,
        /// Only the contract's owner may do that.
        NotOwner,
        /// Nothing is added to the contract; add periods or money.
        NothingAdded,
        /// There is not enough money for what is to be held; have the owner deposit more.
        NotCovered,
        /// An amount is larger than any that can exist; name less.
        TooMuch,
        /// The contract has ended, or ends as soon as it can already.
        ContractEnding,
        /// What was proved is still paid; wait until nothing of the contract can be paid any more.
        TooEarly,
        /// Challenges are open; wait until they are answered or missed.
        ChallengesOpen,

        /// No period is left in which the piece could be held; have the owner renew.
        NoPeriodLeft,
        /// The device belongs to another account, or to none; register it.
        NotDevicesAccount,
        /// The device may be given nothing: it is in quarantine, or its account is banned or has too small a
        /// bond.
        DeviceUnfit,
        /// The device missed challenges and gets no more pieces; have its account review it.
        DeviceContained,
        /// The piece is another than the contract says, and nobody takes it.
        PieceRefused,
        /// The device has the piece, or had it; forget that first.
        HoldingExists,
        /// As many devices hold the piece as the owner pays for.
        PieceTaken,
        /// The entry is of another version; show one of the present version.
        EntryVersion,
        /// No piece has as many bytes as the entry says, or as few; do not take it.
        EntryBytes,
        /// The tree over the piece's audits is too deep; do not take it.
        EntryAudits,
        /// The entry is none of the contract's; show its own path.
        EntryNotInContract,
        /// The device signed for another period; ask it for its consent from the next on.
        WrongSince,
        /// The device did not sign for this piece on these terms; ask it for its consent again.
        ConsentNotSigned,
        /// As many pieces of the contract are refused as are kept; one is enough to know the owner by.
        TooManyRefused,
        /// The bytes are no span under the piece's root; do not take the piece.
        SpanNotUnderRoot,
        /// The bytes fit what the contract says of the piece; show its last span.
        SpanFits,

        /// The contract has no group yet; wait for the next block.
        GroupNotDrawn,
        /// Only a member of the contract's group that is still a masternode may do that.
        NotMember,
        /// Holders are not strictly ascending by piece and device; sort them, each once.
        HoldersUnsorted,
        /// Nobody of these is to be paid for this period: it is paid, too far back, to come, or not theirs.
        NothingToPay,
        /// Certificates are not strictly ascending by place in the group; sort them, one a member.
        CertificatesUnsorted,
        /// A certificate is of no member of the group; leave it out.
        CertificateOfNobody,
        /// There are not the certificates of more than half of the group; collect more.
        TooFewCertificates,
        /// A certificate is not over these holders and this period by the key that the member had when it was
        /// drawn; ask for it again.
        CertificateNotSigned,

        /// The device does not hold the piece, and it is not known that it did.
        NoSuchHolding,
        /// Who asks is neither the owner, nor the holder where that is allowed, nor of the group.
        NotEntitled,
        /// The piece is not held in this period; challenge it when it is.
        NotHeldNow,
        /// The period has just begun; challenge in the next block.
        PeriodJustBegun,
        /// A challenge is open; wait for its end.
        ChallengeOpen,
        /// The holder has answered on the chain in this period; challenge it in the next.
        AlreadyProved,
        /// No further challenge can be kept.
        TooManyChallenges,
        /// The account has not the bond of a challenge free; get it first.
        BondTooSmall,
        /// No challenge of this holding is open.
        NotChallenged,
        /// The time for an answer is over.
        AnswerLate,
        /// The answer has no such part; send one of those it has, counted from 0.
        NoSuchPart,
        /// This part was shown; send another.
        PartShown,
        /// The part has not as many chunks as were asked for; send those, in their order.
        WrongChunks,
        /// A chunk is there twice; send each that was asked for once.
        ChunkRepeated,
        /// A chunk has not the bytes that it has in the piece; send those.
        ChunkLength,
        /// A chunk is not the one that was asked for; send that with its path.
        ChunkNotInPiece,
        /// Contract, holding and challenge do not fit each other; report this.
        Unfit,
        /// The challenge may still be answered; wait until its time is over.
        AnswerAwaited,

        /// The piece is given up already.
        ReleasedAlready,
        /// The member has said so in this period; others of the group have to.
        WishedAlready,
        /// The piece is held still; wait until it is not.
        StillHeld,
        /// Not all that was proved is paid; wait until it is.
        StillPayable,
        /// The escrow is short of what is reserved; report this.
        EscrowShort,

        /// The device is not contained; there is nothing to review.
        NotContained,
        /// The device missed something less than a week ago; wait until the week is over.
        MissedLately,
    }
}
