// Matchmakers that ask no other service.
#include "drivers/zmq/local_matchmakers.hpp"

#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <system_error>

#include "core/unique_id.hpp"

namespace oslo::messaging::zmq {
namespace {

/// The hosts of the URL: a server binds the first that is its own, clients connect to all.
class fixed_matchmaker final : public matchmaker {
 public:
  explicit fixed_matchmaker(context_ptr c) : context_(std::move(c)) {}

  std::vector<std::string> places() const override {
    std::vector<std::string> all;
    for (const auto& h : context_->opts.hosts)
      if (context_->opts.host.empty() || context_->opts.host == h.host)
        all.push_back("tcp://" + to_string(h));
    return all;
  }
  std::string address_of(const std::string& place, const std::string&) const override {
    return place;
  }
  void find(const service_name&, unique_function<void(result<addresses>)> done) override {
    addresses all;
    for (const auto& h : context_->opts.hosts) all.push_back({"tcp://" + to_string(h)});
    done(std::move(all));
  }
  void add(const std::string&, std::vector<service_name>,
           unique_function<void(result<void>)> done) override {
    done({});
  }
  void remove(const std::string&) override {}

 private:
  const context_ptr context_;
};

/// All servers of this process.
class dummy_matchmaker final : public matchmaker {
 public:
  explicit dummy_matchmaker(context_ptr c) : context_(std::move(c)) {}
  ~dummy_matchmaker() override {
    for (const auto& a : mine_) remove_from_table(a);
  }

  std::vector<std::string> places() const override { return {"tcp://127.0.0.1:*"}; }
  std::string address_of(const std::string&, const std::string& bound) const override {
    return bound;
  }
  void find(const service_name&, unique_function<void(result<addresses>)> done) override {
    addresses all;
    {
      const std::lock_guard lock(table().mutex);
      for (const auto& a : table().all) all.push_back({a});
    }
    done(std::move(all));
  }
  void add(const std::string& address, std::vector<service_name>,
           unique_function<void(result<void>)> done) override {
    mine_.insert(address);
    {
      const std::lock_guard lock(table().mutex);
      table().all.insert(address);
    }
    done({});
  }
  void remove(const std::string& address) override {
    if (mine_.erase(address) != 0) remove_from_table(address);
  }

 private:
  struct shared {
    std::mutex mutex;
    std::set<std::string> all;
  };
  static shared& table() {
    static auto* const one = new shared;  // transports may end after static objects
    return *one;
  }
  static void remove_from_table(const std::string& address) {
    const std::lock_guard lock(table().mutex);
    table().all.erase(address);
  }

  const context_ptr context_;
  std::set<std::string> mine_;
};

/// The sockets of a folder.
class ipc_matchmaker final : public matchmaker {
 public:
  explicit ipc_matchmaker(context_ptr c) : context_(std::move(c)) {}
  ~ipc_matchmaker() override {
    for (const auto& a : mine_) remove_file(a);
  }

  std::vector<std::string> places() const override {
    return {std::string(scheme) + context_->opts.ipc_dir + "/oslo-" + unique_id().substr(0, 16)};
  }
  std::string address_of(const std::string& place, const std::string&) const override {
    return place;
  }
  void find(const service_name&, unique_function<void(result<addresses>)> done) override {
    addresses all;
    std::error_code ec;
    for (std::filesystem::directory_iterator at(context_->opts.ipc_dir, ec), end;
         !ec && at != end && all.size() < most_servers; at.increment(ec)) {
      const auto name = at->path().filename().string();
      if (name.starts_with("oslo-"))
        all.push_back({std::string(scheme) + context_->opts.ipc_dir + "/" + name});
    }
    if (ec)
      return done(failure(errc::unreachable, "The folder " + context_->opts.ipc_dir +
                                                 " cannot be read: " + ec.message()));
    done(std::move(all));
  }
  void add(const std::string& address, std::vector<service_name>,
           unique_function<void(result<void>)> done) override {
    mine_.insert(address);
    done({});
  }
  void remove(const std::string& address) override {
    if (mine_.erase(address) != 0) remove_file(address);
  }

 private:
  static constexpr std::string_view scheme = "ipc://";
  static constexpr std::size_t most_servers = 4'096;
  static void remove_file(const std::string& address) {
    std::error_code ignored;
    std::filesystem::remove(address.substr(scheme.size()), ignored);
  }

  const context_ptr context_;
  std::set<std::string> mine_;
};

}  // namespace

std::vector<std::string> random_places(const options& o) {
  std::vector<std::string> all;
  const auto range = static_cast<std::uint64_t>(o.last_port - o.min_port + 1);
  const bool ipv6 = o.bind_address.find(':') != std::string::npos;
  const auto host = ipv6 ? "[" + o.bind_address + "]" : o.bind_address;
  for (int i = 0; i < o.bind_tries; ++i)
    all.push_back("tcp://" + host + ":" +
                  std::to_string(o.min_port + static_cast<int>(random_bits() % range)));
  return all;
}

std::unique_ptr<matchmaker> make_local_matchmaker(const context_ptr& c) {
  switch (c->opts.matchmaker) {
    case matchmaker_kind::dummy: return std::make_unique<dummy_matchmaker>(c);
    case matchmaker_kind::ipc: return std::make_unique<ipc_matchmaker>(c);
    default: return std::make_unique<fixed_matchmaker>(c);
  }
}

}  // namespace oslo::messaging::zmq
