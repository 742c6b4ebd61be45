// The JSON text that carries an exception inside a reply.
#pragma once

#include <oslo/messaging/error.hpp>
#include <string>

namespace oslo::messaging::wire {

/// Appends the failure JSON (docs/wire/rpc.md, RPC-21): class, module, message, tb, args, kwargs.
///
/// `json` goes as it is when there is one. Throws `errc::serialization_failed` when it is not one
/// JSON object, and only then.
///
/// Else never fails, since a caller that gets no reply waits for its deadline: bytes that are not
/// UTF-8 become U+FFFD, `args_json` that is not one JSON array becomes [], `kwargs_json` that is
/// not one JSON object becomes {}. When class and module both end in "_Remote" (an exception passed
/// on from another peer) the suffix is removed, as oslo does.
void write_failure(std::string& out, const remote_failure& f);

/// Reads what a peer put into `failure`. Never fails: text that is not a JSON object becomes the
/// message of a failure without class and module; missing keys are empty, values of another type
/// count as their JSON text. The module `exceptions` of old peers becomes `builtins`, but not in
/// `json`.
remote_failure read_failure(std::string text);

}  // namespace oslo::messaging::wire
