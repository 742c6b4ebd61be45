// Remote procedure calls: client, endpoint and server.
#pragma once

// IWYU pragma: begin_exports
#include <oslo/messaging/rpc/access_policy.hpp>
#include <oslo/messaging/rpc/client.hpp>
#include <oslo/messaging/rpc/completion.hpp>
#include <oslo/messaging/rpc/endpoint.hpp>
#include <oslo/messaging/rpc/exception_table.hpp>
#include <oslo/messaging/rpc/method.hpp>
#include <oslo/messaging/rpc/remote_exception.hpp>
#include <oslo/messaging/rpc/responder.hpp>
#include <oslo/messaging/rpc/server.hpp>
// IWYU pragma: end_exports
