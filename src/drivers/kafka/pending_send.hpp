// A notification of a producer, from its send to its end.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "drivers/kafka/producer.hpp"

namespace oslo::messaging::kafka {

struct producer::pending_send : std::enable_shared_from_this<pending_send> {
  std::string topic, body;
  std::vector<message_header> headers;
  int retry = -1;
  instant begun;
  std::optional<instant> deadline{};       ///< of the sender
  std::optional<instant> give_up{};        ///< when its attempts to reach a broker are over
  std::optional<due_set::iterator> due{};  ///< its place in `due_`
  send_completion done;                    ///< empty: it has ended
  bool ended = false;
  bool in_library = false;
  bool expired = false;  ///< its end waits for the report that says whether it was sent
  std::unique_ptr<std::stop_callback<unique_function<void()>>> on_cancel{};
  std::list<send_ptr>::iterator place;
};

}  // namespace oslo::messaging::kafka
