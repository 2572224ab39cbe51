//! What has happened, as a section of the pallet.

use frame_support::pallet_macros::pallet_section;

#[pallet_section]
mod events {
    /// What has happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A contract was opened, and its deposit put into escrow.
        ContractOpened {
            /// The contract.
            contract: ContractId,
            /// Who pays.
            owner: AccountId,
            /// What is held.
            deposit: Amount,
            /// The first period in which nobody holds a piece any more.
            ends: Period,
        },
        /// The masternodes that look after a contract were drawn.
        GroupDrawn {
            /// The contract.
            contract: ContractId,
            /// The first of them, which coordinates.
            coordinator: AccountId,
        },
        /// A device has taken a piece.
        PieceTaken {
            /// Which, and which device.
            place: Place,
            /// The account that it belongs to.
            account: AccountId,
            /// The first period in which it holds the piece.
            since: Period,
            /// What a period costs.
            price: Amount,
        },
        /// A piece is another than its contract says; nobody takes it any more.
        PieceRefused {
            /// The contract.
            contract: ContractId,
            /// The piece.
            piece: PieceIndex,
        },
        /// Holders were paid for a period.
        PeriodPaid {
            /// The contract.
            contract: ContractId,
            /// The period.
            period: Period,
            /// Holdings for which it is paid now.
            holdings: u32,
            /// What their accounts got.
            holders: Amount,
            /// What the masternodes that certified it got together, each an equal part.
            operators: Amount,
            /// What the treasury got, with what does not divide equally among these.
            treasury: Amount,
        },
        /// A holder is to show that it has a piece.
        ChallengeOpened {
            /// Which, and which device.
            place: Place,
            /// Who wants to see it.
            opener: AccountId,
            /// The period in which the piece is to be there.
            period: Period,
            /// The last height of the clock of finality at which it may be answered.
            due: BlockNumber,
        },
        /// A holder has shown a part of what it was asked for.
        PartShown {
            /// Which piece, and which device.
            place: Place,
            /// Which part.
            part: u8,
        },
        /// A holder has shown all that it was asked for, and is paid for the period if it was not.
        ChallengeAnswered {
            /// Which piece, and which device.
            place: Place,
            /// What it got for the period.
            paid: Amount,
            /// What the treasury got for the period.
            treasury: Amount,
            /// What it got of who opened the challenge.
            bond: Amount,
        },
        /// A holder has not shown in time what it was asked for, and holds the piece no more.
        ChallengeMissed {
            /// Which piece, and which device.
            place: Place,
            /// What follows.
            step: Step,
            /// What it costs the account's bond.
            slash: Amount,
        },
        /// A member of the group wants a piece given up.
        ReleaseWished {
            /// Which piece, and by which device.
            place: Place,
            /// The member's account.
            by: AccountId,
        },
        /// A piece is given up.
        PieceReleased {
            /// Which, and by which device.
            place: Place,
            /// The first period in which it is not held any more.
            until: Period,
        },
        /// Nothing can be paid any more of what a device held, and nothing of it is kept.
        HoldingForgotten {
            /// Which piece, and which device.
            place: Place,
        },
        /// A contract ends later, or has more money.
        ContractRenewed {
            /// The contract.
            contract: ContractId,
            /// What was added to the deposit.
            deposit: Amount,
            /// The first period in which nobody holds a piece any more.
            ends: Period,
        },
        /// A contract's owner has it end sooner.
        ContractEnded {
            /// The contract.
            contract: ContractId,
            /// The first period in which nobody holds a piece any more.
            ends: Period,
        },
        /// A contract is over, and the rest of its escrow returned.
        ContractClosed {
            /// The contract.
            contract: ContractId,
            /// What went back to the owner.
            refunded: Amount,
        },
        /// A device that was contained was reviewed; it may take pieces again.
        DeviceReviewed {
            /// The device.
            device: DeviceId,
        },
    }
}
