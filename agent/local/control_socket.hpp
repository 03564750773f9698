// SPDX-License-Identifier: Apache-2.0
// The local control socket: one line asks, one line of JSON answers, then the connection closes.
// Whoever may open the socket (its mode says who) may read what the agent knows of itself; nothing can
// be changed through the agent's (the fleet server's takes orders: answer_others). Clients that are slow, many, silent or hostile cost a bounded amount.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "platform/event_loop.hpp"
#include "platform/file_descriptor.hpp"
#include "platform/log.hpp"

namespace fieldpost {

class ControlSocket {
 public:
  /// Makes the answer: one JSON document without line breaks.
  using Answer = std::function<std::string()>;

  static constexpr std::size_t kClientsMax = 8;
  static constexpr std::size_t kRequestBytesMax = 128;
  static constexpr std::size_t kAnswerBytesMax = 1U << 20U;
  /// From connecting to the last byte of the answer.
  static constexpr seconds kClientTime{5};

  /// `loop` and `log` are lent and outlive it. `listener` is a listening Unix socket (listen_unix).
  ControlSocket(EventLoop& loop, Log& log, FileDescriptor listener);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  /// "status" is asked by the line "status\n".
  void answer(std::string request, Answer answer);

  /// Of a socket whose clients ask for more than words: whatever else is asked, up to `bytes_max`.
  void answer_others(std::size_t bytes_max, std::function<std::string(std::string_view request)> answer) {
    request_bytes_max_ = bytes_max;
    others_ = std::move(answer);
  }

  std::size_t clients() const noexcept { return clients_.size(); }
  std::uint64_t refused() const noexcept { return refused_; }

 private:
  struct Client;

  void listen();
  void accept();
  void receive(int key);
  void reply(Client& client, std::string_view request);
  void send(int key);
  void drop(int key);

  EventLoop& loop_;
  Log& log_;
  FileDescriptor listener_;
  Subscription readable_;  ///< or the pause after a failure
  std::map<std::string, Answer, std::less<>> answers_;
  std::function<std::string(std::string_view)> others_;
  std::size_t request_bytes_max_ = kRequestBytesMax;
  std::map<int, std::unique_ptr<Client>> clients_;
  int next_key_ = 0;
  std::uint64_t refused_ = 0;
};

/// The other end, for commands: connects, asks and gives the answer's line.
///
/// Errors: NotPresent (no agent listens there), Denied, Timeout, Malformed (an answer without an end,
///         or larger than ControlSocket::kAnswerBytesMax), Io
/// Blocks: up to `at_most`
Result<std::string> ask_control_socket(const std::string& path, std::string_view request,
                                       milliseconds at_most);

}  // namespace fieldpost
