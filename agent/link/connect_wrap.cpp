// SPDX-License-Identifier: Apache-2.0
// See connect_wrap.hpp. The address is in 240.0.0.0/4, which RFC 1112 reserves and no network
// routes, so no real peer can be meant; and it is IPv4, because Paho opens a socket of the
// address's family and a kernel may lack IPv6. Only reserved numbers are answered: Paho is the only one
// that asks getaddrinfo() here, and it has no other business (host_names.hpp looks up real names).
//
// The table below is a mutable global: the linker gives wrapped functions no other place to find
// anything. It holds only connections between "reserved" and "connected", milliseconds each.
#include "agent/link/connect_wrap.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

extern "C" {
int __real_connect(int descriptor, const sockaddr* address, socklen_t length);
int __wrap_connect(int descriptor, const sockaddr* address, socklen_t length);
int __wrap_getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result);
void __wrap_freeaddrinfo(addrinfo* list);
}

namespace fieldpost {

namespace {

constexpr std::uint32_t kAddressBlock = 0xF0F1'0000;  // 240.241.0.0/16
constexpr std::uint32_t kNumberMask = 0x0000'FFFF;
constexpr std::string_view kHostPrefix = "link-";
constexpr std::string_view kHostSuffix = ".fieldpost.invalid";

class ReservationTable {
 public:
  std::optional<std::uint32_t> add(FileDescriptor end) {
    const std::lock_guard lock{mutex_};
    if (ends_.size() >= ReservedConnection::kReservationsMax) return std::nullopt;
    do {
      last_ = last_ % kNumberMask + 1;
    } while (ends_.contains(last_));
    ends_.emplace(last_, std::move(end));
    return last_;
  }

  bool knows(std::uint32_t number) {
    const std::lock_guard lock{mutex_};
    return ends_.contains(number);
  }

  FileDescriptor take(std::uint32_t number) {
    const std::lock_guard lock{mutex_};
    auto node = ends_.extract(number);
    return node.empty() ? FileDescriptor{} : std::move(node.mapped());
  }

 private:
  std::mutex mutex_;  // Paho connects on its own thread
  std::uint32_t last_ = 0;
  std::map<std::uint32_t, FileDescriptor> ends_;
};

ReservationTable& table() {
  // Never destroyed: Paho's threads may outlive static objects at exit.
  static auto* const instance = new ReservationTable;
  return *instance;
}

std::optional<std::uint32_t> number_of_host(const char* node) {
  if (node == nullptr) return std::nullopt;
  std::string_view name{node};
  if (!name.starts_with(kHostPrefix) || !name.ends_with(kHostSuffix)) return std::nullopt;
  name.remove_prefix(kHostPrefix.size());
  name.remove_suffix(kHostSuffix.size());
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return number;
}

std::optional<std::uint32_t> number_of_address(const sockaddr* address, socklen_t length) {
  if (address == nullptr || length < sizeof(sockaddr_in) || address->sa_family != AF_INET) return std::nullopt;
  sockaddr_in internet{};
  __builtin_memcpy(&internet, address, sizeof internet);
  const std::uint32_t bits = ntohl(internet.sin_addr.s_addr);
  if ((bits & ~kNumberMask) != kAddressBlock) return std::nullopt;
  return bits & kNumberMask;
}

}  // namespace

Result<ReservedConnection> ReservedConnection::make(FileDescriptor end) {
  const auto number = table().add(std::move(end));
  if (!number) return Error{ErrorKind::Full, "too many connections are being made at once"};
  return ReservedConnection{*number};
}

ReservedConnection& ReservedConnection::operator=(ReservedConnection&& other) noexcept {
  if (this != &other) {
    table().take(number_);
    number_ = std::exchange(other.number_, 0);
  }
  return *this;
}

ReservedConnection::~ReservedConnection() {
  if (number_ != 0) table().take(number_);
}

std::string ReservedConnection::host() const {
  return std::string{kHostPrefix} + std::to_string(number_) + std::string{kHostSuffix};
}

bool ReservedConnection::taken() const { return !table().knows(number_); }

}  // namespace fieldpost

namespace {

/// What getaddrinfo() gives: one address, which freeaddrinfo() takes back.
struct ReservedEntry {
  addrinfo info{};  // first: a pointer to it is a pointer to the whole
  sockaddr_in address{};
};

}  // namespace

int __wrap_getaddrinfo(const char* node, const char*, const addrinfo* hints, addrinfo** result) {
  const auto number = fieldpost::number_of_host(node);
  if (!number || !fieldpost::table().knows(*number)) return EAI_NONAME;
  auto entry = std::make_unique<ReservedEntry>();
  entry->address.sin_family = AF_INET;
  entry->address.sin_addr.s_addr = htonl(fieldpost::kAddressBlock | *number);
  entry->info.ai_family = AF_INET;
  entry->info.ai_socktype = hints != nullptr ? hints->ai_socktype : SOCK_STREAM;
  entry->info.ai_protocol = hints != nullptr ? hints->ai_protocol : IPPROTO_TCP;
  entry->info.ai_addrlen = sizeof entry->address;
  entry->info.ai_addr = reinterpret_cast<sockaddr*>(&entry->address);
  *result = &entry.release()->info;
  return 0;
}

void __wrap_freeaddrinfo(addrinfo* list) { delete reinterpret_cast<ReservedEntry*>(list); }

int __wrap_connect(int descriptor, const sockaddr* address, socklen_t length) {
  const auto number = fieldpost::number_of_address(address, length);
  if (!number) return __real_connect(descriptor, address, length);
  fieldpost::FileDescriptor end = fieldpost::table().take(*number);
  if (!end) {  // its owner is gone: never let Paho dial by itself
    errno = ECONNREFUSED;
    return -1;
  }
  // dup3 closes the TCP socket Paho made and puts ours in its place in one step.
  if (dup3(end.get(), descriptor, O_CLOEXEC) < 0) return -1;
  // A non-blocking connect says EINPROGRESS first; returning 0 makes Paho's ws:// give up.
  errno = EINPROGRESS;
  return -1;
}
