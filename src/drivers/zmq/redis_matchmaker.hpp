// Servers as Redis knows them, with the keys of Python's last zmq driver (docs/wire/zmq.md).
#pragma once

#include "drivers/zmq/matchmaker.hpp"

namespace oslo::messaging::zmq {

std::unique_ptr<matchmaker> make_redis_matchmaker(const context_ptr& c);

}  // namespace oslo::messaging::zmq
