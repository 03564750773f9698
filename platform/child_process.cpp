// SPDX-License-Identifier: Apache-2.0
// posix_spawn (which copies no page tables and reports a failed exec), two pipes, and a pidfd that
// tells of the end. Kernels before 5.3 have no pidfd; there SIGCHLD does the same, if the loop sees it.
#include "platform/child_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "platform/file_descriptor.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kReadBytes = 16U << 10U;
/// What is read after the end: a pipe holds at most this much (fs.pipe-max-size as shipped).
constexpr std::size_t kLastBytesMax = 1U << 20U;
/// "Exited with 255": somebody started us with SIGCHLD ignored, and the kernel reaped the child itself.
constexpr int kUnknownStatus = 255 << 8;

struct Pipe {
  FileDescriptor read;
  FileDescriptor write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error("pipe", errno);
  Pipe pipe{FileDescriptor{ends[0]}, FileDescriptor{ends[1]}};
  // Only our end: the child expects writes that wait.
  if (::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) != 0) return errno_error("pipe", errno);
  return pipe;
}

/// Owner of posix_spawn's two parameter objects.
class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t* actions() { return &actions_; }
  posix_spawnattr_t* attributes() { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::string_view name_of(std::string_view variable) { return variable.substr(0, variable.find('=')); }

/// Our environment with the given variables added or put in place of ours. `small`: hardly anything of ours.
std::vector<std::string> merged_environment(const std::vector<std::string>& added, bool small) {
  std::vector<std::string> merged;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view name = name_of(*variable);
    bool replaced = small && name != "PATH" && name != "HOME" && name != "LANG";
    for (const auto& other : added) replaced = replaced || name_of(other) == name;
    if (!replaced) merged.emplace_back(*variable);
  }
  merged.insert(merged.end(), added.begin(), added.end());
  return merged;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

Result<pid_t> spawn(const ChildProcess::Options& options, const Pipe& output, const Pipe& error_output) {
  std::vector<std::string> arguments = options.arguments;
  SpawnSettings settings;
  ::posix_spawn_file_actions_addopen(settings.actions(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(settings.actions(), output.write.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(settings.actions(), error_output.write.get(), STDERR_FILENO);
  // Ours are close-on-exec, a library's may not be (Paho's sockets).
  ::posix_spawn_file_actions_addclosefrom_np(settings.actions(), STDERR_FILENO + 1);

  // Our blocked and ignored signals (SIGPIPE) are not the child's business.
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(settings.attributes(), &none);
  ::posix_spawnattr_setsigdefault(settings.attributes(), &all);
  ::posix_spawnattr_setpgroup(settings.attributes(), 0);
  ::posix_spawnattr_setflags(
      settings.attributes(),
      static_cast<short>(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));

  std::vector<std::string> variables = merged_environment(options.environment, options.environment_is_small);
  const std::string program = arguments.front();
  pid_t process = -1;
  const int problem = ::posix_spawnp(&process, program.c_str(), settings.actions(), settings.attributes(),
                                     pointers_to(arguments).data(), pointers_to(variables).data());
  if (problem != 0) return errno_error("start " + program, problem);
  return process;
}

class WatchedProcess final : public ChildProcess {
 public:
  WatchedProcess(EventLoop& loop, Options options, pid_t process, FileDescriptor output,
                 FileDescriptor error_output)
      : options_{std::move(options)},
        process_{process},
        pidfd_{static_cast<int>(::syscall(SYS_pidfd_open, process, 0))},
        output_{std::move(output)},
        error_output_{std::move(error_output)} {
    output_watch_ =
        loop.when_readable(output_.get(), [this] { read_some(output_, output_watch_, options_.on_output); });
    error_watch_ = loop.when_readable(
        error_output_.get(), [this] { read_some(error_output_, error_watch_, options_.on_error_output); });
    end_watch_ = pidfd_ ? loop.when_readable(pidfd_.get(), [this] { look_for_end(); })
                        : loop.on_signal(SIGCHLD, [this] { look_for_end(); });
    // Without a pidfd the child may have ended before SIGCHLD was watched.
    if (!pidfd_) {
      loop.post([this, alive = std::weak_ptr{alive_}] {
        if (!alive.expired()) look_for_end();
      });
    }
  }

  ~WatchedProcess() override {
    if (ended_) return;
    ::kill(-process_, SIGKILL);
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  WatchedProcess(const WatchedProcess&) = delete;
  WatchedProcess& operator=(const WatchedProcess&) = delete;

  int process_id() const override { return process_; }

  void send_signal(int signal_number) override {
    // Never after the end: the number may be another process's by now.
    if (!ended_) ::kill(-process_, signal_number);
  }

 private:
  using Receiver = std::function<void(std::string_view)>;

  /// What one read gave; nothing when there is nothing to read now. At the end of the stream (or an
  /// error, which for a pipe is the same) the watch ends, for it would fire for ever.
  std::string_view read_once(const FileDescriptor& stream, Subscription& watch,
                             std::array<char, kReadBytes>& buffer) {
    const ssize_t count = ::read(stream.get(), buffer.data(), buffer.size());
    if (count > 0) return {buffer.data(), static_cast<std::size_t>(count)};
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) watch.reset();
    return {};
  }

  void read_some(const FileDescriptor& stream, Subscription& watch, const Receiver& receiver) {
    std::array<char, kReadBytes> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
    const std::string_view bytes = read_once(stream, watch, buffer);
    if (bytes.empty() || !receiver) return;
    const Receiver held = receiver;  // the receiver may destroy us, and itself with us
    held(bytes);
  }

  void look_for_end() {
    if (ended_) return;
    siginfo_t end{};
    int status = kUnknownStatus;
    // Looked at first and reaped after: while the zombie holds the number, its group is surely ours.
    if (::waitid(P_PID, static_cast<id_t>(process_), &end, WEXITED | WNOHANG | WNOWAIT) == 0) {
      if (end.si_pid == 0) return;  // it still runs
      ::kill(-process_, SIGKILL);
      while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
      }
    }
    ended_ = true;
    end_watch_.reset();

    const std::weak_ptr<bool> alive{alive_};
    read_rest(output_, output_watch_, options_.on_output);
    if (alive.expired()) return;
    read_rest(error_output_, error_watch_, options_.on_error_output);
    if (alive.expired()) return;
    output_watch_.reset();
    error_watch_.reset();
    if (const auto on_exit = std::exchange(options_.on_exit, nullptr)) on_exit(status);
  }

  /// What the child wrote before it ended comes before on_exit.
  void read_rest(const FileDescriptor& stream, Subscription& watch, const Receiver& receiver) {
    const Receiver held = receiver;
    const std::weak_ptr<bool> alive{alive_};
    std::array<char, kReadBytes> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
    for (std::size_t total = 0; total < kLastBytesMax && watch;) {
      const std::string_view bytes = read_once(stream, watch, buffer);
      if (bytes.empty()) return;
      total += bytes.size();
      if (held) held(bytes);
      if (alive.expired()) return;
    }
  }

  Options options_;
  const pid_t process_;
  bool ended_ = false;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  FileDescriptor pidfd_;
  FileDescriptor output_;
  FileDescriptor error_output_;
  // Last, so that they end before the descriptors they watch.
  Subscription output_watch_;
  Subscription error_watch_;
  Subscription end_watch_;
};

}  // namespace

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(EventLoop& loop, Options options) {
  if (options.arguments.empty()) return Error{ErrorKind::Bug, "a child process without a program"};
  Pipe output = TRY(make_pipe());
  Pipe error_output = TRY(make_pipe());
  const pid_t process = TRY(spawn(options, output, error_output));
  // Our copies of the child's ends must go, or the streams never end.
  output.write.close();
  error_output.write.close();
  return std::unique_ptr<ChildProcess>{std::make_unique<WatchedProcess>(
      loop, std::move(options), process, std::move(output.read), std::move(error_output.read))};
}

}  // namespace fieldpost
