// SPDX-License-Identifier: Apache-2.0
// Azure's direct methods and cloud-to-device messages. A method is a name of a table and is answered at once; whoever
// called waits. A message without an answer is acknowledged by being received, and nothing is done with it: what it asks for could
// never be told to have failed. It is logged, so that its sender finds out.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/link/link.hpp"
#include "platform/log.hpp"

namespace fieldpost {

class AzureMethods {
 public:
  struct Answer {
    int status;        ///< as of HTTP
    std::string body;  ///< JSON
  };
  struct Method {
    std::string_view name;
    std::function<Answer(std::string_view payload)> answer;
  };

  /// All lent, all outlive it.
  AzureMethods(Log& log, Link& link, std::string device, std::vector<Method> methods);
  void start();

  static constexpr std::size_t kPayloadMax = 128U << 10U;

 private:
  void called(std::string_view topic, std::string_view payload);
  Answer answer(std::string_view name, std::string_view payload) const;

  Log& log_;
  Link& link_;
  std::string device_;
  std::vector<Method> methods_;
  std::string last_topic_;  ///< of the latest answer, which a call delivered twice gets again
  std::string last_body_;
  std::string last_call_;
};

}  // namespace fieldpost
