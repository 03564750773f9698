// SPDX-License-Identifier: Apache-2.0
// Whoever receives the events that rules raise: the store in the agent, a list in a test.
#pragma once

#include "hal/event.hpp"

namespace fieldpost {

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void accept(const Event& event) = 0;
};

}  // namespace fieldpost
