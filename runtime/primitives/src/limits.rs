//! Every bound that chain and clients must agree on, with its arithmetic.

/// Tasks in one job. A job's settled-task bitmap is then at most 8 KiB of chain state.
pub const TASKS_PER_JOB_MAX: u32 = 65_536;

/// Bytes of the bitmap that says which tasks of a job are settled: one bit a task.
pub const TASK_BITMAP_BYTES_MAX: u32 = TASKS_PER_JOB_MAX / 8;

/// Verdicts in one batch; a proof into it is then at most 12 hashes.
pub const VERDICTS_PER_BATCH_MAX: u32 = 4_096;

/// Distinct worker accounts paid by one batch.
pub const PAYEES_PER_BATCH_MAX: u32 = 256;

/// Distinct devices whose record one batch changes.
pub const DEVICES_PER_BATCH_MAX: u32 = 512;

/// Replicas of one task, first ones and later additions together.
pub const REPLICAS_PER_TASK_MAX: u8 = 15;

/// Replicas of a task whose first answers differ and for which no referee can be had. Five, so that
/// after three different answers two more can still make one of them more than half.
pub const ESCALATION_REPLICAS_MAX: u8 = 5;

/// Masternodes that compute a task on which devices differ, where a job asks for the most.
pub const REFEREES_MAX: u32 = 3;

/// Of so many of them two have to say the same: more than half, so that no two answers have as many.
pub const REFEREES_AGREEING_MIN: u32 = REFEREES_MAX / 2 + 1;

/// Answers of a device that must have been accepted in a row before it may be believed alone: with
/// fewer, one answer in ten or more would be looked at anyway.
pub const TRUSTED_ROW_MIN: u32 = 10;

/// Acknowledgements under one signature; the place of each among them is then at most 6 hashes.
pub const ACKNOWLEDGED_TOGETHER_MAX: u32 = 64;

/// Jobs of one owner that are open at the same time.
pub const OPEN_JOBS_PER_OWNER_MAX: u32 = 256;

/// Submissions that wait for their coordinator to be drawn; more are refused until the next block.
pub const JOBS_AWAITING_COORDINATOR_MAX: u32 = 256;

/// Submissions of one owner among them: 16, a sixteenth of the room, so that no account alone can
/// keep the others out.
pub const JOBS_AWAITING_PER_OWNER_MAX: u32 = JOBS_AWAITING_COORDINATOR_MAX / 16;

/// Jobs in one answer of the chain, to who asks for many. A job takes at most 488 bytes and its name
/// 32, so an answer is at most 134 kB, and twice that as a node writes it out.
pub const JOBS_PER_PAGE_MAX: u32 = 256;

/// Devices in one answer of the chain, to who asks for many. A device takes at most 162 bytes with
/// its name, so an answer is at most 166 kB, and twice that as a node writes it out.
pub const DEVICES_PER_ANSWER_MAX: u32 = 1_024;

/// Masternodes of one chain.
pub const MASTERNODES_MAX: u32 = 128;

/// Masternodes of one job's group, of which one at a time coordinates.
pub const GROUP_MEMBERS_MAX: u32 = 7;

/// Devices of one account.
pub const DEVICES_PER_ACCOUNT_MAX: u32 = 1_024;

/// Bytes of a masternode's address, such as a multiaddr or a URL.
pub const ADDRESS_BYTES_MAX: u32 = 256;

/// Addresses a masternode may publish.
pub const ADDRESSES_PER_MASTERNODE_MAX: u32 = 8;

/// Bytes of the reference of a purchase or payout, such as a bank's transaction id.
pub const PAYMENT_REFERENCE_BYTES_MAX: u32 = 64;

/// Bytes of a program (a WebAssembly module).
pub const PROGRAM_BYTES_MAX: u32 = 32 * 1024 * 1024;

/// Plaintext bytes of one shard.
pub const SHARD_BYTES_MAX: u32 = 32 * 1024 * 1024;

/// Plaintext bytes of one task's result.
pub const RESULT_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// Memory one task may ask for.
pub const TASK_MEMORY_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Fuel one task may ask for; a quarter of an hour on a fast core, several on a slow one.
pub const TASK_FUEL_MAX: u64 = 10_000_000_000_000;

/// Blocks of a day, 2 seconds each.
pub const DAY_BLOCKS: u32 = 24 * 3_600 / 2;

/// Blocks from a device's last review to the next one by its own account: 7 days. A device that
/// always lies is quarantined at its eleventh fault, so it tells about as many lies a week.
pub const REVIEW_PERIOD_BLOCKS: u32 = 7 * DAY_BLOCKS;

/// The most that the processor can have of a device's score, in points, and so the most of it that
/// a job can ask for.
pub const PROCESSOR_POINTS_MAX: u16 = 500;

/// Blocks from submission to the nearest deadline: half a minute of 2-second blocks. A job that
/// nobody takes counts among its owner's [`OPEN_JOBS_PER_OWNER_MAX`] for that long and one block
/// more, so that one account's jobs can expire at no more than 16 a block.
pub const JOB_LIFETIME_BLOCKS_MIN: u32 = 30 / 2;

/// Blocks from submission to the furthest deadline: 90 days of 2-second blocks.
pub const JOB_LIFETIME_BLOCKS_MAX: u32 = 90 * 24 * 3_600 / 2;

/// Arguments of a task's program, the job's own and those of the task together.
pub const ARGUMENTS_MAX: u32 = 256;

/// Bytes of all arguments of a task's program together.
pub const ARGUMENT_BYTES_MAX: u32 = 64 * 1024;

/// Entries of one block of a job's log. A proof of one of them is then at most 10 hashes.
pub const LOG_ENTRIES_PER_BLOCK_MAX: u32 = 1_024;

/// Bytes of the entries of one block of a job's log. The largest entry is a batch with full lists, 46 kB
/// at the most, so every entry fits into a block of its own.
pub const LOG_BLOCK_BYTES_MAX: u32 = 1024 * 1024;

/// Batches of one job that are settled and not final yet. A window of 300 blocks has room for nearly
/// a batch a block, and who strikes one takes back all later ones in the same call.
pub const PENDING_BATCHES_PER_JOB_MAX: u32 = 256;

/// Pending batches that one answer of the chain looks at, to who asks what an account will get. A
/// batch with full lists takes 46 kB, a usual one a tenth of that.
pub const PENDING_BATCHES_PER_ANSWER_MAX: u32 = 1_024;

/// Bytes of one span, which is what is fetched and checked at a time: 64 chunks of 4 KiB.
pub const SPAN_BYTES: u32 = 64 * 4 * 1024;

/// Spans of one thing that is fetched by its name: 128 MiB, twice the largest result.
pub const SPANS_MAX: u32 = 512;

/// Hashes in the proof of a span: so often are 512 spans halved.
pub const SPAN_PROOF_HASHES_MAX: u32 = SPANS_MAX.ilog2();

/// Spans of one thing that are asked for at a time: 2 MiB.
pub const SPANS_PER_QUESTION_MAX: u32 = 8;

/// Questions of one peer for spans that are under way. As many are asked as are answered.
pub const QUESTIONS_PER_PEER_MAX: u32 = 4;

/// For so long, in milliseconds, a peer may at most say that it is busy.
pub const BUSY_MS_MAX: u32 = 60_000;

/// Pieces of one contract. The path of a piece is then at most 16 hashes.
pub const PIECES_PER_CONTRACT_MAX: u32 = 65_536;

/// Bytes of one piece that is held: 16,384 chunks, so a chunk's path has at most 14 hashes. Nearly twice what a
/// sealed shard has.
pub const PIECE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Devices that hold one piece at a time, beside those that are on their way out.
pub const COPIES_PER_PIECE_MAX: u8 = 16;

/// Periods from any block to the end of a contract: a leap year of hours.
pub const CONTRACT_PERIODS_MAX: u32 = 366 * 24;

/// Periods that a contract may have a holder stay after it or the owner wants no more: a month of hours.
pub const NOTICE_PERIODS_MAX: u16 = 30 * 24;

/// Blocks of one period, at most: a week.
pub const PERIOD_BLOCKS_MAX: u32 = 7 * DAY_BLOCKS;

/// A period is paid as long as fewer than so many have begun since it did: what is paid of them is then 64
/// bits of a holding.
pub const PAYABLE_PERIODS: u32 = 64;

/// Holders that one certificate says have proved their pieces in a period: 9 kB.
pub const HOLDERS_PER_CERTIFICATE_MAX: u32 = 256;

/// Levels of the tree over the private audits of one piece: 65,536 audits, one an hour for seven years.
pub const AUDIT_DEPTH_MAX: u8 = 16;

/// Sections that one private audit asks of.
pub const AUDIT_SECTIONS_MAX: u16 = 1_024;

/// Bytes of one section of a private audit.
pub const SECTION_BYTES_MAX: u8 = 64;

/// Hashes of the path of a piece in its contract, of a chunk in its piece, or of an audit among those of its
/// piece: so often are 65,536 leaves halved.
pub const CUSTODY_PROOF_HASHES_MAX: u32 = PIECES_PER_CONTRACT_MAX.ilog2();

/// Chunks that a public challenge asks for, of a piece that has more. The loss of half a piece is missed
/// twice in 10^10 times, that of a tenth 34 times in a thousand.
pub const CHALLENGED_CHUNKS_MAX: u32 = 32;

/// Chunks of one part of an answer, which is one call: so the chain hashes 40 KiB at a time.
pub const CHUNKS_PER_PART_MAX: u32 = 8;

/// Numbers that are drawn for the chunks of a challenge, repeats included. Of a piece with 33 chunks about
/// 100 are needed; that 1,024 are not enough happens once in 10^25 times.
pub const CHALLENGE_DRAWS_MAX: u32 = 1_024;
