// Translates between what an application uses and what travels.
#pragma once

#include <oslo/messaging/context.hpp>
#include <oslo/messaging/value.hpp>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// Hook on every argument, result and context (docs/rpc.md). Every default is the identity.
///
/// Thread safety: called from any thread; an implementation must allow that.
class serializer {
 public:
  virtual ~serializer() = default;
  virtual value serialize_entity(const context&, value v) const { return v; }
  virtual value deserialize_entity(const context&, value v) const { return v; }
  virtual context serialize_context(const context& c) const { return c; }
  virtual context deserialize_context(const context& c) const { return c; }
};

}  // namespace oslo::messaging

#pragma GCC visibility pop
