//! What a worker takes away from itself before it reads the first question.
//!
//! * Limits of memory, computing time, files and their size, and no dump of its memory: on every Linux.
//! * seccomp: a short list of system calls, which knows memory, threads, time, and the three pipes; nothing that opens,
//!   connects, starts a program or speaks on a file that was inherited. Everything else fails with EPERM.
//! * Landlock, as a second wall: no file can be opened, no program started and no port of TCP be reached.
//!
//! The hub is told which of the two the kernel does. The first alone keeps files and network away.

use serde::{Deserialize, Serialize};

/// Which of the two the kernel does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Confined {
    /// Only system calls of the list.
    pub(super) seccomp: bool,
    /// No files.
    pub(super) landlock: bool,
}

impl Confined {
    /// Whether files and network are out of reach.
    pub(super) const fn is_closed(self) -> bool {
        self.seccomp
    }
}

/// What besides the memory of a rendering has a place in the process: the stack that it is done on, and some more.
const STACKS: u64 = 160 * 1024 * 1024;
/// Address space that the allocator reserves and does not use.
const RESERVED: u64 = 1024 * 1024 * 1024;

/// Sets the limits of this process, for renderings that may take so many bytes of memory, and seconds of its whole life.
///
/// # Errors
/// When the system does not take one of them.
#[cfg(target_os = "linux")]
pub(super) fn limit(memory: u64, life: u64) -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};

    // Whatever way the hub ends, its workers end.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The hub goes on answering when all processors render, and when the machine runs out of memory a worker goes first.
    let _ = nice(5);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let (space, data) = sizes()?;
    let limits = [
        (Resource::Data, data + STACKS + memory),
        (Resource::As, space + STACKS + memory + RESERVED),
        (Resource::Cpu, life),
        (Resource::Fsize, 0),
        // Neither a file nor, with one byte, a program that takes dumps gets one: they would hold what people wrote.
        (Resource::Core, 1),
    ];
    for (resource, most) in limits {
        let least = rustix::process::getrlimit(resource)
            .maximum
            .map_or(most, |maximum| maximum.min(most));
        let limit = Rlimit {
            current: Some(least),
            maximum: Some(least),
        };
        setrlimit(resource, limit)?;
    }
    Ok(())
}

/// How large the address space is now, and what of it holds data.
#[cfg(target_os = "linux")]
fn sizes() -> std::io::Result<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: Vec<u64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let page = rustix::param::page_size() as u64;
    match pages.as_slice() {
        [space, _, _, _, _, data, ..] => Ok((space * page, data * page)),
        _ => Err(std::io::Error::other("/proc/self/statm says nothing")),
    }
}

/// Closes what was inherited: a supervisor or a shell may have left files open in the hub without asking.
#[cfg(target_os = "linux")]
fn close_inherited() {
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let open: Vec<i32> = open
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    for file in open.into_iter().filter(|file| *file > 2) {
        // That of the directory itself is closed already.
        let _ = nix::unistd::close(file);
    }
}

/// No files from here on, and no more system calls than are needed. Holds for this thread and those that it starts.
#[cfg(target_os = "linux")]
pub(super) fn close() -> Confined {
    close_inherited();
    let landlock = landlock().unwrap_or(false);
    let _ = no_more_files();
    Confined {
        seccomp: seccomp::close().is_ok(),
        landlock,
    }
}

#[cfg(target_os = "linux")]
fn no_more_files() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit {
        current: Some(3),
        maximum: Some(3),
    };
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Whether landlock keeps all files away now; without a rule nothing is allowed.
#[cfg(target_os = "linux")]
fn landlock() -> Result<bool, landlock::RulesetError> {
    use landlock::{ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetStatus};
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))?
        .handle_access(AccessNet::from_all(ABI::V5))?
        .create()?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

#[cfg(target_os = "linux")]
mod seccomp {
    use std::collections::BTreeMap;

    use libc::{
        CLONE_THREAD, ENOSYS, EPERM, PR_SET_NAME, PROT_EXEC, SYS_brk, SYS_clock_getres, SYS_clock_gettime,
        SYS_clock_nanosleep, SYS_clone, SYS_clone3, SYS_exit, SYS_exit_group, SYS_futex, SYS_getpid,
        SYS_getppid, SYS_getrandom, SYS_gettid, SYS_madvise, SYS_mmap, SYS_mprotect, SYS_mremap, SYS_munmap,
        SYS_nanosleep, SYS_prctl, SYS_read, SYS_restart_syscall, SYS_rseq, SYS_rt_sigaction,
        SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sched_getaffinity, SYS_sched_yield, SYS_set_robust_list,
        SYS_sigaltstack, SYS_tgkill, SYS_write,
    };
    use seccompiler::{
        BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, TargetArch, apply_filter,
    };

    /// Calls that touch nothing but this process. `tgkill` reaches no other: there is one process of its own group.
    const FREE: [i64; 27] = [
        SYS_brk,
        SYS_clock_getres,
        SYS_clock_gettime,
        SYS_clock_nanosleep,
        SYS_clone3,
        SYS_exit,
        SYS_exit_group,
        SYS_futex,
        SYS_getpid,
        SYS_getppid,
        SYS_getrandom,
        SYS_gettid,
        SYS_madvise,
        SYS_mremap,
        SYS_munmap,
        SYS_nanosleep,
        SYS_restart_syscall,
        SYS_rseq,
        SYS_rt_sigaction,
        SYS_rt_sigprocmask,
        SYS_rt_sigreturn,
        SYS_sched_getaffinity,
        SYS_sched_yield,
        SYS_set_robust_list,
        SYS_sigaltstack,
        libc::SYS_gettimeofday,
        libc::SYS_sysinfo,
    ];

    fn when(
        argument: u8,
        length: SeccompCmpArgLen,
        compare: SeccompCmpOp,
        value: u64,
    ) -> Result<SeccompRule, Error> {
        let condition = SeccompCondition::new(argument, length, compare, value)?;
        Ok(SeccompRule::new(vec![condition])?)
    }

    fn bits(flag: libc::c_int) -> u64 {
        u64::from(flag.unsigned_abs())
    }

    /// From here on this thread, and those that it starts, can make no other system calls.
    pub(super) fn close() -> Result<(), Error> {
        use SeccompCmpArgLen::{Dword, Qword};
        use SeccompCmpOp::{Eq, MaskedEq};
        let arch: TargetArch = std::env::consts::ARCH.try_into()?;
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            FREE.iter().map(|call| (*call, Vec::new())).collect();
        let own = u64::from(std::process::id());
        // Questions come in, replies and the last words go out: no other file counts, inherited or not.
        rules.insert(SYS_read, vec![when(0, Dword, Eq, 0)?]);
        rules.insert(SYS_write, vec![when(0, Dword, Eq, 1)?, when(0, Dword, Eq, 2)?]);
        // Memory is for data.
        let exec = bits(PROT_EXEC);
        for call in [SYS_mmap, SYS_mprotect] {
            rules.insert(call, vec![when(2, Dword, MaskedEq(exec), 0)?]);
        }
        // Threads, and no processes.
        let thread = bits(CLONE_THREAD);
        rules.insert(SYS_clone, vec![when(0, Qword, MaskedEq(thread), thread)?]);
        rules.insert(SYS_prctl, vec![when(0, Dword, Eq, bits(PR_SET_NAME))?]);
        // To end itself, with a reason.
        rules.insert(SYS_tgkill, vec![when(0, Dword, Eq, own)?]);
        let refused = SeccompAction::Errno(bits(EPERM).try_into().unwrap_or(1));
        let listed: BpfProgram =
            SeccompFilter::new(rules, refused, SeccompAction::Allow, arch)?.try_into()?;
        // The flags of clone3 are in memory, where no filter sees them; told that there is none, libc takes clone.
        let absent = SeccompAction::Errno(bits(ENOSYS).try_into().unwrap_or(38));
        let clone3 = BTreeMap::from([(SYS_clone3, Vec::new())]);
        let older: BpfProgram = SeccompFilter::new(clone3, SeccompAction::Allow, absent, arch)?.try_into()?;
        apply_filter(&older)?;
        // Applying needs prctl and seccomp, which this one takes away.
        apply_filter(&listed)
    }
}

/// No limits are known here.
#[cfg(not(target_os = "linux"))]
pub(super) fn limit(_memory: u64, _life: u64) -> std::io::Result<()> {
    Ok(())
}

/// Nothing is known here that could confine a process.
#[cfg(not(target_os = "linux"))]
pub(super) fn close() -> Confined {
    Confined::default()
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::io::Write as _;

    /// What a thread can still do after a step. Both steps hold for threads, so the test itself stays free.
    struct Can {
        taken: bool,
        read: bool,
        make: bool,
        list: bool,
        connect: bool,
        bind: bool,
        start: bool,
        speak: bool,
        thread: bool,
    }

    fn after(step: impl FnOnce() -> bool + Send) -> Can {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let dir = tempfile::TempDir::new().unwrap();
        let (inherited, path) = (tempfile::tempfile().unwrap(), dir.path().join("new"));
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let taken = step();
                Can {
                    taken,
                    read: std::fs::read("/proc/self/status").is_ok(),
                    make: std::fs::write(&path, "x").is_ok(),
                    list: std::fs::read_dir("/").is_ok(),
                    connect: std::net::TcpStream::connect(address).is_ok(),
                    bind: std::net::TcpListener::bind("127.0.0.1:0").is_ok(),
                    start: std::process::Command::new("/bin/true").status().is_ok(),
                    speak: (&inherited).write(b"x").is_ok(),
                    thread: std::thread::spawn(|| vec![1; 1_000_000].len()).join().is_ok(),
                }
            });
            thread.join().unwrap()
        })
    }

    #[test]
    fn seccomp_leaves_memory_and_threads_and_nothing_else() {
        let before = after(|| true);
        assert!(before.read && before.make && before.list && before.connect && before.bind);
        assert!(before.start && before.speak && before.thread);
        let can = after(|| super::seccomp::close().is_ok());
        assert!(can.taken, "the kernels of tests have seccomp");
        assert!(!can.read && !can.make && !can.list, "files");
        assert!(!can.connect && !can.bind, "the network");
        assert!(!can.start, "programs");
        assert!(!can.speak, "a file that was open before");
        assert!(can.thread);
    }

    #[test]
    fn landlock_keeps_files_and_ports_away() {
        let can = after(|| super::landlock().unwrap());
        if !can.taken {
            // A kernel without it: nothing is taken away, and nothing is said to be.
            assert!(can.read);
            return;
        }
        assert!(!can.read && !can.make && !can.list, "files");
        assert!(!can.start, "programs");
        assert!(can.thread);
    }
}
