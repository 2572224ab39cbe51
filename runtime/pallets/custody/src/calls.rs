//! What may be called, as a section of the pallet. What the calls do is in the modules beside it.

use frame_support::pallet_macros::pallet_section;

#[pallet_section]
mod calls {
    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Opens a contract and holds its deposit.
        ///
        /// Origin: signed by the owner, who must not be banned.
        ///
        /// Details: the contract's id follows from chain, owner and salt, see
        /// [`contract_id`](quern_primitives::custody::contract_id). The terms are those of now, named by the
        /// owner so that it gets no others; they hold to the contract's end. Of the pieces only the root over
        /// them is stored.
        ///
        /// Event: [`Event::ContractOpened`].
        ///
        /// Errors: those from [`Error::OwnerBanned`] to [`Error::BalanceBelowDeposit`].
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::open())]
        pub fn open(
            origin: OriginFor<T>,
            offer: Offer,
            terms: Terms,
            deposit: Amount,
        ) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::do_open(owner, offer, terms, deposit)
        }

        /// Has a device take a piece, from the next period on and until the contract ends. Its pay for all of
        /// that is reserved.
        ///
        /// Origin: signed by the contract's owner or a member of its group. What a device may take they say:
        /// whoever takes a piece shows its entry to everybody.
        ///
        /// Details: the consent is the device's own, and names the contract, its terms, the piece's entry, the
        /// period from which on it is held, and the account that the device belongs to; `path` leads from the
        /// entry to the contract's root. No fee on success for a member of the group.
        ///
        /// Event: [`Event::PieceTaken`].
        ///
        /// Errors: [`Error::NoSuchContract`], [`Error::NotEntitled`], [`Error::NotCovered`],
        /// [`Error::TooMuch`], those from [`Error::NoPeriodLeft`] to [`Error::ConsentNotSigned`].
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::hold())]
        pub fn hold(
            origin: OriginFor<T>,
            consent: Box<Signed<HoldConsent>>,
            path: ShortProof,
        ) -> DispatchResultWithPostInfo {
            let by = ensure_signed(origin)?;
            Ok(Self::do_hold(&by, &consent, &path)?.into())
        }

        /// Shows that a piece's root is over another length than the contract says. Nobody takes the piece
        /// any more; who holds it has signed for it, and goes on.
        ///
        /// Origin: signed by any account.
        ///
        /// Details: `path` leads from the entry to the contract's root, and the span from the bytes shown to
        /// the entry's. No fee on success for a member of the group.
        ///
        /// Event: [`Event::PieceRefused`].
        ///
        /// Errors: [`Error::NoSuchContract`], [`Error::PieceRefused`], [`Error::EntryNotInContract`],
        /// [`Error::TooManyRefused`], [`Error::SpanNotUnderRoot`], [`Error::SpanFits`].
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::refuse())]
        pub fn refuse(
            origin: OriginFor<T>,
            contract: ContractId,
            entry: PieceEntry,
            path: ShortProof,
            span: SpanProof,
            shown: BoundedVec<u8, ConstU32<SPAN_BYTES>>,
        ) -> DispatchResultWithPostInfo {
            let by = ensure_signed(origin)?;
            Ok(Self::do_refuse(&by, contract, &entry, &path, (&span, shown.as_slice()))?.into())
        }

        /// Pays holders for a period in which they have proved their pieces, the masternodes that certify it,
        /// and the treasury.
        ///
        /// Origin: signed by a member of the contract's group.
        ///
        /// Details: holders are in ascending order, each once, and certificates in that of the members'
        /// places in the group, of more than half of it. A holder that is not to be paid for the period, for
        /// example because it is paid already, is passed over and keeps no other from its pay. No fee on
        /// success.
        ///
        /// Event: [`Event::PeriodPaid`].
        ///
        /// Errors: [`Error::NoSuchContract`], those from [`Error::GroupNotDrawn`] to
        /// [`Error::CertificateNotSigned`].
        #[pallet::call_index(3)]
        #[pallet::weight(
            T::WeightInfo::prove(proved.holders.len() as u32, certificates.len() as u32)
        )]
        pub fn prove(
            origin: OriginFor<T>,
            proved: Proved,
            certificates: Words,
        ) -> DispatchResultWithPostInfo {
            let by = ensure_signed(origin)?;
            Self::do_prove(&by, &proved, &certificates)?;
            Ok(Pays::No.into())
        }

        /// Asks a holder to show on the chain that it has its piece.
        ///
        /// Origin: signed by the contract's owner or a member of its group, with the bond of the contract's
        /// terms free.
        ///
        /// Details: what is asked for follows from the randomness of the present period's first block, so
        /// nothing is asked for in that block itself. One at a time of each holding, and none that was
        /// answered in the same period. No fee on success for a member of the group.
        ///
        /// Event: [`Event::ChallengeOpened`].
        ///
        /// Errors: [`Error::NoSuchContract`], those from [`Error::NoSuchHolding`] to
        /// [`Error::BondTooSmall`].
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::challenge())]
        pub fn challenge(origin: OriginFor<T>, place: Place) -> DispatchResultWithPostInfo {
            let by = ensure_signed(origin)?;
            Ok(Self::do_challenge(by, &place)?.into())
        }

        /// Shows a part of what a challenge asks for. With the last part the holder's account is paid for the
        /// period, if it was not, and gets the bond of who challenged it. What operators would get of that is
        /// the treasury's: none of them has certified it.
        ///
        /// Origin: signed by any account, for the chunks prove themselves: so a machine that keeps pieces need not
        /// have the key of the account that it earns for.
        ///
        /// Events: [`Event::PartShown`], or [`Event::ChallengeAnswered`] with the last part.
        ///
        /// Errors: [`Error::NoSuchContract`], [`Error::NoSuchHolding`], those from [`Error::NotChallenged`]
        /// to [`Error::Unfit`].
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::answer())]
        pub fn answer(origin: OriginFor<T>, place: Place, answer: Answer) -> DispatchResult {
            ensure_signed(origin)?;
            Self::do_answer(&place, &answer)
        }

        /// Says that a challenge was not answered in time. The chain does so itself where a block has room;
        /// nobody depends on that.
        ///
        /// Origin: signed by any account.
        ///
        /// Details: who opened the challenge gets its bond back, and a part of what the holder's account
        /// loses, if that is the step. No fee on success.
        ///
        /// Event: [`Event::ChallengeMissed`].
        ///
        /// Errors: [`Error::NoSuchContract`], [`Error::NoSuchHolding`], [`Error::NotChallenged`],
        /// [`Error::Unfit`], [`Error::AnswerAwaited`].
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::miss())]
        pub fn miss(origin: OriginFor<T>, place: Place) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            Self::do_miss(&place)?;
            Ok(Pays::No.into())
        }

        /// Gives a piece up. It is held, paid and answered for until the notice of the terms is over.
        ///
        /// Origin: signed by the account that took the piece, by the contract's owner, or by a member of its
        /// group.
        ///
        /// Details: for the group it takes more than half of it, each with a call of its own in the same
        /// period; such a call costs no fee on success.
        ///
        /// Events: [`Event::PieceReleased`], or [`Event::ReleaseWished`] as long as others of the group are
        /// needed.
        ///
        /// Errors: [`Error::NoSuchContract`], [`Error::NoSuchHolding`], [`Error::NotEntitled`],
        /// [`Error::ContractEnding`], [`Error::ReleasedAlready`], [`Error::WishedAlready`],
        /// [`Error::EscrowShort`].
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::release())]
        pub fn release(origin: OriginFor<T>, place: Place) -> DispatchResultWithPostInfo {
            let by = ensure_signed(origin)?;
            Ok(Self::do_release(by, &place)?.into())
        }

        /// Takes a holding of which nothing can be paid any more out of the storage.
        ///
        /// Origin: signed by any account.
        ///
        /// Details: no fee on success.
        ///
        /// Event: [`Event::HoldingForgotten`].
        ///
        /// Errors: [`Error::NoSuchHolding`], [`Error::StillHeld`], [`Error::StillPayable`],
        /// [`Error::ChallengeOpen`], [`Error::EscrowShort`].
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::forget())]
        pub fn forget(origin: OriginFor<T>, place: Place) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            Self::do_forget(&place)?;
            Ok(Pays::No.into())
        }

        /// Puts a contract's end off by so many periods, and adds so much to its deposit; either may be
        /// nothing. Who holds a piece to the end goes on with it, and may give it up with notice.
        ///
        /// Origin: signed by the contract's owner.
        ///
        /// Event: [`Event::ContractRenewed`].
        ///
        /// Errors: [`Error::NoSuchContract`], [`Error::NotOwner`], [`Error::ContractEnding`],
        /// [`Error::NothingAdded`], [`Error::PeriodsOutOfBounds`], [`Error::NotCovered`],
        /// [`Error::TooMuch`], [`Error::BalanceBelowDeposit`].
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::renew())]
        pub fn renew(
            origin: OriginFor<T>,
            contract: ContractId,
            periods: u32,
            deposit: Amount,
        ) -> DispatchResult {
            let by = ensure_signed(origin)?;
            Self::do_renew(&by, contract, periods, deposit)
        }

        /// Has a contract end as soon as the notice of its terms allows.
        ///
        /// Origin: signed by the contract's owner.
        ///
        /// Event: [`Event::ContractEnded`].
        ///
        /// Errors: [`Error::NoSuchContract`], [`Error::NotOwner`], [`Error::ContractEnding`],
        /// [`Error::TooMuch`].
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::end())]
        pub fn end(origin: OriginFor<T>, contract: ContractId) -> DispatchResult {
            let by = ensure_signed(origin)?;
            Self::do_end(&by, contract)
        }

        /// Closes a contract of which nothing can be paid any more: what is held goes back to its owner.
        ///
        /// Origin: signed by any account; the money goes to the owner.
        ///
        /// Details: at its end if nobody holds anything of it or did, else as soon as the last period is too
        /// far back. Holdings that are left stay until somebody has them forgotten. No fee on success.
        ///
        /// Event: [`Event::ContractClosed`].
        ///
        /// Errors: [`Error::NoSuchContract`], [`Error::TooEarly`], [`Error::ChallengesOpen`],
        /// [`Error::TooMuch`].
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::close())]
        pub fn close(origin: OriginFor<T>, contract: ContractId) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            Self::do_close(contract)?;
            Ok(Pays::No.into())
        }

        /// Ends a device's containment: its standing is as if it had missed nothing, and what it missed is
        /// kept no more.
        ///
        /// Origin: signed by the device's account.
        ///
        /// Details: a week of the clock of finality after the last miss.
        ///
        /// Event: [`Event::DeviceReviewed`].
        ///
        /// Errors: [`Error::NotDevicesAccount`], [`Error::NotContained`], [`Error::MissedLately`].
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::review())]
        pub fn review(origin: OriginFor<T>, device: DeviceId) -> DispatchResult {
            let by = ensure_signed(origin)?;
            Self::do_review(&by, device)
        }
    }
}
