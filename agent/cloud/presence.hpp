// SPDX-License-Identifier: Apache-2.0
// Says on a plain broker that the device is there, and leaves word for when it is not: PREFIX/DEVICE/presence, retained,
//
//     {"v":1,"online":true,"version":"0.4.0","started":"2026-11-21T02:29:00.000Z"}      at each connection
//     {"v":1,"online":false}                                                            at the end, or as the will
//
// AWS and Azure know by themselves who is connected.
#pragma once

#include <functional>
#include <string>

#include "agent/link/link.hpp"

namespace fieldpost {

class Presence {
 public:
  /// What the broker says if the device is lost; to be among the link's options. `place`: "fieldpost/gw-1".
  static LinkOptions::Will will(const std::string& place);

  /// `link` is lent and outlives it. `started`: since when the agent runs, as far as it knows the time by now.
  Presence(Link& link, const std::string& place, std::string version, std::function<UtcTime()> started);

  /// Right before the link's stop: a broker says no will of who takes his leave.
  void leave();

 private:
  void say();

  Link& link_;
  std::string topic_;
  std::string version_;
  std::function<UtcTime()> started_;
  bool due_ = false;
};

}  // namespace fieldpost
