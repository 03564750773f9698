// SPDX-License-Identifier: Apache-2.0
#include "agent/link/name_resolver.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

/// A DNS server that answers when the test says so. Shared with threads that outlive the test's
/// resolver, as the real ones do.
class Server : public std::enable_shared_from_this<Server> {
 public:
  NameResolver::LookUp look_up() {
    return [self = shared_from_this()](const std::string&) -> Result<NameResolver::Addresses> {
      std::unique_lock lock{self->mutex_};
      ++self->asked_;
      self->changed_.notify_all();
      self->changed_.wait(lock, [&] { return self->open_; });
      ++self->answered_;
      self->changed_.notify_all();
      return NameResolver::Addresses{*parse_address("192.0.2.7", 0)};
    };
  }
  void open() {
    const std::lock_guard lock{mutex_};
    open_ = true;
    changed_.notify_all();
  }
  void wait_asked(int count) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return asked_ >= count; });
  }
  void wait_answered(int count) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return answered_ >= count; });
  }
  int asked() {
    const std::lock_guard lock{mutex_};
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int asked_ = 0;
  int answered_ = 0;
};

struct NameResolverTest : testing::Test {
  ~NameResolverTest() override {
    server->open();
    server->wait_answered(server->asked());
  }
  ManualClock clock;
  ManualEventLoop loop{clock};
  std::shared_ptr<Server> server = std::make_shared<Server>();
};

TEST_F(NameResolverTest, GivesTheAddressWithThePortAskedFor) {
  server->open();
  NameResolver resolver{loop, server->look_up()};
  std::string answer;
  auto look_up = resolver.resolve("broker.example", 8883, [&](const Result<NameResolver::Addresses>& addresses) {
    answer = addresses->front().text();
  });
  ASSERT_TRUE(loop.run_until([&] { return !answer.empty(); }));
  EXPECT_EQ(answer, "192.0.2.7:8883");
}

TEST_F(NameResolverTest, AsksNobodyForAnAddress) {
  NameResolver resolver{loop, server->look_up()};
  std::vector<std::string> answers;
  const auto keep = [&](const Result<NameResolver::Addresses>& addresses) { answers.push_back(addresses->front().text()); };
  auto v4 = resolver.resolve("127.0.0.1", 1, keep);
  auto v6 = resolver.resolve("::1", 2, keep);
  EXPECT_TRUE(answers.empty());  // later, never at once
  loop.run_ready();
  EXPECT_EQ(answers, (std::vector<std::string>{"127.0.0.1:1", "[::1]:2"}));
  EXPECT_EQ(server->asked(), 0);
}

TEST_F(NameResolverTest, ALoopWithASilentServerKeepsTicking) {
  NameResolver resolver{loop, server->look_up()};
  int ticks = 0;
  bool answered = false;
  auto timer = loop.every(clock.now(), milliseconds{10}, [&] { ++ticks; });
  auto look_up = resolver.resolve("broker.example", 1, [&](const auto&) { answered = true; });
  server->wait_asked(1);
  loop.advance(seconds{60});
  EXPECT_GE(ticks, 6'000);
  EXPECT_FALSE(answered);
}

TEST_F(NameResolverTest, TellsNothingToWhoGaveUp) {
  NameResolver resolver{loop, server->look_up()};
  bool answered = false;
  {
    auto look_up = resolver.resolve("broker.example", 1, [&](const auto&) { answered = true; });
    server->wait_asked(1);
  }
  server->open();
  server->wait_answered(1);
  loop.run_ready();
  EXPECT_FALSE(answered);
}

TEST_F(NameResolverTest, AsksOnceHoweverOftenTheCallerComesBack) {
  NameResolver resolver{loop, server->look_up()};
  for (int i = 0; i < 10; ++i) {
    auto look_up = resolver.resolve("broker.example", 1, [](const auto&) {});
    server->wait_asked(1);
  }
  int answers = 0;
  auto last = resolver.resolve("broker.example", 1, [&](const auto&) { ++answers; });
  EXPECT_EQ(server->asked(), 1);
  server->open();
  ASSERT_TRUE(loop.run_until([&] { return answers == 1; }));
}

TEST_F(NameResolverTest, RefusesMoreLookUpsThanItsMaximum) {
  NameResolver resolver{loop, server->look_up()};
  std::vector<Subscription> look_ups;
  std::optional<Error> error;
  for (std::size_t i = 0; i <= NameResolver::kLookUpsMax; ++i) {
    look_ups.push_back(resolver.resolve("host-" + std::to_string(i), 1, [&](const Result<NameResolver::Addresses>& addresses) {
      if (!addresses) error = addresses.error();
    }));
  }
  server->wait_asked(static_cast<int>(NameResolver::kLookUpsMax));
  loop.run_ready();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind(), ErrorKind::Unavailable);
  EXPECT_EQ(server->asked(), static_cast<int>(NameResolver::kLookUpsMax));
}

TEST_F(NameResolverTest, GoesAwayWithoutWaitingForTheServer) {
  {
    NameResolver resolver{loop, server->look_up()};
    auto look_up = resolver.resolve("broker.example", 1, [](const auto&) { FAIL(); });
    server->wait_asked(1);
  }
  server->open();
  server->wait_answered(1);
  loop.run_ready();
}

TEST_F(NameResolverTest, TheSystemKnowsLocalhostAndNotInvalid) {
  const auto look_up = NameResolver::system_look_up();
  EXPECT_TRUE(look_up("localhost"));
  EXPECT_FALSE(look_up("nobody.invalid"));
}

}  // namespace
}  // namespace fieldpost
