// SPDX-License-Identifier: Apache-2.0
#include "agent/link/dialler.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fieldpost {

namespace {

Error explained(const std::string& who, int error_number) {
  switch (error_number) {
    case ECONNREFUSED:
      return Error{ErrorKind::Unavailable, who + " refused the connection; check the port, and that something listens there"};
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:
      // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is safe from 2.32 on
      return Error{ErrorKind::Unavailable, who + " cannot be reached (" + std::strerror(error_number) +
                                               "); check this device's network and its gateway"};
    case ETIMEDOUT:
      return Error{ErrorKind::Timeout, who + " did not answer; check the address, and that no firewall is in between"};
    default:
      // NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is safe from 2.32 on
      return Error{ErrorKind::Unavailable, who + " could not be dialled (" + std::strerror(error_number) + ")"};
  }
}

}  // namespace

void Dialler::dial(std::string name, std::vector<SocketAddress> addresses, nanoseconds time, Done done) {
  name_ = std::move(name);
  addresses_ = std::move(addresses);
  index_ = 0;
  deadline_ = loop_.clock().now() + time;
  done_ = std::move(done);
  timer_ = loop_.after(nanoseconds{0}, [this] { try_next(); });
}

std::string Dialler::who() const {
  const auto address = addresses_[index_].text();
  return address == name_ ? name_ : name_ + " (" + addresses_[index_].host_text() + ")";
}

void Dialler::try_next() {
  if (index_ >= addresses_.size()) {
    give(std::move(last_));
    return;
  }
  auto started = start_connect(addresses_[index_]);
  if (!started.socket) {
    attempt_ended(started.error_number);
    return;
  }
  socket_ = std::move(started.socket);
  const auto left = std::max(deadline_ - loop_.clock().now(), nanoseconds{0});
  const auto share = left / static_cast<std::int64_t>(addresses_.size() - index_);
  timer_ = loop_.after(share, [this] { attempt_ended(ETIMEDOUT); });
  writable_ = loop_.when_writable(socket_.get(), [this] { attempt_ended(connect_result(socket_.get())); });
}

void Dialler::attempt_ended(int error_number) {
  writable_.reset();
  if (error_number == 0) {
    give(Connected{std::move(socket_), addresses_[index_]});
    return;
  }
  socket_.close();
  last_ = explained(who(), error_number);
  ++index_;
  timer_ = loop_.after(nanoseconds{0}, [this] { try_next(); });
}

void Dialler::give(Result<Connected> result) {
  timer_.reset();
  auto done = std::exchange(done_, nullptr);
  if (done) done(std::move(result));
}

}  // namespace fieldpost
