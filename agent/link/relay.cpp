// SPDX-License-Identifier: Apache-2.0
#include "agent/link/relay.hpp"

#include <algorithm>

namespace fieldpost {

namespace {

/// Enciphered ahead of the socket: enough to keep a fast link busy between two rounds of the loop.
constexpr std::size_t kEncipheredAhead = 64U << 10U;

}  // namespace

Relay::Relay(std::unique_ptr<Wire> paho, std::unique_ptr<Wire> broker, std::unique_ptr<RecordLayer> records,
             std::optional<WebSocketHost> host, std::optional<PacketGuard> guard)
    : paho_{std::move(paho)}, broker_{std::move(broker)}, records_{std::move(records)}, host_{std::move(host)}, guard_{guard} {}

void Relay::start(std::function<void(End)> ended) {
  ended_ = std::move(ended);
  paho_->on_change([this] { pump(); });
  broker_->on_change([this] { pump(); });
  pump();
}

void Relay::close_in_order() {
  closing_ = true;
  pump();
}

void Relay::set_record_bytes(double link_bytes_per_second) {
  constexpr double kPerSecond = 16;  // a record takes the link 62 ms
  record_bytes_ = static_cast<std::size_t>(std::clamp(link_bytes_per_second / kPerSecond, double{kRecordBytesMin}, double{kRecordBytesMax}));
}

std::uint64_t Relay::bytes_underway() const {
  return paho_->incoming().size() + broker_->outgoing().size() + broker_->bytes_unconfirmed();
}

bool Relay::carry_up() {
  ByteQueue& plaintext = paho_->incoming();
  while (!plaintext.empty() && !goodbye_said_) {
    if (broker_->outgoing().size() >= kEncipheredAhead) {
      broker_->pump();
      // Full still: the network is slower than Paho, and the wire calls when it has taken some.
      if (broker_->outgoing().size() >= kEncipheredAhead) break;
    }
    auto chunk = plaintext.front();
    chunk = chunk.first(std::min({chunk.size(), records_->write_max(), record_bytes_}));
    Result<void> written;
    if (host_ && !host_->done()) {
      // The WebSocket request is a few hundred bytes and comes in one piece or two.
      written = records_->write(host_->rewrite(chunk));
    } else {
      written = records_->write(chunk);
    }
    if (!written) {
      end({.by_peer = true, .error = written.error()});
      return false;
    }
    plaintext.pop(chunk.size());
  }
  broker_->pump();
  paho_->pump();  // there is room again
  return true;
}

bool Relay::carry_down() {
  for (;;) {
    const std::size_t known = paho_->outgoing().size();
    const auto read = records_->read(paho_->outgoing());
    if (!read) {
      end({.by_peer = true, .error = read.error()});
      return false;
    }
    if (guard_) {
      if (auto sane = guard_->look(paho_->outgoing().front().subspan(known)); !sane) {
        paho_->outgoing().clear();
        end({.by_peer = true, .error = sane.error()});
        return false;
      }
    }
    const std::size_t before = paho_->outgoing().size();
    paho_->pump();
    if (*read == RecordLayer::Read::closed) broker_closed_ = true;
    if (*read != RecordLayer::Read::full) break;
    if (paho_->outgoing().size() == before) break;  // Paho takes no more at present
  }
  broker_->pump();
  return true;
}

void Relay::finish_up_when_drained() {
  const bool paho_done = paho_->peer_finished() || paho_->failure() || closing_;
  if (paho_done && paho_->incoming().empty() && !goodbye_said_) {
    goodbye_said_ = true;
    records_->close();
    broker_->finish();
  }
}

void Relay::pump() {
  if (!ended_) return;
  if (!carry_up() || !carry_down()) return;
  finish_up_when_drained();

  const bool broker_gone = broker_closed_ || broker_->peer_finished() || broker_->failure();
  if (broker_gone) {
    // What the broker said last (a DISCONNECT with its reason, say) still goes to Paho.
    if (!paho_->outgoing().empty() && !paho_->failure() && !broker_->failure()) return;
    std::optional<Error> error;
    if (broker_->failure() && !goodbye_said_) error = broker_->failure();
    end({.by_peer = !goodbye_said_, .error = std::move(error)});
  }
}

void Relay::end(End how) {
  paho_->finish();
  auto ended = std::exchange(ended_, nullptr);
  if (ended) ended(std::move(how));
}

}  // namespace fieldpost
