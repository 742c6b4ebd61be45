// The coroutine face of the client's erased core.
#include <boost/asio/use_awaitable.hpp>
#include <oslo/messaging/rpc/client.hpp>
#include <oslo/messaging/rpc/detail/completion.hpp>

namespace oslo::messaging::rpc {

namespace asio = boost::asio;

asio::awaitable<client::text> client::call_text(std::string_view name,
                                                std::optional<method_version> since, context ctxt,
                                                text args) const {
  return detail::initiate<true, messaging::detail::as_it_came, void(text)>(
      {*this, std::string(name), since, std::move(ctxt), std::move(args)}, asio::use_awaitable);
}

asio::awaitable<result<void>> client::cast_text(std::string_view name,
                                                std::optional<method_version> since, context ctxt,
                                                text args) const {
  return detail::initiate<false, messaging::detail::as_it_came, void(result<void>)>(
      {*this, std::string(name), since, std::move(ctxt), std::move(args)}, asio::use_awaitable);
}

}  // namespace oslo::messaging::rpc
