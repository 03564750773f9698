// SPDX-License-Identifier: Apache-2.0
// Names to addresses without ever waiting: a look-up may take a minute when the DNS server is silent
// and cannot be called off, so each look-up runs on a thread of its own that nobody joins.
// A look-up that was given up runs on; who asks for the same name meanwhile gets its answer, and at
// most kLookUpsMax exist, however often callers come back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/link/socket_address.hpp"
#include "platform/event_loop.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class NameResolver {
 public:
  using Addresses = std::vector<SocketAddress>;
  using Answer = std::function<void(Result<Addresses>)>;
  /// Blocks as long as it likes; any thread. The addresses' ports are set by the resolver.
  using LookUp = std::function<Result<Addresses>(const std::string& name)>;

  /// `loop` is lent and outlives the resolver.
  explicit NameResolver(EventLoop& loop, LookUp look_up = system_look_up());
  /// Waits for nobody.
  ~NameResolver();
  NameResolver(const NameResolver&) = delete;
  NameResolver& operator=(const NameResolver&) = delete;

  /// Asks for the addresses of `host`; `answer` runs on the loop, later, unless the subscription
  /// is destroyed before. A literal address is its own answer.
  /// Errors: NotPresent   the name does not resolve
  ///         Unavailable  the DNS server failed, or kLookUpsMax look-ups have not come back
  Subscription resolve(const std::string& host, std::uint16_t port, Answer answer);

  static LookUp system_look_up();  ///< look_up_host()

  static constexpr std::size_t kLookUpsMax = 2;
  static constexpr std::size_t kAddressesMax = 8;

 private:
  struct Desk;
  struct Errand;
  static bool start_look_up(const std::shared_ptr<Desk>& desk, const std::string& name);
  std::shared_ptr<Desk> desk_;  // shared with the threads, which may outlive the resolver
};

}  // namespace fieldpost
