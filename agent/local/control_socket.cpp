// SPDX-License-Identifier: Apache-2.0
// Serving side. A client's bytes are looked at only up to the first line break; beyond the bound it is
// cut off. The whole exchange of one client has one timer.
#include "agent/local/control_socket.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "platform/json.hpp"
#include "platform/unix_socket.hpp"

namespace fieldpost {
namespace {

std::string refusal(std::string_view sentence) {
  JsonWriter json;
  json.begin_object().member("error", sentence).end_object();
  return std::move(json).take();
}

}  // namespace

struct ControlSocket::Client {
  FileDescriptor connection;
  std::string received;
  std::string answer;
  std::size_t sent = 0;
  // After the descriptor, so that they go before it.
  Subscription readable;
  Subscription writable;
  Subscription timeout;
};

ControlSocket::ControlSocket(EventLoop& loop, Log& log, FileDescriptor listener)
    : loop_{loop}, log_{log}, listener_{std::move(listener)} {
  listen();
}

ControlSocket::~ControlSocket() = default;

void ControlSocket::listen() {
  readable_ = loop_.when_readable(listener_.get(), [this] { accept(); });
}

void ControlSocket::answer(std::string request, Answer answer) {
  answers_.insert_or_assign(std::move(request), std::move(answer));
}

void ControlSocket::accept() {
  auto connection = accept_unix(listener_);
  if (!connection) {
    // Out of descriptors, say: the caller still waits, and would call us again at once.
    readable_ = loop_.after(seconds{1}, [this] { listen(); });
    if (connection.error().kind() != ErrorKind::Unavailable) {
      log_.warn("control socket cannot accept", {{"error", connection.error().sentence()}});
    }
    return;
  }
  if (clients_.size() >= kClientsMax) {
    ++refused_;
    return;  // closes it
  }
  const int key = next_key_++;
  auto client = std::make_unique<Client>();
  client->connection = std::move(*connection);
  client->readable =
      loop_.when_readable(client->connection.get(), [this, key] { receive(key); });
  client->timeout = loop_.after(kClientTime, [this, key] { drop(key); });
  clients_.emplace(key, std::move(client));
}

void ControlSocket::receive(int key) {
  const auto found = clients_.find(key);
  if (found == clients_.end()) return;
  Client& client = *found->second;
  std::array<char, 4096> buffer{};
  const ssize_t count =
      ::recv(client.connection.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    drop(key);
    return;
  }
  client.received.append(buffer.data(), static_cast<std::size_t>(count));
  const std::size_t end = client.received.find('\n');
  if (end == std::string::npos && client.received.size() < request_bytes_max_) return;
  client.readable.reset();
  if (end == std::string::npos || end >= request_bytes_max_) {
    client.answer = refusal("the request is too long") + "\n";
  } else {
    reply(client, std::string_view{client.received}.substr(0, end));
  }
  client.writable = loop_.when_writable(client.connection.get(), [this, key] { send(key); });
}

void ControlSocket::reply(Client& client, std::string_view request) {
  const auto found = answers_.find(request);
  if (found != answers_.end()) {
    client.answer = found->second();
  } else if (others_) {
    client.answer = others_(request);
  } else {
    // The request is not echoed: its bytes are whatever the client chose.
    std::string known;
    for (const auto& [name, answer] : answers_) known += (known.empty() ? "" : ", ") + name;
    client.answer = refusal("unknown request; there are: " + known);
  }
  if (client.answer.size() > kAnswerBytesMax) client.answer = refusal("the answer is too long");
  client.answer += '\n';
}

void ControlSocket::send(int key) {
  const auto found = clients_.find(key);
  if (found == clients_.end()) return;
  Client& client = *found->second;
  const std::string_view rest = std::string_view{client.answer}.substr(client.sent);
  const ssize_t count =
      ::send(client.connection.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) {
    drop(key);
    return;
  }
  client.sent += static_cast<std::size_t>(count);
  if (client.sent == client.answer.size()) drop(key);
}

void ControlSocket::drop(int key) { clients_.erase(key); }

}  // namespace fieldpost
