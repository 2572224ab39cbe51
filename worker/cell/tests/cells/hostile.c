/* What a hostile command tries. Each attempt is a line, its name and `done` or why not.
   `done` is what no cell must let happen. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char *name, long result) {
    if (result >= 0) printf("%s done\n", name);
    else printf("%s %s\n", name, errno == ENOSYS ? "no such call" : strerror(errno));
}

static long to_inet(int type, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int s = socket(AF_INET, type, 0);
    if (s < 0) return -1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(s, (struct sockaddr *)&to, sizeof to) < 0) return -1;
    return send(s, "x", 1, MSG_NOSIGNAL);
}

static long to_inet6(int port) {
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int s = socket(AF_INET6, SOCK_STREAM, 0);
    if (s < 0) return -1;
    to.sin6_addr = in6addr_loopback;
    return connect(s, (struct sockaddr *)&to, sizeof to);
}

static long to_unix(const char *name, int is_abstract) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    if (s < 0) return -1;
    strncpy(to.sun_path + is_abstract, name, sizeof to.sun_path - 2);
    return connect(s, (struct sockaddr *)&to,
                   offsetof(struct sockaddr_un, sun_path) + is_abstract + strlen(name));
}

static void network(int port, const char *path, const char *abstract) {
    say("tcp", to_inet(SOCK_STREAM, port));
    say("udp", to_inet(SOCK_DGRAM, port));
    say("tcp6", to_inet6(port));
    say("unix", to_unix(path, 0));
    say("abstract", to_unix(abstract, 1));
    say("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
    say("packet", socket(AF_PACKET, SOCK_RAW, 0));
}

static void neighbour(int pid) {
    char bytes[8] = {0};
    struct iovec here = {bytes, 8}, there = {(void *)0x400000, 8};
    struct rlimit none = {0, 0};
    say("probe", kill(pid, 0));
    say("kill", kill(pid, SIGKILL));
    say("queue", sigqueue(pid, SIGKILL, (union sigval){0}));
    say("attach", ptrace(PTRACE_ATTACH, pid, 0, 0));
    say("seize", ptrace(PTRACE_SEIZE, pid, 0, 0));
    say("read", process_vm_readv(pid, &here, 1, &there, 1, 0));
    say("write", process_vm_writev(pid, &here, 1, &there, 1, 0));
    say("limit", prlimit(pid, RLIMIT_NOFILE, &none, 0));
    say("nice", setpriority(PRIO_PROCESS, pid, 19));
    long f = syscall(SYS_pidfd_open, pid, 0);
    say("signal", f < 0 ? f : syscall(SYS_pidfd_send_signal, f, SIGKILL, 0, 0));
    say("fd", f < 0 ? f : syscall(SYS_pidfd_getfd, f, 0, 0));
}

static void power(void) {
    const int flags[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET,
                         CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};
    say("mount", mount("x", "/tmp", "tmpfs", 0, ""));
    say("bind", mount("/usr", "/tmp", 0, MS_BIND, ""));
    say("remount", mount(0, "/", 0, MS_REMOUNT | MS_BIND, ""));
    say("writable", mount(0, "/usr", 0, MS_REMOUNT | MS_BIND, ""));
    say("unmount", umount2("/proc", MNT_DETACH));
    say("chroot", chroot("."));
    say("pivot", syscall(SYS_pivot_root, ".", "."));
    say("tree", syscall(428, -100, "/", 1));
    say("fsopen", syscall(430, "tmpfs", 0));
    for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++) {
        say("unshare", unshare(flags[i]));
        say("clone", syscall(SYS_clone, flags[i] | SIGCHLD, 0, 0, 0, 0));
    }
    say("setns", syscall(SYS_setns, 0, 0));
    /* Who is 0 where 0 is nobody has nothing to become. */
    errno = EPERM;
    say("user", getuid() ? setuid(0) : -1);
    errno = EPERM;
    say("group", getgid() ? setgid(0) : -1);
    say("device", mknod("device", 0020666, 0x0101));
    say("name", sethostname("x", 1));
    say("time", syscall(SYS_clock_settime, 0, &(long[2]){0, 0}));
    say("reboot", syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0));
    say("module", syscall(SYS_init_module, 0, 0, ""));
    say("kexec", syscall(SYS_kexec_load, 0, 0, 0, 0));
    say("log", syscall(SYS_syslog, 3, 0, 0));
    say("terminal", ioctl(0, 0x5412, "x"));
}

static void kernel(void) {
    say("keyctl", syscall(SYS_keyctl, 0, -3, 0));
    say("bpf", syscall(SYS_bpf, 0, 0, 0));
    say("io_uring", syscall(425, 8, (char[120]){0}));
    say("userfaultfd", syscall(SYS_userfaultfd, 1));
    say("perf", syscall(SYS_perf_event_open, (char[128]){0}, 0, -1, -1, 0));
    say("memfd", syscall(SYS_memfd_create, "x", 0));
    say("shm", syscall(SYS_shmget, 0, 4096, 0600 | 01000));
    say("queue", syscall(SYS_mq_open, "x", 0102, 0600, 0));
    say("handle", syscall(SYS_name_to_handle_at, -100, "/", 0, 0, 0));
    say("clone3", syscall(435, (char[88]){0}, 88));
#ifdef __x86_64__
    say("x32", syscall(0x40000000 | 39));
#endif
}

/* Takes memory and holds it: so many processes with so many MiB each. */
static void memory(int processes, int mebibytes) {
    size_t bytes = (size_t)mebibytes << 20;
    for (int i = 1; i < processes; i++)
        if (fork() == 0) break;
    char *held = malloc(bytes);
    if (!held) {
        puts("refused");
        exit(3);
    }
    for (size_t i = 0; i < bytes; i += 4096) ((volatile char *)held)[i] = 1;
    puts("held");
    fflush(stdout);
    pause();
}

int main(int count, char **words) {
    setvbuf(stdout, 0, _IOLBF, 0);
    const char *what = count > 1 ? words[1] : "";
    if (!strcmp(what, "network") && count == 5) network(atoi(words[2]), words[3], words[4]);
    else if (!strcmp(what, "neighbour") && count == 3) neighbour(atoi(words[2]));
    else if (!strcmp(what, "power")) power();
    else if (!strcmp(what, "kernel")) kernel();
    else if (!strcmp(what, "memory") && count == 4) memory(atoi(words[2]), atoi(words[3]));
    else if (!strcmp(what, "forks")) {
        /* Should a cell not hold it, it ends by itself. */
        for (time_t end = time(0) + 20; time(0) < end;) fork();
    }
    else if (!strcmp(what, "call32")) {
#ifdef __x86_64__
        long result = 20; /* getpid, as a call of 32 bits */
        __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
        say("call32", result);
#else
        raise(SIGSYS);
#endif
    } else return 2;
    return 0;
}
