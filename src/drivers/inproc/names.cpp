#include "drivers/inproc/names.hpp"

#include <string>

#include "core/shown_name.hpp"
#include "core/utf8.hpp"

namespace oslo::messaging::inproc {

result<void> check_name(std::string_view name) {
  if (!is_utf8(name))
    return failure(errc::invalid_argument, "The name " + shown_name(name) + " is not UTF-8.");
  if (name.size() > longest_name)
    return failure(errc::invalid_argument, "A name of AMQP may have at most " +
                                               std::to_string(longest_name) +
                                               " bytes; this one has not: " + shown_name(name));
  return {};
}

result<void> check_names(std::string_view exchange, std::string_view topic,
                         std::optional<std::string_view> server, bool fanout) {
  auto r = check_name(exchange);
  if (!r) return r;
  std::string queue(topic);
  if (fanout)
    queue += "_fanout";
  else if (server)
    queue.append(1, '.').append(*server);
  return check_name(queue);
}

}  // namespace oslo::messaging::inproc
