"""Linux system calls that Python has no function for, by ctypes, and the table of system call numbers.

Every function raises ``OSError`` whose text names the call, so that a failed start says which step was refused.
"""

import ctypes
import os
import platform

_TABLE = """
accept:43:202 accept4:288:242 access:21:- acct:163:89 add_key:248:217 adjtimex:159:171 alarm:37:- bind:49:200 bpf:321:280 brk:12:214 capget:125:90
capset:126:91 chdir:80:49 chmod:90:- chown:92:- chroot:161:51 clock_getres:229:114 clock_gettime:228:113
clock_nanosleep:230:115 clock_settime:227:112 clone:56:220 clone3:435:435 close:3:57 close_range:436:436
connect:42:203 copy_file_range:326:285 creat:85:- dup:32:23 dup2:33:- dup3:292:24 epoll_create:213:-
epoll_create1:291:20 epoll_ctl:233:21 epoll_pwait:281:22 epoll_pwait2:441:441 epoll_wait:232:- eventfd:284:-
eventfd2:290:19 execve:59:221 execveat:322:281 exit:60:93 exit_group:231:94 faccessat:269:48 faccessat2:439:439
fadvise64:221:223 fallocate:285:47 fanotify_init:300:262 fchdir:81:50 fchmod:91:52 fchmodat:268:53 fchown:93:55
fchownat:260:54 fcntl:72:25 fdatasync:75:83 fgetxattr:193:10 finit_module:313:273 flistxattr:196:13 flock:73:32
fork:57:- fsmount:432:432 fsopen:430:430 fstat:5:80 fstatfs:138:44 fsync:74:82 ftruncate:77:46 futex:202:98
futex_waitv:449:449 futimesat:261:- get_robust_list:274:100 getcpu:309:168 getcwd:79:17 getdents:78:-
getdents64:217:61 getegid:108:177 geteuid:107:175 getgid:104:176 getgroups:115:158 getitimer:36:102 getpeername:52:205
getpgid:121:155 getpgrp:111:- getpid:39:172 getppid:110:173 getpriority:140:141 getrandom:318:278 getresgid:120:150
getresuid:118:148 getrlimit:97:163 getrusage:98:165 getsid:124:156 getsockname:51:204 getsockopt:55:209 gettid:186:178
gettimeofday:96:169 getuid:102:174 getxattr:191:8 init_module:175:105 inotify_init1:294:26 io_uring_setup:425:425
ioctl:16:29 iopl:172:- kcmp:312:272 kexec_load:246:104 keyctl:250:219 kill:62:129 landlock_add_rule:445:445
landlock_create_ruleset:444:444 landlock_restrict_self:446:446 lchown:94:- lgetxattr:192:9 link:86:- linkat:265:37
listen:50:201 listxattr:194:11 llistxattr:195:12 lookup_dcookie:212:18 lseek:8:62 lstat:6:- madvise:28:233
mbind:237:235 membarrier:324:283 memfd_create:319:279 memfd_secret:447:- mincore:27:232 mkdir:83:- mkdirat:258:34
mknod:133:- mknodat:259:33 mmap:9:222 mount:165:40 mount_setattr:442:442 move_mount:429:429 move_pages:279:239
mprotect:10:226 mq_open:240:180 mremap:25:216 msgget:68:186 msync:26:227 munmap:11:215 name_to_handle_at:303:264
nanosleep:35:101 newfstatat:262:79 open:2:- open_by_handle_at:304:265 open_tree:428:428 openat:257:56 openat2:437:437
pause:34:- perf_event_open:298:241 personality:135:92 pidfd_getfd:438:438 pidfd_open:434:434 pipe:22:- pipe2:293:59
pivot_root:155:41 poll:7:- ppoll:271:73 prctl:157:167 pread64:17:67 preadv:295:69 preadv2:327:286 prlimit64:302:261
process_madvise:440:440 process_vm_readv:310:270 process_vm_writev:311:271 pselect6:270:72 ptrace:101:117
pwrite64:18:68 pwritev:296:70 pwritev2:328:287 quotactl:179:60 read:0:63 readlink:89:- readlinkat:267:78 readv:19:65
reboot:169:142 recvfrom:45:207 recvmsg:47:212 rename:82:- renameat:264:38 renameat2:316:276 restart_syscall:219:128
rmdir:84:- rseq:334:293 rt_sigaction:13:134 rt_sigpending:127:136 rt_sigprocmask:14:135 rt_sigqueueinfo:129:138
rt_sigreturn:15:139 rt_sigsuspend:130:133 rt_sigtimedwait:128:137 sched_get_priority_max:146:125
sched_get_priority_min:147:126 sched_getaffinity:204:123 sched_getparam:143:121 sched_getscheduler:145:120
sched_yield:24:124 seccomp:317:277 select:23:- semget:64:190 sendfile:40:71 sendmsg:46:211 sendto:44:206
set_mempolicy:238:237 set_robust_list:273:99 set_tid_address:218:96 setgid:106:144 setgroups:116:159
sethostname:170:161 setitimer:38:103 setns:308:268 setpgid:109:154 setpriority:141:140 setresuid:117:147
setsid:112:157 setsockopt:54:208 settimeofday:164:170 setuid:105:146 setxattr:188:5 shmget:29:194 shutdown:48:210
sigaltstack:131:132 signalfd:282:- signalfd4:289:74 socket:41:198 socketpair:53:199 splice:275:76 stat:4:-
statfs:137:43 statx:332:291 swapon:167:224 symlink:88:- symlinkat:266:36 sync:162:81 sync_file_range:277:84
sysinfo:99:179 syslog:103:116 tee:276:77 tgkill:234:131 time:201:- timer_create:222:107 timer_delete:226:111
timer_getoverrun:225:109 timer_gettime:224:108 timer_settime:223:110 timerfd_create:283:85 timerfd_gettime:287:87
timerfd_settime:286:86 times:100:153 tkill:200:130 truncate:76:45 umask:95:166 umount2:166:39 uname:63:160 unlink:87:-
unlinkat:263:35 unshare:272:97 userfaultfd:323:282 utime:132:- utimensat:280:88 utimes:235:- vfork:58:-
vmsplice:278:75 wait4:61:260 waitid:247:95 write:1:64 writev:20:66"""

MACHINE = platform.machine()
_COLUMN = {"x86_64": 1, "aarch64": 2}.get(MACHINE)
#: Numbers of the system calls that exist on this machine's architecture, by name.
NUMBERS = {}
if _COLUMN is not None:
    for _entry in _TABLE.split():
        _fields = _entry.split(":")
        if _fields[_COLUMN] != "-":
            NUMBERS[_fields[0]] = int(_fields[_COLUMN])

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_READ, PR_CAPBSET_DROP = 1, 4, 23, 24
PR_SET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 21, 47, 4

CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_NET_ADMIN, CAP_SYS_ADMIN = 0, 1, 5, 6, 7, 8, 12, 21

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def supported():
    """True on the architectures whose numbers we know."""
    return _COLUMN is not None


def _check(result, what):
    if result == -1:
        errno = ctypes.get_errno()
        raise OSError(errno, "%s: %s" % (what, os.strerror(errno)))
    return result


def _bytes(value):
    return None if value is None else os.fsencode(value)


def syscall(name, *args):
    """Makes the call; integers, bytes, None, and ctypes pointers are passed as they are."""
    number = NUMBERS.get(name)
    if number is None:
        raise OSError(38, "%s: not known on %s" % (name, MACHINE))
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    return _check(_libc.syscall(ctypes.c_long(number), *converted), name)


def mount(source, target, kind, flags=0, data=None):
    result = _libc.mount(_bytes(source), _bytes(target), _bytes(kind), ctypes.c_ulong(flags), _bytes(data))
    _check(result, "mount %s on %s" % (kind or source, target))


def umount(target, flags=MNT_DETACH):
    _check(_libc.umount2(_bytes(target), flags), "umount %s" % target)


def bind(source, target, options):
    """Binds ``source`` on ``target`` with everything mounted below it, then sets ``options`` (words as of mount(8))."""
    mount(source, target, None, MS_BIND | MS_REC)
    mount_options(target, options)


class _MountAttr(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def mount_options(target, options, recursive=True):
    """Adds ``options`` to a mount. Never takes one away: a user namespace may not weaken what it was given."""
    wanted = options.split(",")
    attr = _MountAttr(attr_set=sum(_MOUNT_ATTR[word] for word in wanted))
    try:
        syscall("mount_setattr", _AT_FDCWD, _bytes(target), _AT_RECURSIVE if recursive else 0,
                ctypes.byref(attr), ctypes.sizeof(attr))
        return
    except OSError as error:
        if error.errno != 38:
            raise
    # Kernels before 5.12: remount, keeping the flags which the mount already has (ST_* and MS_* agree in these bits).
    kept = os.statvfs(target).f_flag & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    flags = {"ro": MS_RDONLY, "nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC}
    for word in wanted:
        kept |= flags[word]
    mount(None, target, None, MS_REMOUNT | MS_BIND | kept)


def pivot_root(new_root, put_old):
    syscall("pivot_root", _bytes(new_root), _bytes(put_old))


def unshare(flags, what="unshare"):
    _check(_libc.unshare(flags), what)


def setns(fd, kind):
    _check(_libc.setns(fd, kind), "setns")


def prctl(option, a=0, b=0, c=0, d=0):
    args = [ctypes.c_ulong(v) for v in (a, b, c, d)]
    return _check(_libc.prctl(option, *args), "prctl %d" % option)


def sethostname(name):
    raw = os.fsencode(name)
    _check(_libc.sethostname(raw, ctypes.c_size_t(len(raw))), "sethostname")


def loopback_up():
    """Brings up ``lo`` of this network namespace, which is down in a new one."""
    import fcntl
    import socket
    import struct
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name = b"lo".ljust(16, b"\0")
        (flags,) = struct.unpack_from("=H", fcntl.ioctl(any_socket, 0x8913, name + bytes(24)), 16)  # SIOCGIFFLAGS
        fcntl.ioctl(any_socket, 0x8914, name + struct.pack("=H22x", flags | 1))  # SIOCSIFFLAGS, IFF_UP


class _CapHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapData(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def drop_bounding(keep=()):
    """Removes every capability but ``keep`` from the bounding set, as far as the kernel knows them."""
    for capability in range(64):
        if capability in keep:
            continue
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno == 22:
                return
            raise


def set_capabilities(keep=()):
    """Makes ``keep`` the permitted and effective set, and the inheritable and ambient sets empty."""
    low = sum(1 << c for c in keep if c < 32)
    high = sum(1 << (c - 32) for c in keep if c >= 32)
    data = (_CapData * 2)()
    data[0].effective = data[0].permitted = low
    data[1].effective = data[1].permitted = high
    header = _CapHeader(0x20080522, 0)
    try:
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    except OSError:
        pass
    syscall("capset", ctypes.byref(header), data)


def effective_capabilities():
    """This process's effective capabilities as one integer."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    return 0


def limit_malloc_arenas(count):
    """glibc gives each thread an arena of 64 MiB address space, which a limit on address space would count."""
    try:
        _libc.mallopt(-8, count)
    except AttributeError:
        pass


def scrub_command_line():
    """Overwrites the arguments in this process's memory: they name host paths, and every child inherits a copy."""
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    if 0 < start < end:
        ctypes.memset(start, 0, end - start)
