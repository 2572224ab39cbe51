//! The system calls that a cell refuses.

use crate::{
    kind::Kind,
    message::{Refusal, Step},
};
use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};
use std::collections::BTreeMap;

/// Makes the kernel refuse them to this process and all that it starts.
pub(super) fn refuse(kind: Kind, are_signals_held: bool) -> Result<(), Refusal> {
    let programs = programs(kind, are_signals_held).map_err(|_| Refusal {
        step: Step::Seccomp,
        number: libc::EOPNOTSUPP,
    })?;
    for program in programs {
        apply_filter(&program).map_err(|error| Refusal {
            step: Step::Seccomp,
            number: match error {
                seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => {
                    error.raw_os_error().unwrap_or(libc::EIO)
                }
                _ => libc::EIO,
            },
        })?;
    }
    Ok(())
}

/// What changes the machine, its mounts or its names; what looks into other processes; what has let
/// commands out of such cells before; and memory that nobody counts.
const IN_EVERY_CELL: &[c_long] = &[
    // Mounts and roots.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    // Namespaces.
    libc::SYS_unshare,
    libc::SYS_setns,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // Large parts of the kernel that no computation needs.
    libc::SYS_bpf,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    // The machine.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // Memory that belongs to no process and to no folder.
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_shmget,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Signals, where landlock does not keep them inside.
const SIGNALS: &[c_long] = &[
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
];

/// What changes a file's mode, owner, times or attributes. Landlock does not ask about these, so without
/// a root of its own a command could do it to every file of its user.
const METADATA: &[c_long] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    SYS_FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    SYS_SETXATTRAT,
    SYS_REMOVEXATTRAT,
    SYS_FILE_SETATTR,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
];

// Numbers that are the same on all processors, of calls that the crate does not know on each.
const SYS_FCHMODAT2: c_long = 452;
const SYS_SETXATTRAT: c_long = 463;
const SYS_REMOVEXATTRAT: c_long = 466;
const SYS_OPEN_TREE_ATTR: c_long = 467;
const SYS_FILE_SETATTR: c_long = 469;

/// The kinds of names that `clone` makes.
const NEW_NAMES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Made<T> = Result<T, seccompiler::BackendError>;

/// The filters, one behind the other: the kernel takes what the strictest of them says.
fn programs(kind: Kind, are_signals_held: bool) -> Made<Vec<BpfProgram>> {
    let mut programs = vec![
        program(not_allowed(kind, are_signals_held)?, libc::EPERM)?,
        // Its flags are in memory, where no filter sees them. Who gets this answer takes `clone`.
        program(Rules::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)?,
    ];
    if cfg!(target_arch = "x86_64") {
        programs.push(only_calls_of_64_bits());
    }
    Ok(programs)
}

fn program(rules: Rules, number: libc::c_int) -> Made<BpfProgram> {
    let refused = SeccompAction::Errno(number.unsigned_abs());
    let processor = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, refused, processor)?.try_into()
}

fn not_allowed(kind: Kind, are_signals_held: bool) -> Made<Rules> {
    let mut rules = Rules::new();
    let mut always = |calls: &[c_long]| {
        for call in calls {
            rules.insert(*call, Vec::new());
        }
    };
    always(IN_EVERY_CELL);
    always(&[SYS_OPEN_TREE_ATTR]);
    if !kind.has_names() {
        always(METADATA);
        // Sockets with a name in the file system are open to whoever may write there by its mode.
        always(&[libc::SYS_socket]);
        if !are_signals_held {
            always(SIGNALS);
        }
    }
    let local = u64::from(libc::AF_UNIX.unsigned_abs());
    let other_family = || where_argument(0, SeccompCmpOp::Ne, local);
    rules.insert(libc::SYS_socketpair, vec![other_family()?]);
    rules
        .entry(libc::SYS_socket)
        .or_insert(vec![other_family()?]);
    let mut names = Vec::new();
    for flag in NEW_NAMES {
        let flag = u64::from(flag.unsigned_abs());
        names.push(where_argument(0, SeccompCmpOp::MaskedEq(flag), flag)?);
    }
    rules.insert(libc::SYS_clone, names);
    // Characters that a terminal takes for typed ones.
    let to_terminal = [0x5412, 0x541c].map(|it| where_argument(1, SeccompCmpOp::Eq, it));
    let to_terminal: Made<Vec<_>> = to_terminal.into_iter().collect();
    rules.insert(libc::SYS_ioctl, to_terminal?);
    of_others(kind, &mut rules)?;
    Ok(rules)
}

/// What sets the limits or the priority of a process that is not the caller: else a command could have
/// the process that looks after it starve.
fn of_others(kind: Kind, rules: &mut Rules) -> Made<()> {
    let mut by_first = vec![
        libc::SYS_prlimit64,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setattr,
    ];
    if !kind.has_names() {
        by_first.push(libc::SYS_sched_setaffinity);
    }
    for call in by_first {
        rules.insert(call, vec![where_argument(0, SeccompCmpOp::Ne, 0)?]);
    }
    // Of these the first argument says what the second is.
    let ours = [(libc::SYS_setpriority, 0), (libc::SYS_ioprio_set, 1)];
    for (call, process) in ours {
        let others = vec![
            where_argument(0, SeccompCmpOp::Ne, process)?,
            where_argument(1, SeccompCmpOp::Ne, 0)?,
        ];
        rules.insert(call, others);
    }
    Ok(())
}

fn where_argument(index: u8, is: SeccompCmpOp, value: u64) -> Made<SeccompRule> {
    let condition = SeccompCondition::new(index, SeccompCmpArgLen::Dword, is, value)?;
    SeccompRule::new(vec![condition])
}

/// Refuses the calls of the x32 interface, whose numbers are others on the same processor, so that no
/// rule here would see them. Those of 32 bits end the process in each of the other filters.
fn only_calls_of_64_bits() -> BpfProgram {
    const X32: u32 = 0x4000_0000;
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let jump_if_at_least = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
    let answer = libc::BPF_RET | libc::BPF_K;
    let refused = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    [
        // The number stands first in what a filter is given.
        (load, 0, 0, 0),
        (jump_if_at_least, 0, 1, X32),
        (answer, 0, 0, refused),
        (answer, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
    .map(|(code, jt, jf, k)| seccompiler::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    })
    .to_vec()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_of_every_kind_of_cell_are_programs_that_the_kernel_takes() {
        for kind in Kind::ALL {
            for are_signals_held in [true, false] {
                let programs = programs(kind, are_signals_held).unwrap();
                // BPF_MAXINSNS.
                assert!(
                    programs
                        .iter()
                        .all(|it| !it.is_empty() && it.len() <= 4_096)
                );
            }
        }
    }

    #[test]
    fn where_there_is_no_wall_but_landlock_more_is_refused() {
        let calls = |kind, held| not_allowed(kind, held).unwrap();
        let full = calls(Kind::Full, true);
        let without = calls(Kind::WithoutNamespaces, true);
        assert!(full.keys().all(|call| without.contains_key(call)));
        assert!(!full[&libc::SYS_socket].is_empty());
        assert!(without[&libc::SYS_socket].is_empty());
        assert!(without.contains_key(&libc::SYS_fchmodat));
        assert!(!without.contains_key(&libc::SYS_kill));
        assert!(calls(Kind::WithoutNamespaces, false).contains_key(&libc::SYS_kill));
    }
}
