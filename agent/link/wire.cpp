// SPDX-License-Identifier: Apache-2.0
#include "agent/link/wire.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace fieldpost {

namespace {

constexpr std::size_t kReadAtOnce = 64U << 10U;

/// Rounds of one callback: a fast peer must not keep the loop from everybody else.
constexpr int kRoundsMax = 8;

}  // namespace

Wire::Wire(EventLoop& loop, FileDescriptor socket, Bounds bounds)
    : loop_{loop},
      socket_{std::move(socket)},
      incoming_{bounds.incoming_bytes_max},
      outgoing_{bounds.outgoing_bytes_max} {}

void Wire::pump() {
  send();
  watch();
}

void Wire::finish() {
  if (finish_ == Finish::no) finish_ = Finish::wanted;
  pump();
}

void Wire::receive() {
  for (int round = 0; round < kRoundsMax && !peer_finished_ && !failure_; ++round) {
    const auto space = incoming_.reserve(kReadAtOnce);
    if (space.empty()) {
      incoming_.commit(0);
      return;
    }
    const auto count = ::recv(socket_.get(), space.data(), space.size(), 0);
    const int error_number = errno;
    incoming_.commit(count > 0 ? static_cast<std::size_t>(count) : 0);
    if (count > 0) {
      bytes_received_ += static_cast<std::uint64_t>(count);
      if (static_cast<std::size_t>(count) < space.size()) return;  // that was all
    } else if (count == 0) {
      peer_finished_ = true;
    } else if (error_number == EAGAIN) {
      return;
    } else if (error_number != EINTR) {
      fail("receive", error_number);
    }
  }
}

void Wire::send() {
  while (!outgoing_.empty() && !failure_ && finish_ != Finish::done) {
    const auto waiting = outgoing_.front();
    const auto count = ::send(socket_.get(), waiting.data(), waiting.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes_sent_ += static_cast<std::uint64_t>(count);
      outgoing_.pop(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      fail("send", errno);
    }
  }
  if (finish_ == Finish::wanted && outgoing_.empty() && !failure_) {
    ::shutdown(socket_.get(), SHUT_WR);
    finish_ = Finish::done;
  }
}

void Wire::watch() {
  const bool wants_read = !failure_ && !peer_finished_ && incoming_.room() > 0;
  const bool wants_write = !failure_ && !outgoing_.empty() && finish_ != Finish::done;
  if (!wants_read) {
    readable_.reset();
  } else if (!readable_) {
    readable_ = loop_.when_readable(socket_.get(), [this] {
      receive();
      watch();
      if (listener_) std::function<void()>{listener_}();  // a copy: the wire may die in it
    });
  }
  if (!wants_write) {
    writable_.reset();
  } else if (!writable_) {
    writable_ = loop_.when_writable(socket_.get(), [this] {
      send();
      watch();
      if (listener_) std::function<void()>{listener_}();
    });
  }
}

void Wire::fail(const char* what, int error_number) {
  // A peer that resets is often one that said why just before: let what it said be read first.
  failure_ = errno_error(what, error_number);
  if (error_number == EPIPE || error_number == ECONNRESET) {
    for (;;) {
      const auto space = incoming_.reserve(kReadAtOnce);
      const auto count = space.empty() ? 0 : ::recv(socket_.get(), space.data(), space.size(), 0);
      incoming_.commit(count > 0 ? static_cast<std::size_t>(count) : 0);
      if (count <= 0) break;
      bytes_received_ += static_cast<std::uint64_t>(count);
    }
    peer_finished_ = true;
  }
}

std::uint64_t Wire::bytes_unconfirmed() const {
  int count = 0;
  return ioctl(socket_.get(), SIOCOUTQ, &count) == 0 && count > 0 ? static_cast<std::uint64_t>(count) : 0;
}

}  // namespace fieldpost
