// SPDX-License-Identifier: Apache-2.0
// A link that keeps what is published, and on which the test says what the cloud would.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "agent/link/link.hpp"
#include "agent/link/topic_filter.hpp"

namespace fieldpost {

class ListeningLink final : public Link {
 public:
  void start() override {}
  void stop(std::function<void()> done) override { done(); }
  Result<void> publish(Message message, PublishDone done) override {
    if (!up) return Error{ErrorKind::Unavailable, "not connected"};
    published.push_back(std::move(message));
    done({});
    return {};
  }
  void subscribe(std::string filter, int, std::function<void(std::string_view, std::string_view)> receive) override {
    receivers_[std::move(filter)] = std::move(receive);
  }
  bool connected() const override { return up; }
  std::size_t window(Urgency) const override { return 1; }
  std::size_t window_bytes(Urgency) const override { return 1U << 20U; }
  LinkStatus status() const override { return {}; }
  void on_change(std::function<void(LinkState)> listener) override { listeners_.push_back(std::move(listener)); }
  void on_room(std::function<void()>) override {}

  /// To whoever has subscribed to that topic; it is a failure if nobody has.
  void say(const std::string& topic, const std::string& payload) {
    bool heard = false;
    for (const auto& [filter, receive] : receivers_) {
      if (!topic_matches(filter, topic)) continue;
      heard = true;
      receive(topic, payload);
    }
    ASSERT_TRUE(heard) << "nobody listens on " << topic;
  }

  void become(LinkState state) {
    up = state == LinkState::connected;
    for (const auto& listener : listeners_) listener(state);
  }

  /// The same where the filter has a wildcard.
  void say_below(const std::string& filter, const std::string& topic, const std::string& payload) {
    const auto found = receivers_.find(filter);
    ASSERT_NE(found, receivers_.end()) << "nobody listens on " << filter;
    found->second(topic, payload);
  }

  bool hears(const std::string& filter) const { return receivers_.contains(filter); }

  /// The connection is lost, or there again.
  void go(bool connected) {
    up = connected;
    for (const auto& listener : listeners_) listener(connected ? LinkState::connected : LinkState::waiting);
  }

  bool up = true;
  std::vector<Message> published;

 private:
  std::vector<std::function<void(LinkState)>> listeners_;
  std::map<std::string, std::function<void(std::string_view, std::string_view)>> receivers_;
};

}  // namespace fieldpost
