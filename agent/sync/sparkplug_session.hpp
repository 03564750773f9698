// SPDX-License-Identifier: Apache-2.0
// The life of an edge node of Sparkplug B on a link: the will before each connection, the birth before any data, a new
// birth when a host asks or a metric is new, the death before an orderly end; and nothing at all while the primary host,
// if there is one, is not online. The device is the edge node; there are no Sparkplug devices below it.
//
//   CONNECT (will: NDEATH, bdSeq n) -> primary host online? -> NBIRTH (n, seq 0) -> NDATA seq 1, 2, ... -> NDEATH (n)
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/link/link.hpp"
#include "agent/sync/kept_text.hpp"
#include "agent/sync/sparkplug_metrics.hpp"
#include "agent/sync/sync_options.hpp"
#include "platform/event_loop.hpp"
#include "platform/log.hpp"

namespace fieldpost {

class SparkplugSession {
 public:
  /// References are lent and outlive it. `may_send` runs when data may go out again.
  /// Blocks: reads the file
  SparkplugSession(EventLoop& loop, Log& log, Link& link, SparkplugOptions options, const std::string& node,
                   std::function<void()> may_send);

  /// Sets the will and subscribes. Before the link is started.
  void start();
  void connection_made();
  void connection_ended();
  /// Says NDEATH; is_leaving() until the broker has it.
  void stop();
  bool is_leaving() const noexcept { return is_leaving_; }

  /// Whether data may go out: sees to it that the birth has. False without a connection, without the primary host, or
  /// without room for the birth.
  bool ready();
  const std::string& last_error() const noexcept { return last_error_; }

  /// Errors: as SparkplugMetrics::write_data()
  Result<Payload> write(const OutgoingSegment& segment, const MessageGround& ground, bool is_backlog, std::size_t bytes_max);

  /// Publishes a payload of write() as the next NDATA.
  /// Errors: as Link::publish()
  /// Requires: ready(), after write()
  Result<void> publish(Link::Message message, Link::PublishDone done);
  const std::string& data_topic() const noexcept { return data_topic_; }

  /// Bytes of births since it was asked last, topics included.
  std::size_t take_birth_bytes() noexcept { return std::exchange(birth_bytes_, 0); }

  /// After a birth was refused.
  static constexpr seconds kRefusedPause{5};

 private:
  std::string topic(std::string_view type) const;
  LinkOptions::Will next_will();
  bool bear();
  void birth_refused(const Error& why);
  void die(std::function<void()> then);
  void host_said(std::string_view payload);
  void leave_connection();

  EventLoop& loop_;
  Log& log_;
  Link& link_;
  SparkplugOptions options_;
  std::string node_;
  std::string data_topic_;
  std::function<void()> may_send_;
  SparkplugMetrics metrics_;
  KeptText file_;
  std::uint8_t next_bd_seq_ = 0;
  std::uint8_t bd_seq_ = 0;  ///< of this connection
  std::uint8_t seq_ = 0;     ///< of the next NDATA
  BootTime connected_at_{};
  std::size_t birth_bytes_ = 0;
  bool born_ = false;        ///< on this connection
  bool is_leaving_ = false;
  bool host_online_ = false;
  std::int64_t host_time_ms_ = 0;  ///< of its newest STATE
  Subscription pause_;
  std::string last_error_;
};

}  // namespace fieldpost
