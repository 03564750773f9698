// SPDX-License-Identifier: Apache-2.0
// glibc's resolver (res_nsearch) does the talking: servers, time-outs, TCP for long answers.
#include "agent/link/host_names.hpp"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <cstring>

#include "platform/durable_file.hpp"

namespace fieldpost {
namespace {

using Addresses = std::vector<SocketAddress>;

constexpr const char* kHostsPath = "/etc/hosts";
constexpr std::size_t kHostsBytesMax = 1U << 20U;  // ad blockers' lists; what is longer is not read at all
constexpr std::size_t kAnswerBytesMax = 8192;      // some 250 IPv6 addresses

constexpr std::string_view kBlanks = " \t\r";

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

/// Takes the next word off `line`; "" when there is none.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const auto word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

Addresses interleaved(const Addresses& first, const Addresses& second) {
  Addresses mixed;
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) mixed.push_back(first[i]);
    if (i < second.size()) mixed.push_back(second[i]);
  }
  return mixed;
}

/// The system's resolver as resolv.conf has it now.
class Resolver {
 public:
  Resolver() { ready_ = res_ninit(&state_) == 0; }
  ~Resolver() {
    if (ready_) res_nclose(&state_);
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Addresses of one family; none with fault() set if there are none.
  Addresses ask(const std::string& name, ns_type type) {
    std::vector<unsigned char> answer(kAnswerBytesMax);
    if (!ready_) {
      fault_ = TRY_AGAIN;
      return {};
    }
    const int bytes = res_nsearch(&state_, name.c_str(), ns_c_in, type, answer.data(), static_cast<int>(answer.size()));
    fault_ = bytes < 0 ? state_.res_h_errno : 0;
    if (bytes < 0) return {};
    return addresses_in_dns_answer({answer.data(), std::min(answer.size(), static_cast<std::size_t>(bytes))});
  }

  /// Of the last question: 0, HOST_NOT_FOUND, NO_DATA, TRY_AGAIN or NO_RECOVERY (netdb.h).
  int fault() const { return fault_; }
  bool server_failed() const { return fault_ == TRY_AGAIN || fault_ == NO_RECOVERY; }

 private:
  struct __res_state state_ {};
  bool ready_ = false;
  int fault_ = 0;
};

bool is_localhost(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  constexpr std::string_view kLocalhost = "localhost";
  if (same_name(name, kLocalhost)) return true;
  return name.size() > kLocalhost.size() && name[name.size() - kLocalhost.size() - 1] == '.' &&
         same_name(name.substr(name.size() - kLocalhost.size()), kLocalhost);
}

Result<Addresses> ask_dns(const std::string& name) {
  Resolver resolver;
  const Addresses v4 = resolver.ask(name, ns_t_a);
  bool server_failed = resolver.server_failed();
  Addresses v6;
  if (!server_failed) {  // else the second question would wait as long for the same silence
    v6 = resolver.ask(name, ns_t_aaaa);
    server_failed = v4.empty() && resolver.server_failed();
  }
  if (server_failed) {
    return Error{ErrorKind::Unavailable, "the name '" + name + "' could not be looked up (" + hstrerror(resolver.fault()) +
                                             "); check that the DNS server of this device answers"};
  }
  if (v4.empty() && v6.empty()) {
    return Error{ErrorKind::NotPresent,
                 "the name '" + name + "' does not resolve; check the host in the URL, or add it to the DNS"};
  }
  return interleaved(v6, v4);
}

}  // namespace

Addresses find_in_hosts(std::string_view hosts, std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  Addresses found;
  while (!hosts.empty()) {
    auto line = hosts.substr(0, hosts.find('\n'));
    hosts.remove_prefix(std::min(line.size() + 1, hosts.size()));
    line = line.substr(0, line.find('#'));
    const auto address = parse_address(std::string{take_word(line)}, 0);
    if (!address) continue;
    for (auto word = take_word(line); !word.empty(); word = take_word(line)) {
      if (!same_name(word, name)) continue;
      found.push_back(*address);
      break;
    }
  }
  return found;
}

Addresses addresses_in_dns_answer(std::span<const unsigned char> answer) {
  ns_msg message{};
  if (ns_initparse(answer.data(), static_cast<int>(answer.size()), &message) != 0) return {};
  Addresses found;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record{};
    if (ns_parserr(&message, ns_s_an, i, &record) != 0) return {};
    const bool v4 = ns_rr_type(record) == ns_t_a && ns_rr_rdlen(record) == NS_INADDRSZ;
    const bool v6 = ns_rr_type(record) == ns_t_aaaa && ns_rr_rdlen(record) == NS_IN6ADDRSZ;
    if (!v4 && !v6) continue;  // CNAME and others
    SocketAddress address;
    address.family = v4 ? SocketAddress::Family::v4 : SocketAddress::Family::v6;
    std::memcpy(address.bytes.data(), ns_rr_rdata(record), ns_rr_rdlen(record));
    found.push_back(address);
  }
  return found;
}

Result<Addresses> look_up_host(const std::string& name) {
  if (const auto hosts = read_file(kHostsPath, kHostsBytesMax)) {
    Addresses found = find_in_hosts(*hosts, name);
    if (!found.empty()) return found;
  }
  if (is_localhost(name)) return Addresses{*parse_address("::1", 0), *parse_address("127.0.0.1", 0)};
  return ask_dns(name);
}

}  // namespace fieldpost
