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
  /// An argument, a payload or a result on its way out. What it throws fails the send.
  virtual value serialize_entity(const context&, value v) const { return v; }
  /// The same as it arrived, before anybody reads it.
  virtual value deserialize_entity(const context&, value v) const { return v; }
  /// A context on its way out.
  virtual context serialize_context(const context& c) const { return c; }
  /// A context as it arrived.
  virtual context deserialize_context(const context& c) const { return c; }
};

}  // namespace oslo::messaging

#pragma GCC visibility pop
