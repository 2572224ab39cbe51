//! Commands that want out: to files, to power, to the network, to other processes.

use crate::machine::{Hostile, Ran, command, folder, is_superuser, kinds, limits, mark, run};
use quern_cell::{Command, Ending, Kind};
use std::{
    fs,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::PermissionsExt,
            net::{SocketAddr, UnixListener},
        },
    },
    process,
};

/// That each of the attempts of the hostile program was made, and none came to anything.
fn assert_in_vain(ran: &Ran, kind: Kind, attempts: usize) {
    assert_eq!(
        ran.ending(),
        Ending::Success,
        "{kind}: {} {}",
        ran.output,
        ran.said()
    );
    let done: Vec<&str> = ran
        .output
        .lines()
        .filter(|it| it.ends_with(" done"))
        .collect();
    assert!(done.is_empty(), "{kind}: {done:?}");
    assert_eq!(
        ran.output.lines().count(),
        attempts,
        "{kind}: {}",
        ran.output
    );
}

#[test]
fn a_command_reads_no_file_that_it_was_not_given_and_writes_none() {
    let folder = folder();
    let secret = folder.path().join("secret");
    let given = folder.path().join("given");
    for file in [&secret, &given] {
        fs::write(file, "secret\n").unwrap();
        // What the mode of a file allows is not what keeps a command from it.
        fs::set_permissions(file, fs::Permissions::from_mode(0o666)).unwrap();
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let shell = r#"
        cat "$1/secret" && echo READ
        cat /etc/passwd && echo READ
        cat /proc/1/root"$1/secret" && echo READ
        cat /proc/1/environ && echo READ
        ls "$1" && echo LISTED
        ln -s "$1/secret" link; cat link && echo READ
        ln "$1/secret" hard && echo LINKED
        echo x > "$1/secret" && echo WROTE
        echo x > "$1/new" && echo WROTE
        echo x > given && echo WROTE
        echo x >> "$1/given" && echo WROTE
        mv "$1/secret" "$1/gone" && echo MOVED
        rm -f "$1/secret" && echo REMOVED
        chmod 600 "$1/secret" && echo CHANGED
        touch -d 2000-01-01 "$1/secret" && echo CHANGED
        truncate -s 0 "$1/secret" && echo CUT
        mkdir "$1/folder" && echo MADE
        echo x > /usr/x && echo WROTE
        echo x > /x && echo WROTE
        echo x > /dev/x && echo WROTE
        echo x > /dev/tty && echo WROTE
        echo 0 > /proc/sys/kernel/randomize_va_space && echo WROTE
        cat given"#;
    for cells in kinds() {
        let command = Command::new(shell, limits())
            .and_then(|it| it.with_arguments([folder.path().to_str().unwrap()]))
            .and_then(|it| it.with_inputs([(&given, "given")]))
            .unwrap();
        let before = fs::metadata(&secret).unwrap().modified().unwrap();
        let ran = run(cells, &command);
        // `rm -f` calls it well done that there is no such file.
        let output = match cells.kind() {
            Kind::WithoutNamespaces => ran.output.clone(),
            _ => ran.output.replacen("REMOVED\n", "", 1),
        };
        assert_eq!(output, "secret\n", "{}: {}", cells.kind(), ran.said());
        for file in [&secret, &given] {
            assert_eq!(fs::read_to_string(file).unwrap(), "secret\n");
            assert_eq!(
                fs::metadata(file).unwrap().permissions().mode() & 0o777,
                0o666
            );
        }
        assert_eq!(fs::metadata(&secret).unwrap().modified().unwrap(), before);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

#[test]
fn a_command_has_no_power_whoever_runs_the_cell() {
    let program = Hostile::compiled();
    // In a cell that has a `/proc`, it shows what is left.
    let shell = "id -u; ./hostile power; \
        grep -E '^(CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status; true";
    for cells in kinds() {
        let mut ran = run(cells, &program.command(shell, limits()));
        let (id, rest) = ran.output.split_once('\n').unwrap();
        // Who is 0 where 0 is nobody may have its number, and no more.
        assert!(id != "0" || !is_superuser());
        if cells.kind() == Kind::WithoutNamespaces && is_superuser() {
            let ours = run(cells, &command("id -G", limits())).output;
            assert!(!ours.split_whitespace().any(|it| it == "0"), "{ours}");
        }
        let (attempts, status) = match rest.find("CapInh") {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if cells.kind() != Kind::WithoutNamespaces {
            let none = "0000000000000000";
            let wanted = format!(
                "CapInh:\t{none}\nCapPrm:\t{none}\nCapEff:\t{none}\nCapAmb:\t{none}\n\
                 NoNewPrivs:\t1\nSeccomp:\t2\n"
            );
            assert_eq!(status, wanted);
        }
        ran.output = attempts.to_owned();
        assert_in_vain(&ran, cells.kind(), 34);
    }
}

#[test]
fn the_parts_of_the_kernel_that_no_computation_needs_are_shut() {
    let program = Hostile::compiled();
    for cells in kinds() {
        let ran = run(cells, &program.command("./hostile kernel", limits()));
        let attempts = if cfg!(target_arch = "x86_64") { 11 } else { 10 };
        assert_in_vain(&ran, cells.kind(), attempts);
        // The C library takes this for an older kernel, and calls `clone`, which is looked at.
        assert!(
            ran.output.contains("clone3 no such call\n"),
            "{}",
            ran.output
        );
        for name in [
            "keyctl",
            "bpf",
            "io_uring",
            "userfaultfd",
            "perf",
            "memfd",
            "shm",
            "queue",
        ] {
            let wanted = format!("{name} Operation not permitted\n");
            assert!(
                ran.output.contains(&wanted),
                "{}: {}",
                cells.kind(),
                ran.output
            );
        }
    }
}

#[test]
fn a_call_of_32_bits_ends_its_process() {
    let program = Hostile::compiled();
    for cells in kinds() {
        let ran = run(
            cells,
            &program.command("./hostile call32; echo $?", limits()),
        );
        // 128 and the number of SIGSYS.
        assert_eq!(ran.output, "159\n", "{}: {}", cells.kind(), ran.said());
    }
}

#[test]
fn a_command_reaches_no_network_and_no_socket_of_others() {
    let program = Hostile::compiled();
    let folder = folder();
    let path = folder.path().join("socket");
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = tcp.local_addr().unwrap().port();
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let local = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let name = format!("quern-cell-{}", mark());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let unnamed = UnixListener::bind_addr(&address).unwrap();
    tcp.set_nonblocking(true).unwrap();
    udp.set_nonblocking(true).unwrap();
    local.set_nonblocking(true).unwrap();
    unnamed.set_nonblocking(true).unwrap();

    let shell = format!("./hostile network {port} {} {name}", path.display());
    for cells in kinds() {
        let ran = run(cells, &program.command(&shell, limits()));
        assert_in_vain(&ran, cells.kind(), 7);
        assert!(tcp.accept().is_err());
        assert!(udp.recv(&mut [0; 8]).is_err());
        assert!(local.accept().is_err());
        assert!(unnamed.accept().is_err());
    }
}

#[test]
fn a_command_can_neither_signal_nor_trace_nor_starve_its_neighbours() {
    let program = Hostile::compiled();
    // A process of whoever runs the cell, and the test itself, which is its caller's.
    let mut neighbour = process::Command::new("sleep").arg(mark()).spawn().unwrap();
    for cells in kinds() {
        for pid in [neighbour.id(), process::id()] {
            let ran = run(
                cells,
                &program.command(&format!("./hostile neighbour {pid}"), limits()),
            );
            assert_in_vain(&ran, cells.kind(), 11);
        }
        assert_eq!(neighbour.try_wait().unwrap(), None);
    }
    neighbour.kill().unwrap();
    neighbour.wait().unwrap();
}

#[test]
fn a_command_can_do_nothing_to_what_looks_after_it() {
    let program = Hostile::compiled();
    // The first process of a cell with names of its own is number 1. In the other it is the parent.
    let shell = "./hostile neighbour $(if test -e /proc/1; then echo 1; else echo $PPID; fi)";
    for cells in kinds() {
        let ran = run(cells, &program.command(shell, limits()));
        assert_eq!(ran.ending(), Ending::Success, "{}", cells.kind());
        let mut done: Vec<&str> = ran
            .output
            .lines()
            .filter(|it| it.ends_with(" done"))
            .collect();
        if cells.kind() != Kind::WithoutNamespaces {
            // The kernel takes signals to the first of their names and does nothing with them.
            done.retain(|it| {
                !["probe done", "kill done", "queue done", "signal done"].contains(it)
            });
        }
        assert!(done.is_empty(), "{}: {done:?}", cells.kind());
    }
}
