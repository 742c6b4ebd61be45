// demo: what the library does, in one process over any bus, each step checked.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/describe/class.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/notify/listener.hpp>
#include <oslo/messaging/rpc.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "exit_status.hpp"
#include "output.hpp"
#include "program.hpp"

namespace oslo::messaging::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 10s;  // for what a working bus does in milliseconds

struct demo_add_args {
  int a = 0, b = 0;
};
BOOST_DESCRIBE_STRUCT(demo_add_args, (), (a, b))
struct demo_note_args {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(demo_note_args, (), (text))

constexpr rpc::method<int(demo_add_args)> add{"add"};
constexpr rpc::method<void(demo_note_args)> note{"note"};
constexpr rpc::method<void()> resize{"resize"};
constexpr rpc::method<void()> ponder{"ponder"};

/// Which servers got which note. Notes arrive from casts, so nobody is told when.
class notebook {
 public:
  void write(const std::string& server, const std::string& text) {
    const std::lock_guard hold{mutex_};
    servers_.emplace(text, server);
    changed_.notify_all();
  }
  /// The servers that got `text`, as soon as there are `count` of them.
  std::set<std::string> wait_for(const std::string& text, std::size_t count) {
    std::unique_lock hold{mutex_};
    std::set<std::string> names;
    changed_.wait_for(hold, patience, [&] {
      names.clear();
      const auto [first, last] = servers_.equal_range(text);
      for (auto it = first; it != last; ++it) names.insert(it->second);
      return names.size() >= count;
    });
    return names;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<std::string, std::string> servers_;
};

class demo_methods : public rpc::endpoint {
 public:
  demo_methods(std::string server, notebook& notes) : server_{std::move(server)}, notes_{notes} {
    bind(add, [](demo_add_args args) { return args.a + args.b; });
    bind(note, &demo_methods::on_note);
    bind(resize, [] {
      throw rpc::remote_exception{"demo.exception", "FlavorNotFound", "no flavor is named m1.huge"};
    }).expect<rpc::remote_exception>();
    bind(ponder, &demo_methods::on_ponder);
  }
  /// Gives the late answers.
  void finish() {
    const std::lock_guard hold{mutex_};
    for (auto& answer : late_) answer.reply();
    late_.clear();
  }

 private:
  void on_note(demo_note_args args) { notes_.write(server_, args.text); }
  void on_ponder(rpc::responder<void> answer) {
    const std::lock_guard hold{mutex_};
    late_.push_back(std::move(answer));
  }

  std::string server_;
  notebook& notes_;
  std::mutex mutex_;
  std::vector<rpc::responder<void>> late_;
};

/// Prints one line a step: what it did, what came of it, how long it took.
class steps {
 public:
  /// `step` returns what to print; whatever it throws is a step that failed.
  void run(const char* name, const std::function<std::string()>& step) {
    const auto begin = std::chrono::steady_clock::now();
    std::string text;
    bool worked = true;
    try {
      text = step();
    } catch (const std::exception& e) {
      worked = false;
      text = e.what();
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    char start[16], end[48];
    std::snprintf(start, sizeof start, "  %-8s ", name);
    std::snprintf(end, sizeof end, " %8.2f ms%s\n", took.count(), worked ? "" : "   FAILED");
    if (text.size() < 64) text.resize(64, ' ');
    print(start + text + end);
    ++(worked ? good_ : bad_);
  }
  bool all_worked() const { return bad_ == 0; }
  int count() const { return good_ + bad_; }

 private:
  int good_ = 0, bad_ = 0;
};

void expect(bool holds, const char* what) {
  if (!holds) throw std::runtime_error{what};
}

std::string joined(const std::set<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : " and ") + name;
  return text;
}

/// Two servers of one topic and a client, each with what it needs.
struct stage {
  notebook notes;
  std::vector<std::shared_ptr<demo_methods>> endpoints;
  std::vector<rpc::server> servers;
  target where;

  /// Without late answers a server would wait for them at its end.
  ~stage() { finish(); }
  void finish() {
    for (auto& endpoint : endpoints) endpoint->finish();
  }
  stage() { where.topic = where.exchange = "oslo-msg-demo-" + std::to_string(getpid()); }
  void start(const transport& bus) {
    for (const char* name : {"one", "two"}) {
      target on = where;
      on.server = name;
      endpoints.push_back(std::make_shared<demo_methods>(name, notes));
      servers.emplace_back(bus, on, std::vector<std::shared_ptr<rpc::endpoint>>{endpoints.back()},
                           rpc::server_options{.executor = thread_pool(2)});
      servers.back().start();
    }
  }
  void stop() {
    finish();
    for (auto& server : servers) server.stop();
    for (auto& server : servers) server.wait(patience);
  }
};

void show_calls(steps& show, stage& on, const blocking::client& client) {
  const context ctxt{{"request_id", "req-demo"}, {"user", "demo"}};
  show.run("call", [&] {
    const int sum = client.call(add, ctxt, {.a = 2, .b = 3});
    expect(sum == 5, "2 + 3 was not 5");
    return "add(a=2, b=3) -> " + std::to_string(sum);
  });
  show.run("call", [&] {
    const int sum = client.prepare({.server = "two"}).call(add, ctxt, {.a = 20, .b = 22});
    expect(sum == 42, "20 + 22 was not 42");
    return "add(a=20, b=22) on server two -> " + std::to_string(sum);
  });
  show.run("cast", [&] {
    client.cast(note, ctxt, {.text = "hello"});
    const auto names = on.notes.wait_for("hello", 1);
    expect(names.size() == 1, "the cast did not reach exactly one server");
    return "note(\"hello\") -> taken by " + joined(names);
  });
  show.run("fanout", [&] {
    client.prepare({.fanout = true}).cast(note, ctxt, {.text = "all"});
    const auto names = on.notes.wait_for("all", 2);
    expect(names == std::set<std::string>{"one", "two"}, "the fanout did not reach both servers");
    return "note(\"all\") to all servers -> taken by " + joined(names);
  });
  show.run("error", [&]() -> std::string {
    try {
      client.call(resize, ctxt);
    } catch (const remote_error& e) {
      expect(e.type() == "FlavorNotFound" && e.module() == "demo.exception",
             "the error arrived as another class");
      return "resize() -> " + e.module() + '.' + e.type() + ": " + e.message();
    }
    throw std::runtime_error{"resize() should have failed"};
  });
  show.run("timeout", [&]() -> std::string {
    try {
      client.prepare({.timeout = 200ms}).call(ponder, ctxt);
    } catch (const messaging_timeout&) {
      return "ponder() -> no answer within 200 ms, as it should be";
    }
    throw std::runtime_error{"ponder() should have timed out"};
  });
}

/// A notification of each priority, to a listener in this process.
std::string show_notifications(const transport& bus, const target& where) {
  notebook seen;
  const auto all = std::make_shared<notify::endpoint>();
  for (const auto p : notify::all_priorities)
    all->bind(p, [&seen](const notify::notification& n) {
      seen.write(std::string(notify::to_string(n.priority)), *n.event_type);
    });
  notify::listener listener{bus, {where}, {all}, {.executor = thread_pool(1)}};
  listener.start();
  const blocking::notifier notifier{
      bus, {.publisher_id = "demo", .drivers = {{"messagingv2"}}, .topics = {{*where.topic}}}};
  for (const auto p : notify::all_priorities) notifier.notify(p, {}, "demo.happened", 1).value();
  const auto names = seen.wait_for("demo.happened", 7);
  listener.stop();
  listener.wait(patience);
  expect(names.size() == 7, "not every priority arrived");
  return "demo.happened in all seven priorities -> all seven arrived";
}

int demo(program p) {
  p.temporary = true;
  p.control_exchange = "oslo-msg-demo-" + std::to_string(getpid());
  if (p.url.empty() && p.config_files.empty()) p.url = "fake://";
  const transport bus = p.open();
  print("oslo-msg demo over " + redacted(bus.url()) + "\n");
  stage on;
  on.start(bus);
  steps show;
  show_calls(show, on, blocking::client{bus, on.where, {.timeout = patience}});
  show.run("notify", [&] { return show_notifications(bus, {.topic = on.where.topic}); });
  show.run("drain", [&] {
    on.stop();
    return std::string{"both servers finished their work"};
  });
  print((show.all_worked() ? "All " : "Not all of ") + std::to_string(show.count()) +
        " steps did what they should.\n");
  return show.all_worked() ? done : remote_failed;
}

}  // namespace

void add_demo(CLI::App& app, program& p) {
  CLI::App* command = app.add_subcommand("demo",
                                         "Calls, casts, fanout, a remote error, a timeout and "
                                         "notifications, in one process, over --url or fake://");
  command->footer(
      "\nExit status 0 only if every step did what it should.\n"
      "Example: oslo-msg demo");
  command->callback([&p] { p.run = [&p] { return demo(p); }; });
}

}  // namespace oslo::messaging::cli
