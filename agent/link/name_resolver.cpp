// SPDX-License-Identifier: Apache-2.0
// See name_resolver.hpp. The Desk is what resolver and threads share; its mutex guards all of it,
// and a thread posts to the loop only while the resolver (and so the loop) exists.
#include "agent/link/name_resolver.hpp"

#include <pthread.h>

#include <algorithm>
#include <list>
#include <mutex>
#include <optional>

#include "agent/link/host_names.hpp"

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
        if (with_port.size() > kAddressesMax) with_port.resize(kAddressesMax);
        for (auto& address : with_port) address.port = question->port;
        question->answer(std::move(with_port));
      } else {
        question->answer(addresses);
      }
    }
  }
};

struct NameResolver::Errand {
  std::shared_ptr<Desk> desk;
  std::string name;

  static void* run(void* pointer) {
    const std::unique_ptr<Errand> errand{static_cast<Errand*>(pointer)};
    const auto& [desk, name] = *errand;
    pthread_setname_np(pthread_self(), "name-look-up");
    auto addresses = desk->look_up(name);
    const std::lock_guard guard{desk->mutex};
    desk->running.erase(std::find(desk->running.begin(), desk->running.end(), name));
    if (desk->loop == nullptr) return nullptr;
    desk->loop->post([desk = desk, name = name, addresses = std::move(addresses)] { desk->answer(name, addresses); });
    return nullptr;
  }
};

/// False if no thread could be started. pthread_create() says so; std::thread would throw.
bool NameResolver::start_look_up(const std::shared_ptr<Desk>& desk, const std::string& name) {
  auto errand = std::make_unique<Errand>(Errand{desk, name});
  pthread_t thread{};
  if (pthread_create(&thread, nullptr, &Errand::run, errand.get()) != 0) return false;
  static_cast<void>(errand.release());  // the thread's now
  pthread_detach(thread);
  return true;
}

NameResolver::LookUp NameResolver::system_look_up() { return look_up_host; }

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
  if (!start_look_up(desk_, host)) {
    running.pop_back();
    answer_later(Error{ErrorKind::Full, "no thread could be started for a name look-up; memory or a limit ran out"});
  }
  return subscription;
}

}  // namespace fieldpost
