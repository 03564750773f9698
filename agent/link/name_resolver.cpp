// SPDX-License-Identifier: Apache-2.0
// See name_resolver.hpp. The Desk is what resolver and threads share; its mutex guards all of it,
// and a thread posts to the loop only while the resolver (and so the loop) exists.
#include "agent/link/name_resolver.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace fieldpost {

struct NameResolver::Desk {
  struct Question {
    std::uint64_t id;
    std::string name;
    std::uint16_t port;
    Answer answer;
  };

  std::mutex mutex;
  EventLoop* loop;  ///< null once the resolver is gone
  LookUp look_up;
  std::vector<std::string> running;
  std::list<Question> questions;
  std::uint64_t next_id = 1;

  /// On the loop: gives `addresses` to everybody who asked for `name`.
  void answer(const std::string& name, const Result<Addresses>& addresses) {
    for (;;) {
      std::optional<Question> question;
      {
        const std::lock_guard lock{mutex};
        const auto found =
            std::find_if(questions.begin(), questions.end(), [&](const Question& q) { return q.name == name; });
        if (found == questions.end()) return;
        question = std::move(*found);
        questions.erase(found);
      }
      if (addresses) {
        auto with_port = *addresses;
        for (auto& address : with_port) address.port = question->port;
        question->answer(std::move(with_port));
      } else {
        question->answer(addresses);
      }
    }
  }
};

namespace {

/// IPv6 and IPv4 in turn, each family in the order getaddrinfo() sorted it (RFC 6724), so that a
/// host whose IPv6 is broken costs one share of the time-out and not all of it.
NameResolver::Addresses interleaved(const NameResolver::Addresses& sorted) {
  if (sorted.empty()) return {};
  NameResolver::Addresses first;
  NameResolver::Addresses second;
  for (const auto& address : sorted) (address.family == sorted.front().family ? first : second).push_back(address);
  NameResolver::Addresses mixed;
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) mixed.push_back(first[i]);
    if (i < second.size()) mixed.push_back(second[i]);
  }
  if (mixed.size() > NameResolver::kAddressesMax) mixed.resize(NameResolver::kAddressesMax);
  return mixed;
}

std::optional<SocketAddress> from_system(const addrinfo& entry) {
  SocketAddress address;
  if (entry.ai_family == AF_INET) {
    sockaddr_in internet{};
    std::memcpy(&internet, entry.ai_addr, sizeof internet);
    std::memcpy(address.bytes.data(), &internet.sin_addr, sizeof internet.sin_addr);
    return address;
  }
  if (entry.ai_family == AF_INET6) {
    sockaddr_in6 internet{};
    std::memcpy(&internet, entry.ai_addr, sizeof internet);
    address.family = SocketAddress::Family::v6;
    address.scope = internet.sin6_scope_id;
    std::memcpy(address.bytes.data(), &internet.sin6_addr, sizeof internet.sin6_addr);
    return address;
  }
  return std::nullopt;
}

Result<NameResolver::Addresses> ask_system(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int failed = getaddrinfo(name.c_str(), nullptr, &hints, &list);
  if (failed == EAI_NONAME || failed == EAI_NODATA) {
    return Error{ErrorKind::NotPresent,
                 "the name '" + name + "' does not resolve; check the host in the URL, or add it to the DNS"};
  }
  if (failed != 0) {
    return Error{ErrorKind::Unavailable, "the name '" + name + "' could not be looked up (" + gai_strerror(failed) +
                                             "); check that the DNS server of this device answers"};
  }
  NameResolver::Addresses addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (const auto address = from_system(*entry)) addresses.push_back(*address);
  }
  freeaddrinfo(list);
  if (addresses.empty()) {
    return Error{ErrorKind::NotPresent, "the name '" + name + "' has no IPv4 or IPv6 address; check the DNS"};
  }
  return interleaved(addresses);
}

}  // namespace

NameResolver::LookUp NameResolver::system_look_up() { return ask_system; }

NameResolver::NameResolver(EventLoop& loop, LookUp look_up) : desk_{std::make_shared<Desk>()} {
  desk_->loop = &loop;
  desk_->look_up = std::move(look_up);
}

NameResolver::~NameResolver() {
  const std::lock_guard lock{desk_->mutex};
  desk_->loop = nullptr;
  desk_->questions.clear();
}

Subscription NameResolver::resolve(const std::string& host, std::uint16_t port, Answer answer) {
  const std::unique_lock lock{desk_->mutex};
  const std::uint64_t id = desk_->next_id++;
  desk_->questions.push_back({id, host, port, std::move(answer)});
  Subscription subscription{[desk = desk_, id] {
    const std::lock_guard guard{desk->mutex};
    desk->questions.remove_if([id](const Desk::Question& q) { return q.id == id; });
  }};

  const auto answer_later = [&](Result<Addresses> addresses) {
    desk_->loop->post([desk = desk_, host, addresses = std::move(addresses)] { desk->answer(host, addresses); });
  };
  if (const auto literal = parse_address(host, port)) {
    answer_later(Addresses{*literal});
    return subscription;
  }
  auto& running = desk_->running;
  if (std::find(running.begin(), running.end(), host) != running.end()) return subscription;
  if (running.size() >= kLookUpsMax) {
    answer_later(Error{ErrorKind::Unavailable,
                       "earlier look-ups of names have not come back; check that the DNS server of this device answers"});
    return subscription;
  }

  running.push_back(host);
  try {
    std::thread{[desk = desk_, host] {
      pthread_setname_np(pthread_self(), "name-look-up");
      auto addresses = desk->look_up(host);
      const std::lock_guard guard{desk->mutex};
      desk->running.erase(std::find(desk->running.begin(), desk->running.end(), host));
      if (desk->loop == nullptr) return;
      desk->loop->post([desk, host, addresses = std::move(addresses)] { desk->answer(host, addresses); });
    }}.detach();
  } catch (const std::system_error&) {  // std::thread has no other way to say it
    running.pop_back();
    answer_later(Error{ErrorKind::Full, "no thread could be started for a name look-up; memory or a limit ran out"});
  }
  return subscription;
}

}  // namespace fieldpost
