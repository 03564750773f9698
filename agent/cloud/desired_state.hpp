// SPDX-License-Identifier: Apache-2.0
// What the cloud wants the configuration to be, and what it is: an AWS shadow, the same documents of a plain broker, or an
// Azure twin. The desired state may hold
//
//     "configuration": sections as objects; absent: the files alone    "revision": any text; a new one asks once more
//
// and the reported state holds what runs ("configuration"), the latest outcome ("change") and the agent's version.
//
// Whatever arrives unasked only says that there is something to fetch: the whole document is fetched and decides. So it does
// not matter what was lost, late, twice or in disorder; an answer counts only if it bears the mark of the latest question.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/cloud/cloud_profile.hpp"
#include "agent/cloud/remote_configuration.hpp"
#include "agent/link/link.hpp"
#include "platform/event_loop.hpp"
#include "platform/json.hpp"
#include "platform/log.hpp"

namespace fieldpost {

class DesiredState {
 public:
  struct Names {
    std::string prefix;   ///< of a plain broker's topics
    std::string device;
    std::string version;  ///< the agent's
  };

  /// All lent, all outlive it; `options` too.
  DesiredState(EventLoop& loop, Log& log, Link& link, RemoteConfiguration& configuration, const CloudOptions& options, Names names);

  /// Subscribes; asks whenever the link comes up.
  void start();

  struct Status {
    std::int64_t version = 0;  ///< of the desired state that was seen last
    std::string last_error;
  };
  const Status& status() const noexcept { return status_; }
  /// The latest change, as JSON: {"state": "confirmed", "revision": "r1", "desired_version": 7, "cause": ...}
  std::string change() const;
  /// What is reported: always what is, never what was wished for.
  std::string truth() const;

  /// Before a question is repeated; twice as long each time.
  static constexpr seconds kPatience{10};
  static constexpr seconds kPatienceMax{300};

 private:
  enum class Question : std::uint8_t { none, get, report };

  void connected();
  void get();
  void report();
  void ask(Question question, std::string topic, std::string payload);
  void again();
  void answered(std::string_view payload, std::int64_t version);
  void refused(std::int64_t code, std::string words);
  void take(const Json& desired, std::int64_t version);
  void news(std::int64_t version);
  void shadow_heard(std::string_view topic, std::string_view payload);
  void twin_heard(std::string_view topic, std::string_view payload);

  EventLoop& loop_;
  Log& log_;
  Link& link_;
  RemoteConfiguration& configuration_;
  const CloudOptions& options_;
  Names names_;
  std::string place_;          ///< of the shadow; empty: a twin
  Status status_;
  Question question_ = Question::none;
  std::string mark_;           ///< of the question under way
  std::uint64_t marks_ = 0;
  std::string marks_begin_;    ///< no other process's
  std::int64_t news_version_ = 0;  ///< the newest that was told of, not yet fetched
  bool fetch_again_ = false;
  std::string reported_ = "{}";    ///< as the cloud has it
  std::string reporting_;          ///< what it will have when the report is taken
  std::string too_large_;          ///< what is wanted now, and why it is not
  std::string hopeless_;           ///< a truth that the cloud does not take
  seconds patience_ = kPatience;
  Subscription timer_;
};

}  // namespace fieldpost
