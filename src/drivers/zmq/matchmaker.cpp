#include "drivers/zmq/matchmaker.hpp"

#include "drivers/zmq/local_matchmakers.hpp"
#include "drivers/zmq/redis_matchmaker.hpp"

namespace oslo::messaging::zmq {

std::unique_ptr<matchmaker> make_matchmaker(const context_ptr& c) {
  if (c->opts.matchmaker == matchmaker_kind::redis) return make_redis_matchmaker(c);
  return make_local_matchmaker(c);
}

}  // namespace oslo::messaging::zmq
