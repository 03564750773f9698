// SPDX-License-Identifier: Apache-2.0
// Runs a program with a wall clock of its own: clock_shim CLOCK_FILE PROGRAM ARGUMENTS...
//
// CLOCK_REALTIME has no namespace, and a static binary cannot be preloaded. So the kernel asks us (seccomp
// user notification) whenever the program asks for the time or whether it is synchronised, and we answer from
// CLOCK_FILE, which a test may change at any time: three 64-bit integers, "UTC at boot time 0 in
// nanoseconds", "synchronised, 0 or 1", "error in microseconds". The machine's own clock is not touched. The
// vDSO, which answers without the kernel, is hidden from the program: its entry in the auxiliary vector is
// struck out before the first instruction. A wait until an instant of CLOCK_REALTIME is translated when it
// begins.
//
// Exit code: the program's; 125 if this cannot be done here, with the reason on standard error.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>

namespace {

#if !defined(__x86_64__)
#error "the stack pointer is read for x86_64 only"
#endif

constexpr std::int64_t kSecond = 1'000'000'000;

struct ClockFile {
  volatile std::int64_t offset_ns;
  volatile std::int64_t synchronised;
  volatile std::int64_t error_us;
};

pid_t program = 0;

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "clock_shim: %s: %s\n", what, std::strerror(errno));
  if (program > 0) ::kill(program, SIGKILL);
  std::_Exit(125);
}

void pass_on(int signal_number) { ::kill(program, signal_number); }

std::int64_t nanoseconds_of(clockid_t id) {
  timespec time{};
  ::clock_gettime(id, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

/// Calls that ask for wall time become notifications; everything else passes.
int install_filter() {
  constexpr std::uint32_t kNumber = offsetof(seccomp_data, nr);
  constexpr std::uint32_t kFirst = offsetof(seccomp_data, args[0]);
  constexpr std::uint32_t kSecondArgument = offsetof(seccomp_data, args[1]);
  const sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_adjtimex, 12, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_adjtime, 11, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_gettimeofday, 10, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_time, 9, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kSecondArgument),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, FUTEX_CLOCK_REALTIME, 6, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kFirst),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOCK_REALTIME, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOCK_REALTIME_COARSE, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
  };
  const sock_fprog filter{static_cast<unsigned short>(sizeof rules / sizeof rules[0]),
                          const_cast<sock_filter*>(rules)};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up("no_new_privs");
  const long listener =
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
  if (listener < 0) give_up("seccomp with user notification");
  return static_cast<int>(listener);
}

/// A message of one byte that carries one descriptor.
struct Carrier {
  Carrier() {
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
  }
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;

  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  char byte = 0;
  iovec part{&byte, 1};
  msghdr message{};
};

void send_descriptor(int socket, int descriptor) {
  Carrier carrier;
  cmsghdr* const head = CMSG_FIRSTHDR(&carrier.message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
  if (::sendmsg(socket, &carrier.message, 0) != 1) give_up("pass the listener on");
}

int receive_descriptor(int socket) {
  Carrier carrier;
  if (::recvmsg(socket, &carrier.message, 0) != 1 || CMSG_FIRSTHDR(&carrier.message) == nullptr)
    give_up("take the listener");
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&carrier.message)), sizeof descriptor);
  return descriptor;
}

/// The program has just been executed: its stack holds argc, arguments, 0, environment, 0, auxiliary vector.
void hide_vdso() {
  user_regs_struct registers{};
  if (::ptrace(PTRACE_GETREGS, program, nullptr, &registers) != 0) give_up("read the registers");
  const auto word = [](std::uint64_t at) {
    errno = 0;
    const long value = ::ptrace(PTRACE_PEEKDATA, program, reinterpret_cast<void*>(at), nullptr);
    if (errno != 0) give_up("read the stack");
    return static_cast<std::uint64_t>(value);
  };
  std::uint64_t at = registers.rsp + 8 + word(registers.rsp) * 8 + 8;
  while (word(at) != 0) at += 8;
  for (at += 8; word(at) != AT_NULL; at += 16) {
    if (word(at) != AT_SYSINFO_EHDR) continue;
    if (::ptrace(PTRACE_POKEDATA, program, reinterpret_cast<void*>(at), reinterpret_cast<void*>(AT_IGNORE)) !=
        0)
      give_up("hide the vDSO");
  }
}

template <typename T>
bool put(pid_t thread, std::uint64_t at, const T& value) {
  iovec from{const_cast<T*>(&value), sizeof value};
  iovec to{reinterpret_cast<void*>(at), sizeof value};
  return ::process_vm_writev(thread, &from, 1, &to, 1, 0) == static_cast<ssize_t>(sizeof value);
}

template <typename T>
bool get(pid_t thread, std::uint64_t at, T& value) {
  iovec to{&value, sizeof value};
  iovec from{reinterpret_cast<void*>(at), sizeof value};
  return ::process_vm_readv(thread, &to, 1, &from, 1, 0) == static_cast<ssize_t>(sizeof value);
}

void answer(const ClockFile& clock, const seccomp_notif& asked, seccomp_notif_resp& reply) {
  const auto thread = static_cast<pid_t>(asked.pid);
  const auto* const arguments = asked.data.args;
  const std::int64_t now = nanoseconds_of(CLOCK_BOOTTIME) + clock.offset_ns;
  switch (asked.data.nr) {
    case SYS_clock_gettime:
      if (!put(thread, arguments[1], timespec{now / kSecond, now % kSecond})) reply.error = -EFAULT;
      break;
    case SYS_gettimeofday:
      if (arguments[0] != 0 && !put(thread, arguments[0], timeval{now / kSecond, now % kSecond / 1'000}))
        reply.error = -EFAULT;
      break;
    case SYS_time:
      reply.val = now / kSecond;
      if (arguments[0] != 0 && !put(thread, arguments[0], time_t{now / kSecond})) reply.error = -EFAULT;
      break;
    case SYS_adjtimex:
    case SYS_clock_adjtime: {
      timex state{};
      state.status = clock.synchronised != 0 ? STA_PLL : STA_UNSYNC;
      state.maxerror = clock.synchronised != 0 ? clock.error_us : 16'000'000;
      state.esterror = state.maxerror;
      reply.val = clock.synchronised != 0 ? TIME_OK : TIME_ERROR;
      if (!put(thread, arguments[asked.data.nr == SYS_adjtimex ? 0 : 1], state)) reply.error = -EFAULT;
      break;
    }
    default: {  // futex
      timespec until{};
      if (arguments[3] != 0 && get(thread, arguments[3], until)) {
        const std::int64_t wanted =
            until.tv_sec * kSecond + until.tv_nsec - now + nanoseconds_of(CLOCK_REALTIME);
        put(thread, arguments[3], timespec{wanted / kSecond, wanted % kSecond});
      }
      reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
      break;
    }
  }
}

int exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

int main(int count, char** words) {
  if (count < 3) {
    std::fprintf(stderr, "usage: clock_shim CLOCK_FILE PROGRAM ARGUMENTS...\n");
    return 2;
  }
  const int file = ::open(words[1], O_RDONLY | O_CLOEXEC);
  if (file < 0) give_up(words[1]);
  const void* const mapped = ::mmap(nullptr, sizeof(ClockFile), PROT_READ, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) give_up("map the clock");
  const auto& clock = *static_cast<const ClockFile*>(mapped);
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) give_up("socketpair");

  program = ::fork();
  if (program < 0) give_up("fork");
  if (program == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    const int listener = install_filter();
    send_descriptor(pair[1], listener);
    ::close(listener);
    ::execv(words[2], words + 2);
    give_up(words[2]);
  }
  int status = 0;
  if (::waitpid(program, &status, 0) != program || !WIFSTOPPED(status)) give_up("trace the program");
  hide_vdso();
  const int listener = receive_descriptor(pair[0]);
  for (const int each : {SIGTERM, SIGINT, SIGHUP}) std::signal(each, pass_on);
  ::ptrace(PTRACE_DETACH, program, nullptr, nullptr);

  for (;;) {
    pollfd ready{listener, POLLIN, 0};
    if (::poll(&ready, 1, 200) > 0 && (ready.revents & POLLIN) != 0) {
      seccomp_notif asked{};
      if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) continue;
      seccomp_notif_resp reply{};
      reply.id = asked.id;
      answer(clock, asked, reply);
      ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
    } else if (::waitpid(program, &status, WNOHANG) == program) {
      return exit_code(status);
    }
  }
}
