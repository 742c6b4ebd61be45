// The notifications that went to driver "test", for tests of applications.
#pragma once

#include <oslo/messaging/context.hpp>
#include <oslo/messaging/notify/priority.hpp>
#include <oslo/messaging/value.hpp>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

/// One message as driver "test" got it.
struct kept_notification {
  context ctxt;                                        ///< as it would have been sent
  object message;                                      ///< the whole of it, as oslo writes it
  notify::priority priority = notify::priority::info;  ///< of the message
  int retry = -1;                                      ///< of the notifier
};

/// All that were kept since the start of the process or the last reset, oldest first. The driver
/// keeps the newest 10,000. Any thread.
std::vector<kept_notification> kept_notifications();
/// Forgets them. Any thread.
void reset_kept_notifications();

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
