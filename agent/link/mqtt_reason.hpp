// SPDX-License-Identifier: Apache-2.0
// Sentences for what a broker answers: CONNACK, DISCONNECT, PUBACK and SUBACK by reason code
// (MQTT 5 section 2.4, MQTT 3.1.1 table 3.1). Pure.
#pragma once

#include <string>
#include <string_view>

#include "agent/link/link.hpp"
#include "platform/result.hpp"

namespace fieldpost {

struct MqttPeer {
  std::string called;     ///< "broker.example:8883"
  std::string client_id;
  bool has_username = false;
};

/// A CONNACK that refuses. `code` is the return code of 3.1.1 (1 to 5) or the reason code of 5.
Error explain_connack(LinkOptions::MqttVersion version, int code, const MqttPeer& peer);

/// A DISCONNECT that the broker sent (MQTT 5).
Error explain_disconnect(int code, const MqttPeer& peer);

/// A PUBACK that refuses one message (MQTT 5).
Error explain_puback(int code);

/// A SUBACK that refuses one filter.
Error explain_suback(int code, std::string_view filter);

}  // namespace fieldpost
